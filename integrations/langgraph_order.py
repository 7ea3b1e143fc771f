"""Keeps asynchronous puts of one key in the order in which they were called, however long each one embeds."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Hashable
from types import TracebackType
from typing import Self

Last = asyncio.Future[None]


class PutOrder:
    """Calls on one event loop wait for earlier ones of the same keys; calls on different loops have no order."""

    def __init__(self) -> None:
        self._last: dict[Hashable, Last] = {}

    def join(self, keys: Collection[Hashable]) -> Turn:
        """Take a place behind every earlier call that puts one of these keys. Returns at once."""
        loop = asyncio.get_running_loop()
        # other loops run in other threads; an entry of a loop that died may bear the name of a new one
        keys = [(id(loop), key) for key in keys]
        before = {last for key in keys if (last := self._last.get(key)) and last.get_loop() is loop}
        mine: Last = loop.create_future()
        self._last.update(dict.fromkeys(keys, mine))
        return Turn(self, keys, before, mine)

    def leave(self, keys: Collection[Hashable], mine: Last) -> None:
        """Forget a call that has ended, unless a later one has its place."""
        for key in keys:
            if self._last.get(key) is mine:
                del self._last[key]


class Turn:
    """A place in the order, given up when the block it is used for is left."""

    def __init__(
        self, order: PutOrder, keys: Collection[Hashable], before: Collection[Last], mine: Last
    ) -> None:
        self._order = order
        self._keys = keys
        self._before = before
        self._mine = mine

    async def come(self) -> None:
        """Wait until every earlier call has ended."""
        if self._before:
            await asyncio.wait(self._before)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # one that was cancelled while it waited must not let a later one go before the earlier ones
        waiting = {last for last in self._before if not last.done()}

        def ended(last: Last) -> None:
            waiting.discard(last)
            if not waiting:
                self._finish()

        for last in list(waiting):
            last.add_done_callback(ended)
        if not waiting:
            self._finish()

    def _finish(self) -> None:
        if not self._mine.done():
            self._mine.set_result(None)
            self._order.leave(self._keys, self._mine)
