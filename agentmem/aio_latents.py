"""`AsyncLatents`: the calls of a `LatentStore` as coroutines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, ParamSpec, Protocol, TypeVar

from numpy.typing import NDArray

from agentmem.latents import Latent, LatentRef, LatentStats, LatentStore, SweepReport
from agentmem.types import Namespace

P = ParamSpec("P")
T = TypeVar("T")


class Run(Protocol):
    """Runs a call so that the event loop stays free."""

    def __call__(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """What the call gives."""


class AsyncLatents:
    """A `LatentStore` for asynchronous code; arguments, results and errors are the same."""

    def __init__(self, latents: LatentStore, run: Run) -> None:
        self._latents = latents
        self._run = run

    async def put(
        self, namespace: Namespace, owner_id: str, tensors: Mapping[str, NDArray[Any]], **options: Any
    ) -> LatentRef:
        """See `LatentStore.put`."""
        return await self._run(self._latents.put, namespace, owner_id, tensors, **options)

    async def get(
        self, namespace: Namespace, owner_id: str, *, fingerprint: str, layout: str | None = None
    ) -> Latent:
        """See `LatentStore.get`."""
        return await self._run(self._latents.get, namespace, owner_id, fingerprint=fingerprint, layout=layout)

    async def find(self, namespace: Namespace, owner_id: str | None = None) -> list[LatentRef]:
        """See `LatentStore.find`."""
        return await self._run(self._latents.find, namespace, owner_id)

    async def delete(self, namespace: Namespace, owner_id: str) -> int:
        """See `LatentStore.delete`."""
        return await self._run(self._latents.delete, namespace, owner_id)

    async def verify(self) -> Sequence[tuple[LatentRef, str]]:
        """See `LatentStore.verify`; all that is damaged at once."""
        return await self._run(lambda: list(self._latents.verify()))

    async def sweep(self, *, grace_s: float = 3600.0) -> SweepReport:
        """See `LatentStore.sweep`."""
        return await self._run(self._latents.sweep, grace_s=grace_s)

    async def stats(self) -> LatentStats:
        """See `LatentStore.stats`."""
        return await self._run(self._latents.stats)
