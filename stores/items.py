"""`agentmem.items.ItemStore` over any SQL database: one transaction per call, reads before writes."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime

from sqlalchemy import Connection, select, update

from agentmem.clock import to_micros
from agentmem.errors import EmbedderMismatchError, ReadOnlyStoreError
from agentmem.items import GetItem, ItemAnswer, ItemOp, ListNamespaces, PutItem, SearchItems
from agentmem.types import Namespace

from . import item_rows
from .item_filter import check, passes
from .item_index import ItemIndex
from .item_rows import Row
from .item_schema import item_state
from .parts import Database
from .sql import SqlStore

_CHUNK = 64


def items_of(store: SqlStore) -> SqlItems:
    """The items of an open store; they share its database and end with it."""
    return SqlItems(store.database)


class SqlItems:
    """Implements `agentmem.items.ItemStore`."""

    def __init__(
        self,
        database: Database,
        index: ItemIndex | None = None,
        turns: AbstractContextManager[object] | None = None,
    ) -> None:
        self._database = database
        self._index = index or ItemIndex()
        # of many questions that find much to take in, one reads it
        self._turns = turns or threading.Lock()

    def run(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        moment = to_micros(now)
        for op in ops:
            if isinstance(op, SearchItems) and op.filter:
                check(op.filter)
        puts = list({(op.namespace, op.key): op for op in ops if isinstance(op, PutItem)}.values())
        if not puts:
            with self._database.read() as connection:
                answers, seen = self._answer(connection, ops, moment)
            if seen:
                # on a replica, times to live run on from the last write or read elsewhere
                with suppress(ReadOnlyStoreError):
                    self._refresh(seen, moment)
            return answers
        with self._database.write(alone=False) as connection:
            # first, so that of two writers on any database the later one waits here
            write = item_rows.begin(connection, moment, len(puts))
            answers, seen = self._answer(connection, ops, moment, write.version - 1)
            item_rows.refresh(connection, seen, moment)
            item_rows.remove(connection, item_rows.expired(connection, moment), write)
            item_rows.put(connection, puts, write)
        return answers

    def _refresh(self, seen: Sequence[Row], now: int) -> None:
        with self._database.write(alone=False) as connection:
            item_rows.wait_for_writers(connection)
            current = item_rows.by_pk(connection, [row.pk for row in seen], now)
            item_rows.refresh(connection, current.values(), now)

    async def arun(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        # SQLite has no asynchronous form
        return await asyncio.to_thread(self.run, ops, now)

    def bind(self, dims: int, embedder: str = "") -> None:
        state = item_state.c
        with self._database.read() as connection:
            stored_dims, stored = connection.execute(select(state.dims, state.embedder)).one()
        if not stored_dims:
            with self._database.write(alone=False) as connection:
                connection.execute(
                    update(item_state).where(state.dims == 0).values(dims=dims, embedder=embedder)
                )
                stored_dims, stored = connection.execute(select(state.dims, state.embedder)).one()
        # a function the user brought has no name to compare
        if stored_dims != dims or (stored and embedder and stored != embedder):
            raise EmbedderMismatchError(
                stored or "another index",
                stored_dims,
                embedder or "this index",
                dims,
                "open it with the index it was filled with, or fill a new store: copy_items(old, new)",
            )

    def sweep(self, now: datetime) -> int:
        moment = to_micros(now)
        swept = 0
        while True:
            with self._database.read() as connection:
                if not item_rows.expired(connection, moment):
                    return swept
            with self._database.write(alone=False) as connection:
                write = item_rows.begin(connection, moment)
                pks = item_rows.expired(connection, moment)
                item_rows.remove(connection, pks, write)
            swept += len(pks)

    def close(self) -> None:
        """Nothing is its own."""

    def _answer(
        self, connection: Connection, ops: Sequence[ItemOp], now: int, until: int | None = None
    ) -> tuple[list[ItemAnswer], list[Row]]:
        """An answer per operation, and the rows read whose time to live starts anew.

        `until` is the last write before the one that this connection makes, if it makes one.
        """
        answers: list[ItemAnswer] = []
        seen: list[Row] = []
        for op in ops:
            found: list[tuple[Row, float | None]] = []
            if isinstance(op, GetItem):
                row = item_rows.one(connection, op.namespace, op.key, now)
                found = [] if row is None else [(row, None)]
                answers.append(None if row is None else row.item())
            elif isinstance(op, SearchItems):
                found = self._search(connection, op, now, until)
                answers.append([row.item(score) for row, score in found])
            elif isinstance(op, ListNamespaces):
                answers.append(_namespaces(connection, op, now))
            else:
                answers.append(None)
            if isinstance(op, GetItem | SearchItems) and op.refresh:
                seen.extend(row for row, _ in found if row.ttl_s is not None)
        return answers, seen

    def _search(
        self, connection: Connection, op: SearchItems, now: int, until: int | None
    ) -> list[tuple[Row, float | None]]:
        if not op.limit:
            return []
        if op.terms or op.vector is not None:
            with self._turns:
                self._index.follow(connection, until)
            ranked = self._ranked(connection, op, now)
        elif not op.filter:
            rows = item_rows.page(connection, op.prefix, op.offset, op.limit, now)
            return [(row, None) for row in rows]
        else:
            every = item_rows.every(connection, op.prefix, now, max(_CHUNK, op.offset + op.limit))
            ranked = ((row, None) for row in every)
        return _page(ranked, op)

    def _ranked(
        self, connection: Connection, op: SearchItems, now: int
    ) -> Iterator[tuple[Row, float | None]]:
        size = op.offset + op.limit
        for ranking in self._index.rank(op.prefix, op.terms, op.vector, size):
            start = 0
            while start < len(ranking):
                chunk = ranking[start : start + size]
                rows = item_rows.by_pk(connection, [pk for pk, _ in chunk], now)
                yield from ((rows[pk], score) for pk, score in chunk if pk in rows)
                start, size = start + size, max(size, _CHUNK) * 2


def _page(ranked: Iterator[tuple[Row, float | None]], op: SearchItems) -> list[tuple[Row, float | None]]:
    found: list[tuple[Row, float | None]] = []
    skip = op.offset
    for row, score in ranked:
        if op.filter and not passes(json.loads(row.value), op.filter):
            continue
        if skip:
            skip -= 1
            continue
        found.append((row, score))
        if len(found) == op.limit:
            break
    return found


def _namespaces(connection: Connection, op: ListNamespaces, now: int) -> list[Namespace]:
    found = {
        namespace[: op.max_depth]
        for namespace in item_rows.paths(connection, _literal_prefix(op), now)
        if all(_matches(namespace, kind, path) for kind, path in op.conditions)
    }
    return sorted(found)[op.offset : op.offset + op.limit]


def _literal_prefix(op: ListNamespaces) -> Namespace:
    """What every answer starts with, as far as it is said without wildcards."""
    for kind, path in op.conditions:
        if kind == "prefix":
            return path[: path.index("*")] if "*" in path else path
    return ()


def _matches(namespace: Namespace, kind: str, path: Namespace) -> bool:
    if len(namespace) < len(path):
        return False
    part = namespace[: len(path)] if kind == "prefix" else namespace[len(namespace) - len(path) :]
    return all(wanted in ("*", given) for wanted, given in zip(path, part, strict=True))
