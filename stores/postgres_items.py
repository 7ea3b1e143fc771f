"""Items on PostgreSQL: synchronous calls over the store's connections, asynchronous ones over awaited ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from agentmem.items import ItemAnswer, ItemOp

from .item_index import ItemIndex
from .items import SqlItems
from .own_loop import OwnLoop
from .postgres_async import LoopLock
from .postgres_store import PostgresStore


def items_of(store: PostgresStore) -> PostgresItems:
    """The items of an open store; they share its database."""
    return PostgresItems(store)


class PostgresItems:
    """Implements `agentmem.items.ItemStore`.

    Both kinds of call may be mixed, also on one event loop: the awaited ones run on a loop of their own, so a
    synchronous call that stops the caller's loop never stops one that it waits for.
    """

    def __init__(self, store: PostgresStore) -> None:
        index = ItemIndex()
        self._plain = SqlItems(store.database, index)
        self._loop = OwnLoop()
        self._database = store.database.awaited()
        self._awaited = SqlItems(self._database, index, LoopLock())

    def run(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        return self._plain.run(ops, now)

    async def arun(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        return await self._loop.run(self._awaited.run, ops, now)

    def bind(self, dims: int, embedder: str = "") -> None:
        self._plain.bind(dims, embedder)

    def sweep(self, now: datetime) -> int:
        return self._plain.sweep(now)

    def close(self) -> None:
        self._loop.close(self._database.close)
