"""Items in SQL: reading, replacing, deleting, expiring. Every function works on a connection it is given."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from agentmem.clock import from_micros
from agentmem.items import IndexedText, PutItem, StoredItem
from agentmem.types import Namespace

from .bulk import insert_rows
from .chunks import chunks
from .item_schema import item_removals, item_state, item_texts, items
from .namespaces import decode, encode

I = items.c  # noqa: E741  as in the other tables' modules
_KEEP_REMOVALS = 10_000
_SWEEP = 1_000
_FARTHEST = 2**62
_PAIRS = 250


class Row(NamedTuple):
    """An item as it is stored."""

    pk: int
    path: str
    key: str
    value: str
    created_at: int
    updated_at: int
    ttl_s: float | None
    expires_at: int | None

    def item(self, score: float | None = None) -> StoredItem:
        """The row as a value of its own."""
        return StoredItem(
            decode(self.path),
            self.key,
            json.loads(self.value),
            from_micros(self.created_at),
            from_micros(self.updated_at),
            score,
        )


_ALIVE = or_(I.expires_at.is_(None), I.expires_at > bindparam("now"))
_BELOW = (I.path >= bindparam("low")) & (I.path <= bindparam("high"))
_ROW = select(I.pk, I.path, I.key, I.value, I.created_at, I.updated_at, I.ttl_s, I.expires_at)
_ONE = _ROW.where(I.path == bindparam("path"), I.key == bindparam("key"), _ALIVE)
_SOME = _ROW.where(I.pk.in_(bindparam("pks", expanding=True)), _ALIVE)
_PAGE = _ROW.where(_BELOW, _ALIVE, I.pk > bindparam("after")).order_by(I.pk).limit(bindparam("most"))
_SLICE = _ROW.where(_BELOW, _ALIVE).order_by(I.pk).limit(bindparam("most")).offset(bindparam("skip"))
_PATHS = select(I.path).where(_BELOW, _ALIVE).distinct()
_EXPIRED = select(I.pk).where(I.expires_at <= bindparam("now")).limit(_SWEEP)
_NEXT = (
    update(item_state)
    .values(version=item_state.c.version + 1, last_pk=item_state.c.last_pk + bindparam("new"))
    .returning(item_state.c.version, item_state.c.last_pk)
)
_STATE_LOCK = select(item_state.c.pk).with_for_update()
_REFRESH = update(items).where(I.pk == bindparam("row")).values(expires_at=bindparam("until"))
_REPLACE = (
    update(items)
    .where(I.pk == bindparam("row"))
    .values(
        {name: bindparam(f"new_{name}") for name in ("value", "updated_at", "ttl_s", "expires_at", "version")}
    )
)
_TEXTS_OF = delete(item_texts).where(item_texts.c.item_pk.in_(bindparam("pks", expanding=True)))
_REMOVE = delete(items).where(I.pk.in_(bindparam("pks", expanding=True)))
_COUNT_REMOVALS = select(item_removals.c.version).order_by(item_removals.c.version.desc())


def span(prefix: Namespace) -> dict[str, str]:
    """The range of paths at and below a namespace: after a whole part only `,` and `]` may follow."""
    opened = encode(prefix)[:-1]
    return {"low": opened + "," if prefix else opened, "high": opened + "]" if prefix else "]"}


def one(connection: Connection, namespace: Namespace, key: str, now: int) -> Row | None:
    """The item under this key, or None."""
    row = connection.execute(_ONE, {"path": encode(namespace), "key": key, "now": now}).one_or_none()
    return None if row is None else Row(*row)


def by_pk(connection: Connection, pks: Sequence[int], now: int) -> dict[int, Row]:
    """Items by key of their row; what has expired or gone is absent."""
    return {
        row[0]: Row(*row)
        for chunk in chunks(pks)
        for row in connection.execute(_SOME, {"pks": chunk, "now": now})
    }


def page(connection: Connection, prefix: Namespace, skip: int, most: int, now: int) -> list[Row]:
    """Items at and below a namespace in the order of their first putting."""
    parameters = {**span(prefix), "now": now, "skip": skip, "most": most}
    return [Row(*row) for row in connection.execute(_SLICE, parameters)]


def every(connection: Connection, prefix: Namespace, now: int, first: int) -> Iterator[Row]:
    """All of them in that order, read `first` at a time and then more."""
    after = 0
    while True:
        parameters = {**span(prefix), "now": now, "after": after, "most": first}
        rows = connection.execute(_PAGE, parameters).all()
        yield from (Row(*row) for row in rows)
        if len(rows) < first:
            return
        after, first = rows[-1][0], min(first * 4, 4_096)


def paths(connection: Connection, prefix: Namespace, now: int) -> list[Namespace]:
    """The namespaces at and below `prefix` that hold an item."""
    return [decode(path) for path in connection.execute(_PATHS, {**span(prefix), "now": now}).scalars()]


def refresh(connection: Connection, rows: Iterable[Row], now: int) -> None:
    """Start the time to live of these anew."""
    moved = [{"row": row.pk, "until": until(now, row.ttl_s)} for row in rows if row.ttl_s is not None]
    if moved:
        connection.execute(_REFRESH, moved)


def until(now: int, seconds: float) -> int:
    """The moment so many seconds from now; in the farthest future a column can hold, at most."""
    return now + max(-now, min(round(seconds * 1e6), _FARTHEST - now))


class Write(NamedTuple):
    """One write: its number, when it happens, and the last key before those it may give out."""

    version: int
    now: int
    last_pk: int


def begin(connection: Connection, now: int, new: int = 0) -> Write:
    """Number a write that puts at most `new` items. Holds the row until the commit, so numbers follow the order
    of commits."""
    version, last_pk = connection.execute(_NEXT, {"new": new}).one()
    return Write(version, now, last_pk - new)


def wait_for_writers(connection: Connection) -> None:
    """Let no other write happen until the commit, without being one."""
    connection.execute(_STATE_LOCK)


def expired(connection: Connection, now: int) -> list[int]:
    """Rows whose time is over; a thousand at most."""
    return list(connection.execute(_EXPIRED, {"now": now}).scalars())


def remove(connection: Connection, pks: Sequence[int], write: Write) -> None:
    """Delete rows with all that was made from them, and tell the indexes."""
    for chunk in chunks(pks):
        connection.execute(_TEXTS_OF, {"pks": chunk})
        connection.execute(_REMOVE, {"pks": chunk})
        connection.execute(insert(item_removals), [{"item_pk": pk, "version": write.version} for pk in chunk])
    if pks and write.version % 100 == 0:
        _prune(connection)


def _prune(connection: Connection) -> None:
    """Keep the latest removals only; an index that is further behind starts over."""
    oldest = connection.execute(_COUNT_REMOVALS.offset(_KEEP_REMOVALS).limit(1)).scalar_one_or_none()
    if oldest is not None:
        connection.execute(delete(item_removals).where(item_removals.c.version <= oldest))
        connection.execute(update(item_state).values(pruned=oldest))


def put(connection: Connection, puts: Sequence[PutItem], write: Write) -> None:
    """Store, replace and delete; every `(namespace, key)` occurs once."""
    paths_of = {namespace: encode(namespace) for namespace in {op.namespace for op in puts}}
    held = _held(connection, puts, paths_of)
    gone: list[int] = []
    replaced: list[tuple[int, int, PutItem]] = []
    new: list[PutItem] = []
    for op in puts:
        pk, updated_at, expires_at = held.get((op.namespace, op.key), (None, 0, None))
        outlived = expires_at is not None and expires_at <= write.now
        if pk is not None and (op.value is None or outlived):
            gone.append(pk)
        if op.value is not None:
            if pk is None or outlived:
                new.append(op)
            else:
                replaced.append((pk, updated_at, op))
    remove(connection, gone, write)
    _replace(connection, replaced, write)
    _insert(connection, new, write, paths_of)


def _held(
    connection: Connection, puts: Sequence[PutItem], paths_of: Mapping[Namespace, str]
) -> dict[tuple[Namespace, str], tuple[int, int, int | None]]:
    wanted = {(paths_of[op.namespace], op.key): (op.namespace, op.key) for op in puts}
    return {
        wanted[path, key]: (pk, updated_at, expires_at)
        for chunk in chunks(list(wanted), _PAIRS)
        for pk, path, key, updated_at, expires_at in _lookup(connection, chunk)
    }


def _lookup(connection: Connection, pairs: Sequence[tuple[str, str]]) -> Iterable[Any]:
    # few sizes, so that the statements are few
    size = 1 if len(pairs) == 1 else _PAIRS
    padded = [*pairs, *[pairs[-1]] * (size - len(pairs))]
    statement = _lookup_of(connection.dialect.paramstyle, size)
    return connection.exec_driver_sql(statement, tuple(chain.from_iterable(padded)))


@cache
def _lookup_of(paramstyle: str, size: int) -> str:
    # a list of pairs with IN would read the whole table on SQLite
    pairs = ", ".join(["(?, ?)" if paramstyle == "qmark" else "(%s, %s)"] * size)
    return (
        f"WITH wanted(path, key) AS (VALUES {pairs}) "  # noqa: S608  only our own names
        "SELECT items.pk, items.path, items.key, items.updated_at, items.expires_at "
        "FROM wanted CROSS JOIN items WHERE items.path = wanted.path AND items.key = wanted.key"
    )


def _replace(connection: Connection, replaced: Sequence[tuple[int, int, PutItem]], write: Write) -> None:
    if not replaced:
        return
    for chunk in chunks([pk for pk, _, _ in replaced]):
        connection.execute(_TEXTS_OF, {"pks": chunk})
    connection.execute(
        _REPLACE,
        [
            {
                "row": pk,
                "new_value": op.value,
                # a clock may stand still or go back; an update is always later than what it updates
                "new_updated_at": max(write.now, updated_at + 1),
                "new_ttl_s": op.ttl_s,
                "new_expires_at": _expiry(op, write.now),
                "new_version": write.version,
            }
            for pk, updated_at, op in replaced
        ],
    )
    _insert_texts(connection, ((pk, op.texts) for pk, _, op in replaced))


def _insert(
    connection: Connection, new: Sequence[PutItem], write: Write, paths_of: Mapping[Namespace, str]
) -> None:
    if not new:
        return
    now, version = write.now, write.version
    insert_rows(
        connection,
        items,
        ("pk", "path", "key", "value", "created_at", "updated_at", "ttl_s", "expires_at", "version"),
        [
            (pk, paths_of[op.namespace], op.key, op.value, now, now, op.ttl_s, _expiry(op, now), version)
            for pk, op in enumerate(new, write.last_pk + 1)
        ],
    )
    _insert_texts(connection, ((pk, op.texts) for pk, op in enumerate(new, write.last_pk + 1)))


def _insert_texts(connection: Connection, texts: Iterable[tuple[int, Sequence[IndexedText]]]) -> None:
    rows = [
        (pk, " ".join(text.terms), None if text.vector is None else text.vector.tobytes())
        for pk, of_item in texts
        for text in of_item
    ]
    if rows:
        insert_rows(connection, item_texts, ("item_pk", "terms", "vector"), rows)


def _expiry(op: PutItem, now: int) -> int | None:
    return None if op.ttl_s is None else until(now, op.ttl_s)
