"""`AsyncMemory`: the verbs of `Memory` as coroutines.

A thin face over the same code: SQLite and local embedders have no asynchronous form, so each call runs in a
worker thread and the event loop stays free.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentmem.config import DEFAULT_NAMESPACE
from agentmem.contracts import Embedder
from agentmem.memory import DEFAULT_BUDGET_TOKENS, DEFAULT_SESSION, Memory, Moment
from agentmem.types import (
    ArchiveReport,
    Entity,
    Episode,
    Event,
    ForgetReport,
    HistoryEntry,
    MemoryKind,
    Namespace,
    Note,
    Recall,
    Receipt,
    Stats,
    Tier,
)


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
        self._open: Callable[[], Memory] = lambda: Memory(url, namespace=namespace, **options)
        self._memory: Memory | None = None
        self._lock = asyncio.Lock()

    @classmethod
    def wrap(cls, memory: Memory) -> Self:
        """The asynchronous face of an open memory."""
        face = cls()
        face._memory = memory
        return face

    async def _ready(self) -> Memory:
        async with self._lock:
            if self._memory is None:
                self._memory = await asyncio.to_thread(self._open)
            return self._memory

    async def namespace(self, *parts: str) -> Self:
        """See `Memory.namespace`."""
        return self.wrap((await self._ready()).namespace(*parts))

    async def namespaces(self, *prefix: str) -> list[Namespace]:
        """See `Memory.namespaces`."""
        return await asyncio.to_thread((await self._ready()).namespaces, *prefix)

    async def remember(self, messages: Any, *, session: str = DEFAULT_SESSION, role: str = "user") -> Receipt:
        """See `Memory.remember`."""
        return await asyncio.to_thread((await self._ready()).remember, messages, session=session, role=role)

    async def note(self, text: str, *, kind: MemoryKind = "fact", **options: Any) -> str:
        """See `Memory.note`."""
        return await asyncio.to_thread((await self._ready()).note, text, kind=kind, **options)

    async def recall(
        self,
        query: str,
        *,
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        at: Moment | None = None,
        k: int | None = None,
        tiers: Sequence[Tier] | None = None,
        explain: bool = False,
    ) -> Recall:
        """See `Memory.recall`."""
        return await asyncio.to_thread(
            (await self._ready()).recall,
            query,
            budget_tokens=budget_tokens,
            at=at,
            k=k,
            tiers=tiers,
            explain=explain,
        )

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
        return await asyncio.to_thread(
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
        return await asyncio.to_thread((await self._ready()).get, id)

    async def events(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Event]:
        """See `Memory.events`."""
        return await asyncio.to_thread(
            (await self._ready()).events, session=session, after_seq=after_seq, limit=limit
        )

    async def notes(self) -> list[Note]:
        """See `Memory.notes`."""
        return await asyncio.to_thread((await self._ready()).notes)

    async def episodes(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Episode]:
        """See `Memory.episodes`."""
        return await asyncio.to_thread(
            (await self._ready()).episodes, session=session, after_seq=after_seq, limit=limit
        )

    async def rebuild(self) -> int:
        """See `Memory.rebuild`."""
        return await asyncio.to_thread((await self._ready()).rebuild)

    async def entities(self, *names: str, limit: int | None = None) -> list[Entity]:
        """See `Memory.entities`."""
        return await asyncio.to_thread((await self._ready()).entities, *names, limit=limit)

    async def history(self, id: str) -> list[HistoryEntry]:
        """See `Memory.history`."""
        return await asyncio.to_thread((await self._ready()).history, id)

    async def stats(self) -> Stats:
        """See `Memory.stats`."""
        return await asyncio.to_thread((await self._ready()).stats)

    async def check(self, *, deep: bool = False) -> list[str]:
        """See `Memory.check`."""
        return await asyncio.to_thread((await self._ready()).check, deep=deep)

    async def export(self, path: str | Path, *, everything: bool = False) -> ArchiveReport:
        """See `Memory.export`."""
        return await asyncio.to_thread((await self._ready()).export, path, everything=everything)

    async def import_(self, path: str | Path) -> ArchiveReport:
        """See `Memory.import_`."""
        return await asyncio.to_thread((await self._ready()).import_, path)

    @classmethod
    async def restore(cls, path: str | Path, url: str | Path | None = None, **options: Any) -> Self:
        """See `Memory.restore`."""
        return cls.wrap(await asyncio.to_thread(lambda: Memory.restore(path, url, **options)))

    @classmethod
    async def reembed(cls, url: str | Path | None, *, embedder: str | Embedder) -> int:
        """See `Memory.reembed`."""
        return await asyncio.to_thread(lambda: Memory.reembed(url, embedder=embedder))

    async def reindex(self, *, embedder: str | Embedder | None = None) -> int:
        """See `Memory.reindex`."""
        return await asyncio.to_thread((await self._ready()).reindex, embedder=embedder)

    async def close(self) -> None:
        """See `Memory.close`."""
        if self._memory is not None:
            await asyncio.to_thread(self._memory.close)

    async def __aenter__(self) -> Self:
        await self._ready()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
