"""Vectors made after the fact: for passages still waiting, and for all when the embedder changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, select

from agentmem.clock import from_micros
from agentmem.contracts import Vectors
from agentmem.faults import point
from agentmem.types import Namespace
from agentmem.write.passages import event_passages, note_passage

from . import log, namespaces, pieces, schema, vectors
from .chunks import chunks
from .parts import Database
from .records import to_note

P = schema.passages.c
E = schema.events.c
V = schema.vectors.c
# asked before every recall
_UNEMBEDDED = (
    select(P.pk, P.index_text).where(P.index_text.is_not(None)).order_by(P.pk).limit(bindparam("limit"))
)
_UNEMBEDDED_OF = _UNEMBEDDED.where(P.namespace_pk == bindparam("namespace"))


def unembedded(connection: Connection, namespace: Namespace | None, limit: int) -> list[tuple[int, str]]:
    """Keys and index texts of passages that still need a vector."""
    if namespace is None:
        found = connection.execute(_UNEMBEDDED, {"limit": limit})
    elif (row := namespaces.find(connection, namespace)) is not None:
        found = connection.execute(_UNEMBEDDED_OF, {"limit": limit, "namespace": row.pk})
    else:
        return []
    return [(key, text) for key, text in found]


def add_vectors(connection: Connection, embedder_pk: int | None, keys: Sequence[int], rows: Vectors) -> None:
    """Attach vectors to passages that wait for one; one forgotten meanwhile is skipped."""
    data = dict(zip(keys, rows, strict=True))
    waiting: dict[int, int] = {}
    for chunk in chunks(keys):
        found = connection.execute(
            select(P.pk, P.namespace_pk).where(P.pk.in_(chunk), P.index_text.is_not(None))
        )
        waiting.update((row.pk, row.namespace_pk) for row in found)
    vectors.add(connection, embedder_pk, [(ns, key, data[key].tobytes()) for key, ns in waiting.items()])
    point("embed.vectors_added")
    log.mark_embedded(connection, list(waiting))


def passage_texts(database: Database, batch: int, lacking: str) -> Iterator[list[tuple[int, str]]]:
    """Keys and index texts of the passages without a vector of this embedder, read anew from events and notes."""
    last = 0
    with database.read() as connection:
        # what is written meanwhile is left to the switch, or a busy store would never come to it
        until = connection.execute(select(func.max(P.pk))).scalar() or 0
    while True:
        with database.read() as connection:
            rows = connection.execute(
                _lacking(lacking, P.pk, P.event_pk, P.memory_pk, P.start)
                .where(P.pk > last, P.pk <= until)
                .order_by(P.pk)
                .limit(batch)
            ).all()
            if not rows:
                return
            last = rows[-1].pk
            texts = _index_texts(connection, rows)
        yield [(row.pk, texts[row.pk]) for row in rows if row.pk in texts]


def count_lacking(connection: Connection, embedder: str) -> int:
    """How many passages have no vector of this embedder."""
    return int(connection.execute(_lacking(embedder, func.count())).scalar_one())


def _lacking(embedder: str, *columns: Any) -> Select[Any]:
    made = (
        select(V.passage_pk)
        .join(schema.embedders, schema.embedders.c.pk == V.embedder_pk)
        .where(V.passage_pk == P.pk, schema.embedders.c.name == embedder)
    )
    return select(*columns).select_from(schema.passages).where(~made.exists())


def texts_of(connection: Connection, keys: Sequence[int]) -> list[tuple[int, str]]:
    """Keys and index texts of these passages, read anew from events and notes."""
    return [
        found
        for chunk in chunks(keys)
        for found in _index_texts(
            connection,
            connection.execute(
                select(P.pk, P.event_pk, P.memory_pk, P.start).where(P.pk.in_(chunk)).order_by(P.pk)
            ).all(),
        ).items()
    ]


def _index_texts(connection: Connection, rows: Sequence[Row[Any, Any, Any, Any]]) -> dict[int, str]:
    found: dict[int, str] = {}
    by_event: dict[int, dict[int, int]] = {}
    for row in rows:
        if row.event_pk is not None:
            by_event.setdefault(row.event_pk, {})[row.start] = row.pk
    for chunk in chunks(list(by_event)):
        for event in connection.execute(select(schema.events).where(E.pk.in_(chunk))):
            for passage in event_passages(
                event.name or event.role, from_micros(event.occurred_at), event.content
            ):
                if passage.start in by_event[event.pk]:
                    found[by_event[event.pk][passage.start]] = passage.index_text
    by_memory = {row.memory_pk: row.pk for row in rows if row.memory_pk is not None}
    for chunk in chunks(list(by_memory)):
        for memory in connection.execute(select(schema.memories).where(schema.memories.c.pk.in_(chunk))):
            found[by_memory[memory.pk]] = note_passage(to_note(memory, (), ())).index_text
    return found


def replace_vectors(
    database: Database, name: str, dims: int, batches: Iterator[tuple[list[int], Vectors]]
) -> tuple[int, int]:
    """Store another embedder's vectors beside the old ones, then switch; returns count and embedder key.

    The old vectors serve until the switch. What an interrupted run has stored counts as done.
    """
    with database.write() as connection:
        new = vectors.add_embedder(connection, name, dims)
    point("reindex.embedder_added")
    count = 0
    for keys, rows in batches:
        with database.write() as connection:
            done = _with_vector(connection, new, keys)
            owners = _namespaces_of(connection, keys)
            fresh = [
                (owners[key], key, row.tobytes())
                for key, row in zip(keys, rows, strict=True)
                if key not in done and key in owners
            ]
            vectors.add(connection, new, fresh)
            point("reindex.batch_added")
        point("reindex.batch_committed")
        count += len(keys)
    with database.write() as connection:
        vectors.activate(connection, new)
        point("reindex.switched")
        connection.execute(delete(schema.vectors).where(V.embedder_pk != new))
        connection.execute(delete(schema.pieces).where(schema.pieces.c.embedder_pk != new))
        point("reindex.old_removed")
        connection.execute(schema.namespaces.update().values(epoch=schema.namespaces.c.epoch + 1))
        _queue_missing(connection, new)
        point("reindex.missing_queued")
    point("reindex.committed")
    return count, new


def without_pieces(database: Database, embedder_pk: int, after: int, limit: int) -> list[tuple[int, str]]:
    """Keys and index texts of passages with a vector of this embedder but no word pieces."""
    with database.read() as connection:
        keys = pieces.missing(connection, embedder_pk, after, limit)
        found = [
            row
            for chunk in chunks(keys)
            for row in connection.execute(
                select(P.pk, P.event_pk, P.memory_pk, P.start).where(P.pk.in_(chunk)).order_by(P.pk)
            )
        ]
        texts = _index_texts(connection, found)
    return [(key, texts[key]) for key in keys if key in texts]


def add_pieces(connection: Connection, name: str, keys: Sequence[int], found: Sequence[Vectors]) -> None:
    """Word pieces by the embedder of this name; a passage that is gone, or has some already, is skipped."""
    columns = schema.embedders.c
    embedder_pk = connection.execute(select(columns.pk).where(columns.name == name)).scalar()
    owners = _namespaces_of(connection, keys)
    there = {
        key
        for chunk in chunks(keys)
        for key in connection.execute(
            select(schema.pieces.c.passage_pk).where(
                schema.pieces.c.passage_pk.in_(chunk), schema.pieces.c.embedder_pk == embedder_pk
            )
        ).scalars()
    }
    fresh = [(key, rows) for key, rows in zip(keys, found, strict=True) if key in owners and key not in there]
    pieces.add(connection, embedder_pk, [(owners[key], key) for key, _ in fresh], [rows for _, rows in fresh])


def _with_vector(connection: Connection, embedder_pk: int, keys: Sequence[int]) -> set[int]:
    return {
        key
        for chunk in chunks(keys)
        for key in connection.execute(
            select(V.passage_pk).where(V.passage_pk.in_(chunk), V.embedder_pk == embedder_pk)
        ).scalars()
    }


def _namespaces_of(connection: Connection, keys: Sequence[int]) -> dict[int, int]:
    return {
        row.pk: row.namespace_pk
        for chunk in chunks(keys)
        for row in connection.execute(select(P.pk, P.namespace_pk).where(P.pk.in_(chunk)))
    }


def _queue_missing(connection: Connection, embedder_pk: int) -> None:
    """Passages stored by others during the move still need the new vector."""
    missing = connection.execute(
        select(P.pk, P.event_pk, P.memory_pk, P.start)
        .outerjoin(schema.vectors, (V.passage_pk == P.pk) & (V.embedder_pk == embedder_pk))
        .where(V.pk.is_(None))
    ).all()
    texts = _index_texts(connection, missing)
    log.mark_embedded(
        connection,
        list(
            connection.execute(
                select(V.passage_pk)
                .join(schema.passages, P.pk == V.passage_pk)
                .where(P.index_text.is_not(None), V.embedder_pk == embedder_pk)
            ).scalars()
        ),
    )
    for key, text in texts.items():
        connection.execute(schema.passages.update().where(P.pk == key).values(index_text=text))
