"""Semantic memories and the history of every record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from agentmem.clock import from_micros, to_micros
from agentmem.contracts import Passage, Vectors
from agentmem.errors import DuplicateIdError, InvalidInputError
from agentmem.faults import point
from agentmem.types import HistoryEntry, Namespace, Note

from . import log, namespaces, schema, vectors
from .chunks import chunks
from .records import sources_of, to_note

M = schema.memories.c
E = schema.events.c
C = schema.changes.c


def add(
    connection: Connection, note: Note, passage: Passage, vector: Vectors | None, embedder_pk: int | None
) -> None:
    """Store a note with its sources and index rows; the caller holds the write lock."""
    namespace_pk = namespaces.find_or_add(connection, note.namespace).pk
    taken = (
        select(M.pk).where(M.namespace_pk == namespace_pk, M.id == note.id),
        select(E.pk).where(E.namespace_pk == namespace_pk, E.id == note.id),
    )
    if any(connection.execute(statement).first() for statement in taken):
        raise DuplicateIdError(note.id)
    event_pks = _event_pks(connection, namespace_pk, note.source_ids)
    memory_pk: int = connection.execute(
        insert(schema.memories).returning(M.pk), _values(namespace_pk, note)
    ).scalar_one()
    point("note.added")
    if event_pks:
        connection.execute(
            insert(schema.sources),
            [
                {"memory_pk": memory_pk, "event_pk": event_pk, "namespace_pk": namespace_pk}
                for event_pk in event_pks
            ],
        )
    point("note.sources_added")
    values = {
        "namespace_pk": namespace_pk,
        "memory_pk": memory_pk,
        "start": passage.start,
        "end": passage.end,
        "index_text": passage.index_text if vector is None else None,
        "terms": len(passage.terms),
    }
    (key,) = log.add_passages(connection, namespace_pk, [values], [passage.terms])
    if vector is not None:
        vectors.add(connection, embedder_pk, [(namespace_pk, key, vector.tobytes())])
    point("note.vector_added")
    record(connection, namespace_pk, [note.id], "noted", note.recorded_at, {"kind": note.kind})
    point("note.recorded")


def _event_pks(connection: Connection, namespace_pk: int, ids: Sequence[str]) -> list[int]:
    found: dict[str, int] = {}
    for chunk in chunks(ids):
        rows = connection.execute(select(E.id, E.pk).where(E.namespace_pk == namespace_pk, E.id.in_(chunk)))
        found.update((row.id, row.pk) for row in rows)
    missing = [id_ for id_ in ids if id_ not in found]
    if missing:
        raise InvalidInputError(
            f"a note's sources must be stored events of its namespace; unknown: {missing}"
        )
    return [found[id_] for id_ in dict.fromkeys(ids)]


def _values(namespace_pk: int, note: Note) -> dict[str, Any]:
    def micros(moment: datetime | None) -> int | None:
        return None if moment is None else to_micros(moment)

    return {
        "namespace_pk": namespace_pk,
        "id": note.id,
        "kind": note.kind,
        "text": note.text,
        "subject": note.subject,
        "predicate": note.predicate,
        "object": note.object,
        "valid_from": micros(note.valid_from),
        "valid_to": micros(note.valid_to),
        "recorded_at": to_micros(note.recorded_at),
        "superseded_at": micros(note.superseded_at),
        "superseded_by": note.superseded_by,
        "confidence": note.confidence,
    }


def read(
    connection: Connection, namespace_pk: int, namespace: Namespace, note_id: str | None = None
) -> list[Note]:
    """Notes in order of recording, or the one asked for."""
    statement = select(schema.memories).where(M.namespace_pk == namespace_pk).order_by(M.pk)
    if note_id is not None:
        statement = statement.where(M.id == note_id)
    rows = connection.execute(statement).all()
    sources = sources_of(connection, [row.pk for row in rows])
    return [to_note(row, namespace, sources[row.pk]) for row in rows]


def record(
    connection: Connection,
    namespace_pk: int,
    ids: Sequence[str],
    action: str,
    at: datetime,
    detail: Mapping[str, Any],
) -> None:
    """Write what happened into the history."""
    if ids:
        connection.execute(
            insert(schema.changes),
            [
                {
                    "namespace_pk": namespace_pk,
                    "record_id": id_,
                    "action": action,
                    "at": to_micros(at),
                    "detail": dict(detail),
                }
                for id_ in ids
            ],
        )


def history(connection: Connection, namespace_pk: int, record_id: str) -> list[HistoryEntry]:
    """What happened to a record, oldest first. An event's remembering is read from the event itself."""
    entries = [
        HistoryEntry(record_id, row.action, from_micros(row.at), row.detail)
        for row in connection.execute(
            select(C.action, C.at, C.detail)
            .where(C.namespace_pk == namespace_pk, C.record_id == record_id)
            .order_by(C.pk)
        )
    ]
    event = connection.execute(
        select(E.recorded_at, E.session).where(E.namespace_pk == namespace_pk, E.id == record_id)
    ).one_or_none()
    if event is not None:
        entries.append(
            HistoryEntry(record_id, "remembered", from_micros(event.recorded_at), {"session": event.session})
        )
    return sorted(entries, key=lambda entry: entry.at)
