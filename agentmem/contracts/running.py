"""How code runs beside the code that asks for it: in threads, or on an event loop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import ParamSpec, Protocol, TypeVar

from agentmem.contracts.store import Store

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Running(Protocol[T_co]):
    """Code that runs beside the one that asked for it."""

    def result(self) -> T_co:
        """Wait for what it returns; what it raises is raised here."""


class Executor(Protocol):
    """Runs code beside the code that asks."""

    def submit(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Running[T]:
        """Start `act`."""


class AsyncBridge(Executor, Protocol):
    """Lets synchronous code run on an event loop: where the code waits, the loop goes on.

    Everything but `run` is called from code that `run` runs.
    """

    @property
    def store(self) -> Store:
        """The store whose calls wait this way."""

    async def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run synchronous code on the running loop."""

    def in_thread(self, act: Callable[[], T]) -> T:
        """Compute in a thread and wait for it."""

    def lock(self) -> AbstractContextManager[object]:
        """A lock for code on this loop, which may be held while waiting."""

    def shutdown(self) -> None:
        """Let the threads go."""
