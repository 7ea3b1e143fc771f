"""What a store holds, in numbers, and its settings."""

from __future__ import annotations

from sqlalchemy import Connection, delete, distinct, func, insert, select

from agentmem.clock import from_micros
from agentmem.types import Namespace, Stats

from . import namespaces, schema, vectors
from .namespaces import NamespaceRow
from .parts import Database

E = schema.events.c
M = schema.memories.c
V = schema.vectors.c


def meta(connection: Connection, key: str) -> str | None:
    """A store-wide setting."""
    value: str | None = connection.execute(
        select(schema.meta.c.value).where(schema.meta.c.key == key)
    ).scalar_one_or_none()
    return value


def set_meta(connection: Connection, key: str, value: str) -> None:
    """Record a store-wide setting; the caller holds the write lock."""
    connection.execute(delete(schema.meta).where(schema.meta.c.key == key))
    connection.execute(insert(schema.meta).values(key=key, value=value))


def stats(connection: Connection, namespace: Namespace, row: NamespaceRow | None) -> Stats:
    """What a namespace holds; bytes and URL are the database's to tell."""
    active = vectors.active_embedder(connection)
    pk = -1 if row is None else row.pk
    total, sessions, tokens, first, last = connection.execute(
        select(
            func.count(),
            func.count(distinct(E.session)),
            func.coalesce(func.sum(E.token_count), 0),
            func.min(E.occurred_at),
            func.max(E.occurred_at),
        ).where(E.namespace_pk == pk)
    ).one()
    memories = connection.execute(
        select(func.count()).select_from(schema.memories).where(M.namespace_pk == pk)
    ).scalar_one()
    embedded = connection.execute(
        select(func.count())
        .select_from(schema.vectors)
        .where(V.namespace_pk == pk, V.embedder_pk == (-1 if active is None else active[0]))
    ).scalar_one()
    return Stats(
        namespace=namespace,
        events=total,
        sessions=sessions,
        memories=memories,
        passages=0 if row is None else row.passages,
        vectors=embedded,
        tokens=int(tokens),
        first_at=None if first is None else from_micros(first),
        last_at=None if last is None else from_micros(last),
        embedder="" if active is None else active[1],
        dims=0 if active is None else active[2],
        store_bytes=0,
        url="",
    )


def state(database: Database, namespace_pk: int) -> tuple[int, int]:
    """How the database stands now: a namespace's epoch, and the key of the embedder in use."""
    with database.read() as connection:
        active = vectors.active_embedder(connection)
        return namespaces.epoch(connection, namespace_pk), 0 if active is None else active[0]
