"""Rows to values and back: events, notes, passages, history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from agentmem.clock import from_micros, to_micros
from agentmem.contracts import Scored, StoredPassage
from agentmem.types import Event, Namespace, Note

from . import lines, schema
from .chunks import chunks

E = schema.events.c
M = schema.memories.c
P = schema.passages.c


def to_event(row: Row[Any], namespace: Namespace) -> Event:
    """An event from a row of `events`."""
    return Event(
        id=row.id,
        namespace=namespace,
        session=row.session,
        seq=row.seq,
        role=row.role,
        name=row.name,
        content=row.content,
        occurred_at=from_micros(row.occurred_at),
        recorded_at=from_micros(row.recorded_at),
        content_hash=row.content_hash,
        token_count=row.token_count,
        metadata=row.metadata,
    )


def to_note(row: Row[Any], namespace: Namespace, source_ids: tuple[str, ...]) -> Note:
    """A semantic memory from a row of `memories`."""
    return Note(
        id=row.id,
        namespace=namespace,
        kind=row.kind,
        text=row.text,
        subject=row.subject,
        predicate=row.predicate,
        object=row.object,
        valid_from=None if row.valid_from is None else from_micros(row.valid_from),
        valid_to=None if row.valid_to is None else from_micros(row.valid_to),
        recorded_at=from_micros(row.recorded_at),
        superseded_at=None if row.superseded_at is None else from_micros(row.superseded_at),
        superseded_by=row.superseded_by,
        confidence=row.confidence,
        source_ids=source_ids,
        stated_to=None if row.stated_to is None else from_micros(row.stated_to),
        exclusive=row.version_key is not None,
    )


def sources_of(connection: Connection, memory_pks: Sequence[int]) -> dict[int, tuple[str, ...]]:
    """The ids of the events each memory rests on."""
    found: dict[int, tuple[str, ...]] = dict.fromkeys(memory_pks, ())
    link = schema.sources.c
    for chunk in chunks(memory_pks):
        rows = connection.execute(
            select(link.memory_pk, E.id)
            .join(schema.events, E.pk == link.event_pk)
            .where(link.memory_pk.in_(chunk))
            .order_by(link.memory_pk, E.seq)
        )
        for memory_pk, event_id in rows:
            found[memory_pk] += (event_id,)
    return found


# put together once: every recall asks these, and building a statement takes longer than answering it
_EVENT_PASSAGES = select(
    P.pk, P.start, P.end, E.id, E.session, E.seq, E.role, E.name, E.content, E.occurred_at
).join(schema.events, E.pk == P.event_pk)
_EVENTS_BY_KEY = _EVENT_PASSAGES.where(
    P.namespace_pk == bindparam("namespace"), P.pk.in_(bindparam("keys", expanding=True))
)
_EVENTS_BY_SEQ = _EVENT_PASSAGES.where(
    E.namespace_pk == bindparam("namespace"), E.seq.in_(bindparam("seqs", expanding=True)), P.start == 0
)
_NOTES_BY_KEY = (
    select(P.pk.label("passage_pk"), schema.memories)
    .join(schema.memories, M.pk == P.memory_pk)
    .where(P.namespace_pk == bindparam("namespace"), P.pk.in_(bindparam("keys", expanding=True)))
)


def _to_event_passage(row: Sequence[Any]) -> StoredPassage:
    # unpacked, as looking the columns of hundreds of rows up by name takes longer
    key, start, end, id_, session, seq, role, name, content, occurred_at = row
    return StoredPassage(
        key=key,
        owner="event",
        owner_id=id_,
        session=session,
        seq=seq,
        speaker=name or role,
        content=content,
        span=None if start == 0 and end == len(content) else (start, end),
        kind="event",
        at=from_micros(occurred_at),
        source_ids=(id_,),
    )


def passages_by_key(
    connection: Connection, namespace_pk: int, keys: Sequence[int]
) -> dict[int, StoredPassage]:
    """Passages of this namespace by key."""
    found: dict[int, StoredPassage] = {}
    for chunk in chunks(keys):
        rows = connection.execute(_EVENTS_BY_KEY, {"namespace": namespace_pk, "keys": chunk}).all()
        found.update((row[0], _to_event_passage(row)) for row in rows)
    rest = [key for key in keys if key not in found]
    for chunk in chunks(rest):
        notes = connection.execute(_NOTES_BY_KEY, {"namespace": namespace_pk, "keys": chunk}).all()
        sources = sources_of(connection, [row.pk for row in notes])
        gaps = lines.gaps(connection, namespace_pk, notes)
        for row in notes:
            since = row.recorded_at if row.valid_from is None else row.valid_from
            found[row.passage_pk] = StoredPassage(
                key=row.passage_pk,
                owner="memory",
                owner_id=row.id,
                session=None,
                seq=-1,
                speaker=None,
                content=row.text,
                span=None,
                kind=row.kind,
                at=from_micros(since),
                source_ids=sources[row.pk],
                valid_to=None if row.valid_to is None else from_micros(row.valid_to),
                gaps=gaps.get(row.id, ()),
            )
    return found


def passages_by_seq(connection: Connection, namespace_pk: int, seqs: Sequence[int]) -> list[StoredPassage]:
    """The first passage of each event at these positions."""
    found: list[StoredPassage] = []
    for chunk in chunks(seqs):
        rows = connection.execute(_EVENTS_BY_SEQ, {"namespace": namespace_pk, "seqs": chunk}).all()
        found.extend(map(_to_event_passage, rows))
    return found


def recent(connection: Connection, namespace_pk: int, k: int, until: datetime | None) -> list[Scored]:
    """Passages of the last `k` events, newest first; the score falls by one a place."""
    among: dict[str, int] = {"namespace": namespace_pk, "k": k}
    if until is not None:
        among["until"] = to_micros(until)
    keys = connection.execute(_recent(until is not None), among).scalars().all()
    return [Scored(key, -float(place)) for place, key in enumerate(keys)]


@cache
def _recent(limited: bool) -> Select[Any]:
    latest = select(E.pk, E.seq).where(E.namespace_pk == bindparam("namespace"))
    if limited:
        latest = latest.where(E.occurred_at <= bindparam("until"))
    window = latest.order_by(E.seq.desc()).limit(bindparam("k")).subquery()
    return select(P.pk).join(window, window.c.pk == P.event_pk).order_by(window.c.seq.desc(), P.start)
