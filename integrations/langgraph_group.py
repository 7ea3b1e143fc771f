"""Lets asynchronous puts that wait for the database at one time go into it in one transaction.

A commit costs a sync to the disk whatever it holds, so a hundred puts gathered in one `asyncio.gather` take about as
long as one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from agentmem.items import PutItem

Write = Callable[[Sequence[PutItem]], Awaitable[object]]
_MOST = 1_000


class PutGroups:
    """One group at a time on each event loop. `write` stores puts, all or none."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._of_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, _Groups] = WeakKeyDictionary()

    async def put(self, puts: Sequence[PutItem]) -> None:
        """Store these, all or none; they share no key with others that wait."""
        loop = asyncio.get_running_loop()
        await self._of_loop.setdefault(loop, _Groups(self._write)).put(puts)


@dataclass(eq=False, slots=True)
class _Call:
    puts: Sequence[PutItem]
    done: asyncio.Future[None]


class _Groups:
    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: list[_Call] = []
        self._written: list[_Call] = []
        self._writing: asyncio.Future[object] | None = None
        self._worker: asyncio.Task[None] | None = None

    async def put(self, puts: Sequence[PutItem]) -> None:
        call = _Call(puts, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._work())
        try:
            await call.done
        except asyncio.CancelledError:
            # what nobody waits for any more is undone; what others wait for, too, is not
            if self._writing is not None and all(other.done.cancelled() for other in self._written):
                self._writing.cancel()
            raise

    async def _work(self) -> None:
        try:
            while group := self._next():
                self._written = group
                failed = await self._store(group)
                if failed is not None and len(group) > 1:
                    # one of them is to blame, and only that one's caller is to hear of it
                    for call in group:
                        self._written = [call]
                        _finish([call], None if call.done.done() else await self._store([call]))
                else:
                    _finish(group, failed)
        except asyncio.CancelledError:
            # the loop is ending
            for call in (*self._written, *self._waiting):
                call.done.cancel()
            raise
        finally:
            self._worker = None

    def _next(self) -> list[_Call]:
        group: list[_Call] = []
        size = 0
        while self._waiting and size < _MOST:
            call = self._waiting.pop(0)
            if not call.done.done():
                group.append(call)
                size += len(call.puts)
        return group

    async def _store(self, group: Sequence[_Call]) -> BaseException | None:
        """What went wrong, if anything."""
        writing = self._writing = asyncio.ensure_future(
            self._write([put for call in group for put in call.puts])
        )
        try:
            await asyncio.wait([writing])
        except asyncio.CancelledError:
            writing.cancel()
            raise
        finally:
            self._writing = None
        return asyncio.CancelledError() if writing.cancelled() else writing.exception()


def _finish(group: Sequence[_Call], failed: BaseException | None) -> None:
    for call in group:
        if call.done.done():
            continue
        if failed is None:
            call.done.set_result(None)
        else:
            call.done.set_exception(failed)
