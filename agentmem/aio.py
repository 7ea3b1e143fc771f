"""`AsyncMemory`: the verbs of `Memory` as coroutines.

A thin face over the same code. On PostgreSQL with pgvector that code runs on the loop and awaits the driver; SQLite
has no asynchronous form, so there each call runs in a worker thread. The loop stays free either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from agentmem.aio_latents import AsyncLatents
from agentmem.clock import Moment
from agentmem.config import DEFAULT_NAMESPACE, scheme_of, store_url
from agentmem.contracts import AsyncBridge, Embedder
from agentmem.keys import Key
from agentmem.memory import DEFAULT_SESSION, Memory
from agentmem.read.stream import StreamMode
from agentmem.recalling import DEFAULT_BUDGET_TOKENS
from agentmem.registry import load, names
from agentmem.types import (
    ArchiveReport,
    Entity,
    Episode,
    Event,
    ForgetReport,
    HistoryEntry,
    Lifecycle,
    Maintenance,
    MemoryKind,
    Namespace,
    Note,
    Recall,
    RecallChunk,
    Receipt,
    RefineReport,
    Stats,
    Tier,
)

P = ParamSpec("P")
T = TypeVar("T")


class AsyncMemory:
    """A `Memory` for asynchronous code; arguments, results and errors are the same.

    The store opens at the first call, or at `async with`, off the event loop.
    """

    def __init__(
        self,
        url: str | Path | None = None,
        *,
        namespace: Sequence[str] = DEFAULT_NAMESPACE,
        **options: Any,
    ) -> None:
        #: what `restore` took in, where it opened this memory
        self.restored: ArchiveReport | None = None
        self._place = url
        self._open: Callable[..., Memory] = partial(Memory, url, namespace=namespace, **options)
        self._memory: Memory | None = None
        self._bridge: AsyncBridge | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def wrap(cls, memory: Memory) -> Self:
        """The asynchronous face of an open memory."""
        face = cls()
        face._memory = memory
        face.restored = memory.restored
        return face

    async def _ready(self) -> Memory:
        async with self._lock:
            if self._memory is None:
                self._bridge = await _bridge_to(store_url(self._place))
                self._memory = await self._run(partial(self._open, bridge=self._bridge))
            return self._memory

    async def _run(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a verb on the loop where its waiting leaves the loop free, else in a thread."""
        if self._bridge is None:
            return await asyncio.to_thread(act, *args, **kwargs)
        return await self._bridge.run(act, *args, **kwargs)

    async def namespace(self, *parts: str) -> Self:
        """See `Memory.namespace`."""
        view = self.wrap((await self._ready()).namespace(*parts))
        view._bridge = self._bridge
        return view

    async def namespaces(self, *prefix: str) -> list[Namespace]:
        """See `Memory.namespaces`."""
        return await self._run((await self._ready()).namespaces, *prefix)

    async def remember(self, messages: Any, *, session: str = DEFAULT_SESSION, role: str = "user") -> Receipt:
        """See `Memory.remember`."""
        return await self._run((await self._ready()).remember, messages, session=session, role=role)

    async def note(self, text: str, *, kind: MemoryKind = "fact", **options: Any) -> str:
        """See `Memory.note`."""
        return await self._run((await self._ready()).note, text, kind=kind, **options)

    async def recall(
        self,
        query: str,
        *,
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        at: Moment | None = None,
        k: int | None = None,
        tiers: Sequence[Tier] | None = None,
        explain: bool = False,
        min_relevance: float = 0.0,
        coverage: float = 1.0,
        gate: bool = False,
        without: Sequence[str] = (),
        reread: int = 0,
        decompose: bool = False,
    ) -> Recall:
        """See `Memory.recall`."""
        return await self._run(
            (await self._ready()).recall,
            query,
            budget_tokens=budget_tokens,
            at=at,
            k=k,
            tiers=tiers,
            explain=explain,
            min_relevance=min_relevance,
            coverage=coverage,
            gate=gate,
            without=without,
            reread=reread,
            decompose=decompose,
        )

    async def recall_stream(
        self,
        query: str,
        *,
        mode: StreamMode = "append",
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        at: Moment | None = None,
        k: int | None = None,
        tiers: Sequence[Tier] | None = None,
        explain: bool = False,
        min_relevance: float = 0.0,
        coverage: float = 1.0,
        gate: bool = False,
        without: Sequence[str] = (),
        reread: int = 0,
        decompose: bool = False,
    ) -> AsyncIterator[RecallChunk]:
        """See `Memory.recall_stream`; what is wrong with the arguments is raised when the first chunk is asked for."""
        chunks = await self._run(
            (await self._ready()).recall_stream,
            query,
            mode=mode,
            budget_tokens=budget_tokens,
            at=at,
            k=k,
            tiers=tiers,
            explain=explain,
            min_relevance=min_relevance,
            coverage=coverage,
            gate=gate,
            without=without,
            reread=reread,
            decompose=decompose,
        )
        while (chunk := await self._run(next, chunks, None)) is not None:
            yield chunk

    async def forget(
        self,
        *,
        ids: Sequence[str] | None = None,
        session: str | None = None,
        before: Moment | None = None,
        about: str | None = None,
        everything: bool = False,
        dry_run: bool = False,
        vacuum: bool = False,
    ) -> ForgetReport:
        """See `Memory.forget`."""
        return await self._run(
            (await self._ready()).forget,
            ids=ids,
            session=session,
            before=before,
            about=about,
            everything=everything,
            dry_run=dry_run,
            vacuum=vacuum,
        )

    async def get(self, id: str) -> Event | Note | Episode:
        """See `Memory.get`."""
        return await self._run((await self._ready()).get, id)

    async def events(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Event]:
        """See `Memory.events`."""
        return await self._run(
            (await self._ready()).events, session=session, after_seq=after_seq, limit=limit
        )

    async def notes(self, *, at: Moment | None = None) -> list[Note]:
        """See `Memory.notes`."""
        return await self._run((await self._ready()).notes, at=at)

    async def episodes(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Episode]:
        """See `Memory.episodes`."""
        return await self._run(
            (await self._ready()).episodes, session=session, after_seq=after_seq, limit=limit
        )

    async def refine(self, *, limit: int | None = None) -> RefineReport:
        """See `Memory.refine`."""
        return await self._run((await self._ready()).refine, limit=limit)

    async def rebuild(self) -> int:
        """See `Memory.rebuild`."""
        return await self._run((await self._ready()).rebuild)

    async def entities(self, *names: str, limit: int | None = None) -> list[Entity]:
        """See `Memory.entities`."""
        return await self._run((await self._ready()).entities, *names, limit=limit)

    async def history(self, id: str) -> list[HistoryEntry]:
        """See `Memory.history`."""
        return await self._run((await self._ready()).history, id)

    async def stats(self) -> Stats:
        """See `Memory.stats`."""
        return await self._run((await self._ready()).stats)

    async def lifecycle(self) -> Lifecycle:
        """See `Memory.lifecycle`."""
        return await self._run((await self._ready()).lifecycle)

    async def maintain(self, *, dry_run: bool = False) -> Maintenance:
        """See `Memory.maintain`."""
        return await self._run((await self._ready()).maintain, dry_run=dry_run)

    async def check(self, *, deep: bool = False) -> list[str]:
        """See `Memory.check`."""
        return await self._run((await self._ready()).check, deep=deep)

    async def latents(self, place: str | None = None) -> AsyncLatents:
        """See `Memory.latents`."""
        return AsyncLatents(await self._run((await self._ready()).latents, place), self._run)

    async def export(
        self,
        path: str | Path,
        *,
        everything: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> ArchiveReport:
        """See `Memory.export`."""
        return await self._run((await self._ready()).export, path, everything=everything, progress=progress)

    async def import_(
        self, path: str | Path, *, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveReport:
        """See `Memory.import_`."""
        return await self._run((await self._ready()).import_, path, progress=progress)

    @classmethod
    async def restore(cls, path: str | Path, url: str | Path | None = None, **options: Any) -> Self:
        """See `Memory.restore`."""
        restored = await asyncio.to_thread(lambda: Memory.restore(path, url, **options))
        if not _has_bridge(store_url(url)):
            return cls.wrap(restored)
        await asyncio.to_thread(restored.close)
        for name in ("latents", "progress"):
            options.pop(name, None)
        memory = cls(url, **options)
        memory.restored = restored.restored
        return memory

    @classmethod
    async def reembed(
        cls, url: str | Path | None, *, embedder: str | Embedder, key: Key | None = None
    ) -> int:
        """See `Memory.reembed`."""
        return await asyncio.to_thread(lambda: Memory.reembed(url, embedder=embedder, key=key))

    async def reindex(self, *, embedder: str | Embedder | None = None) -> int:
        """See `Memory.reindex`."""
        return await self._run((await self._ready()).reindex, embedder=embedder)

    async def close(self) -> None:
        """See `Memory.close`."""
        if self._memory is not None:
            await self._run(self._memory.close)

    async def __aenter__(self) -> Self:
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _has_bridge(url: str) -> bool:
    return scheme_of(url) in names("bridges")


async def _bridge_to(url: str) -> AsyncBridge | None:
    """What runs verbs on the loop over this store, or None where it has no asynchronous form."""
    if not _has_bridge(url):
        return None
    bridge: AsyncBridge | None = await load("bridges", scheme_of(url))(url)
    return bridge
