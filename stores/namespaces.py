"""Namespaces as rows: an unambiguous text for a tuple of strings, and its counters."""

from __future__ import annotations

import json
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, update

from agentmem.types import Namespace

from . import schema


class NamespaceRow(NamedTuple):
    """A namespace's key and counters."""

    pk: int
    next_seq: int
    passages: int
    terms: int
    epoch: int


def encode(namespace: Namespace) -> str:
    """JSON, so that no part can pass for two and no prefix for a sibling."""
    return json.dumps(list(namespace), ensure_ascii=True, separators=(",", ":"))


def decode(path: str) -> Namespace:
    """The inverse of `encode`."""
    return tuple(json.loads(path))


_COLUMNS = (
    schema.namespaces.c.pk,
    schema.namespaces.c.next_seq,
    schema.namespaces.c.passages,
    schema.namespaces.c.terms,
    schema.namespaces.c.epoch,
)
# asked in every transaction, and putting it together takes longer than answering it
_FIND = select(*_COLUMNS).where(schema.namespaces.c.path == bindparam("path"))


def find(connection: Connection, namespace: Namespace) -> NamespaceRow | None:
    """The row of a namespace, or None while nothing was stored there."""
    row = connection.execute(_FIND, {"path": encode(namespace)}).one_or_none()
    return None if row is None else NamespaceRow(*row)


def find_or_add(connection: Connection, namespace: Namespace) -> NamespaceRow:
    """The row of a namespace, made if need be; the caller holds the write lock."""
    row = find(connection, namespace)
    if row is None:
        connection.execute(insert(schema.namespaces).values(path=encode(namespace)))
        row = find(connection, namespace)
        assert row is not None
    return row


def count(connection: Connection, pk: int, *, seqs: int = 0, passages: int = 0, terms: int = 0) -> None:
    """Move the counters; a removal (negative `passages`) also moves the epoch."""
    columns = schema.namespaces.c
    connection.execute(
        update(schema.namespaces)
        .where(columns.pk == pk)
        .values(
            next_seq=columns.next_seq + seqs,
            passages=columns.passages + passages,
            terms=columns.terms + terms,
            epoch=columns.epoch + (1 if passages < 0 else 0),
        )
    )


def epoch(connection: Connection, pk: int) -> int:
    """A namespace's epoch now; -1 where there is no such namespace."""
    found = connection.execute(
        select(schema.namespaces.c.epoch).where(schema.namespaces.c.pk == pk)
    ).scalar_one_or_none()
    return -1 if found is None else int(found)


def below(connection: Connection, prefix: Namespace) -> list[Namespace]:
    """Every namespace that starts with these parts, sorted."""
    paths = schema.namespaces.c.path
    statement = select(paths)
    if prefix:
        opened = encode(prefix)[:-1]
        # "," and "]" are the only characters that may follow a whole part
        statement = statement.where(
            (paths == opened + "]") | ((paths >= opened + ",") & (paths < opened + "-"))
        )
    return sorted(decode(path) for path in connection.execute(statement).scalars())


def holding(connection: Connection, passages: int) -> set[Namespace]:
    """The namespaces that hold at least so many passages."""
    columns = schema.namespaces.c
    found = connection.execute(select(columns.path).where(columns.passages >= passages)).scalars()
    return {decode(path) for path in found}
