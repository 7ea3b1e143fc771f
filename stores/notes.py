"""Semantic memories and the history of every record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, insert, or_, select, update

from agentmem.clock import from_micros, to_micros
from agentmem.contracts import Passage, Vectors
from agentmem.errors import DuplicateIdError, InvalidInputError
from agentmem.faults import point
from agentmem.types import HistoryEntry, Namespace, Note
from agentmem.versions import version_key

from . import lines, log, namespaces, pieces, schema, vectors
from .chunks import chunks
from .records import sources_of, to_note

M = schema.memories.c
E = schema.events.c
C = schema.changes.c
S = schema.sources.c


def write(
    connection: Connection,
    note: Note,
    passage: Passage,
    vector: Vectors | None,
    embedder_pk: int | None,
    found: Vectors | None = None,
) -> None:
    """Store a note and let the versions beside it end where they now do; the caller holds the write lock."""
    namespace_pk = add(connection, note, passage, vector, embedder_pk, found)
    lines.settle_new(connection, namespace_pk, note)
    point("note.line_settled")


def confirm(connection: Connection, note: Note) -> str | None:
    """Add a note's sources to the one that says the same for all of its time, and give that one's id, if there is one.

    The caller holds the write lock.
    """
    row = namespaces.find(connection, note.namespace)
    pk = None if row is None else lines.confirmed_by(connection, row.pk, note)
    if row is None or pk is None:
        return None
    event_pks = _event_pks(connection, row.pk, note.source_ids)
    known = set(connection.execute(select(S.event_pk).where(S.memory_pk == pk)).scalars())
    if bool(known) != bool(event_pks):
        # what rests on events goes with them, and what was simply said does not
        return None
    _add_sources(connection, row.pk, pk, [event_pk for event_pk in event_pks if event_pk not in known])
    id_, confidence = connection.execute(select(M.id, M.confidence).where(M.pk == pk)).one()
    connection.execute(
        update(schema.memories).where(M.pk == pk).values(confidence=max(confidence, note.confidence))
    )
    detail = {"sources": list(note.source_ids), "confidence": note.confidence}
    record(connection, row.pk, [id_], "confirmed", note.recorded_at, detail)
    return str(id_)


def add(
    connection: Connection,
    note: Note,
    passage: Passage,
    vector: Vectors | None,
    embedder_pk: int | None,
    found: Vectors | None = None,
) -> int:
    """Store a note with its sources, index rows and the word pieces `found`; returns the key of its namespace.

    The caller holds the write lock, and settles its line.
    """
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
    _add_sources(connection, namespace_pk, memory_pk, event_pks)
    point("note.sources_added")
    index_text = passage.index_text if vector is None else None
    row = log.PassageRow(None, memory_pk, passage.start, passage.end, index_text, len(passage.terms))
    (key,) = log.add_passages(connection, namespace_pk, [row], [passage.terms])
    if vector is not None:
        vectors.add(connection, embedder_pk, [(namespace_pk, key, vector.tobytes())])
        pieces.add(connection, embedder_pk, [(namespace_pk, key)], [found])
    point("note.vector_added")
    record(connection, namespace_pk, [note.id], "noted", note.recorded_at, {"kind": note.kind})
    point("note.recorded")
    return namespace_pk


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


def _add_sources(connection: Connection, namespace_pk: int, memory_pk: int, event_pks: Sequence[int]) -> None:
    if event_pks:
        connection.execute(
            insert(schema.sources),
            [
                {"memory_pk": memory_pk, "event_pk": event_pk, "namespace_pk": namespace_pk}
                for event_pk in event_pks
            ],
        )


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
        "stated_to": micros(note.stated_to),
        "version_key": version_key(note.subject, note.predicate) if note.exclusive else None,
    }


def read(
    connection: Connection,
    namespace_pk: int,
    namespace: Namespace,
    note_id: str | None = None,
    at: datetime | None = None,
) -> list[Note]:
    """Notes in order of recording, the one asked for, or those that held at a moment."""
    statement = select(schema.memories).where(M.namespace_pk == namespace_pk).order_by(M.pk)
    if note_id is not None:
        statement = statement.where(M.id == note_id)
    if at is not None:
        moment = to_micros(at)
        statement = statement.where(
            func.coalesce(M.valid_from, M.recorded_at) <= moment,
            or_(M.valid_to.is_(None), M.valid_to > moment),
        )
    rows = connection.execute(statement).all()
    if at is not None:
        gaps = lines.gaps(connection, namespace_pk, rows)
        rows = [row for row in rows if not any(start <= at < end for start, end in gaps.get(row.id, ()))]
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


def changes_of(connection: Connection, namespace_pk: int, ids: Sequence[str]) -> list[HistoryEntry]:
    """What was written into the history of these records, in that order."""
    rows = [
        row
        for chunk in chunks(ids)
        for row in connection.execute(
            select(schema.changes).where(C.namespace_pk == namespace_pk, C.record_id.in_(chunk))
        )
    ]
    rows.sort(key=lambda row: row.pk)
    return [HistoryEntry(row.record_id, row.action, from_micros(row.at), row.detail) for row in rows]


def history(connection: Connection, namespace_pk: int, record_id: str) -> list[HistoryEntry]:
    """What happened to a record, oldest first; for a note, to every version of what it says.

    An event's remembering is read from the event itself.
    """
    line = lines.words(connection, namespace_pk, record_id)
    entries = [
        replace(entry, detail={**entry.detail, **line[entry.id]})
        if entry.action == "noted" and entry.id in line
        else entry
        for entry in changes_of(connection, namespace_pk, sorted({record_id, *line}))
    ]
    event = connection.execute(
        select(E.recorded_at, E.session).where(E.namespace_pk == namespace_pk, E.id == record_id)
    ).one_or_none()
    if event is not None:
        entries.append(
            HistoryEntry(record_id, "remembered", from_micros(event.recorded_at), {"session": event.session})
        )
    return sorted(entries, key=lambda entry: entry.at)
