"""Runs the synchronous code over PostgreSQL on the event loop: where it would wait for the server, the loop goes on.

SQLAlchemy's greenlets switch from the code that waits back to the loop, and back again when the driver has the
answer, so no thread stands still for a query. Only embedding, which computes, goes to threads, two of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

from sqlalchemy.util import await_only, greenlet_spawn

from agentmem.errors import MissingExtraError

from .postgres import open_postgres

P = ParamSpec("P")
T = TypeVar("T")
_EMBEDDING_THREADS = 2


async def open_bridge(url: str) -> GreenletBridge | None:
    """The bridge to a PostgreSQL store; None where vectors are searched in this process, which needs threads."""
    if find_spec("greenlet") is None:
        raise MissingExtraError("the asynchronous PostgreSQL store", "postgres")
    store = await greenlet_spawn(open_postgres, url, asynchronous=True)
    if store.has_vector_index:
        return GreenletBridge(store)
    await greenlet_spawn(store.close)
    return None


class GreenletBridge:
    """Implements `agentmem.contracts.AsyncBridge`."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self._threads = ThreadPoolExecutor(_EMBEDDING_THREADS, thread_name_prefix="agentmem-embed")

    async def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await greenlet_spawn(partial(act, *args, **kwargs))
        return result

    def submit(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> _Running[T]:
        return _Running(asyncio.get_running_loop().create_task(self.run(act, *args, **kwargs)))

    def in_thread(self, act: Callable[[], T]) -> T:
        result: T = await_only(asyncio.get_running_loop().run_in_executor(self._threads, act))
        return result

    def lock(self) -> LoopLock:
        return LoopLock()

    def shutdown(self) -> None:
        self._threads.shutdown(wait=False)


class _Running(Generic[T]):
    """What `submit` gives: code that runs beside the one that asked for it."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self._task = task

    def result(self) -> T:
        done: T = await_only(self._task)
        return done


class LoopLock:
    """A lock that is waited for as everything else is; one for threads would stop the loop that is to free it."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    def __enter__(self) -> None:
        await_only(self._lock.acquire())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()
