"""The event log: append-only, idempotent, read in order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, select, update

from agentmem.clock import to_micros
from agentmem.contracts import PreparedEvent, Vectors
from agentmem.errors import DuplicateIdError
from agentmem.faults import point
from agentmem.ids import new_id
from agentmem.types import Event, Namespace

from . import lexical, namespaces, pieces, schema, vectors
from .bulk import insert_rows
from .chunks import chunks
from .records import to_event

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
# put together once: that takes longer than the answer does
_WANTED: BindParameter[Any] = bindparam("wanted", expanding=True)
_BY_ID = select(E.id, E.content_hash).where(E.namespace_pk == bindparam("namespace"), E.id.in_(_WANTED))
_BY_HASH = select(E.content_hash, E.id).where(
    E.namespace_pk == bindparam("namespace"), E.content_hash.in_(_WANTED), schema.MADE_HERE
)
_NOTES = select(M.id).where(M.namespace_pk == bindparam("namespace"), M.id.in_(_WANTED)).limit(1)
_KEYS = select(P.pk, P.event_pk, P.memory_pk, P.start).where(P.namespace_pk == bindparam("namespace"))
_BY_EVENT, _BY_MEMORY = _KEYS.where(P.event_pk.in_(_WANTED)), _KEYS.where(P.memory_pk.in_(_WANTED))
_EVENT_COLUMNS = (
    "namespace_pk", "id", "session", "seq", "role", "name", "content",
    "occurred_at", "recorded_at", "content_hash", "token_count", "metadata",
)  # fmt: skip


class PassageRow(NamedTuple):
    """A row of `passages`: of an event or of a note. `index_text` waits there for a vector."""

    event_pk: int | None
    memory_pk: int | None
    start: int
    end: int
    index_text: str | None
    terms: int


def known(
    connection: Connection, namespace_pk: int, wanted: Sequence[tuple[str | None, str]]
) -> list[str | None]:
    """Per `(id, content_hash)` the id of the event that is already stored, or None.

    An event with an id is known by it; one without is known by its content hash.
    """
    by_id: dict[str, str] = {}
    by_hash: dict[str, str] = {}
    for chunk in chunks([id_ for id_, _ in wanted if id_ is not None]):
        rows = connection.execute(_BY_ID, {"namespace": namespace_pk, "wanted": chunk})
        by_id.update((row.id, row.content_hash) for row in rows)
    for chunk in chunks([digest for id_, digest in wanted if id_ is None]):
        rows = connection.execute(_BY_HASH, {"namespace": namespace_pk, "wanted": chunk})
        by_hash.update((row.content_hash, row.id) for row in rows)
    found: list[str | None] = []
    for id_, digest in wanted:
        if id_ is None:
            found.append(by_hash.get(digest))
        elif id_ in by_id:
            if by_id[id_] != digest:
                raise DuplicateIdError(id_)
            found.append(id_)
        else:
            found.append(None)
    return found


def append(
    connection: Connection, namespace: Namespace, prepared: Sequence[PreparedEvent], embedder_pk: int | None
) -> list[tuple[str, bool]]:
    """Store what is not known yet, under the write lock; per event its id and whether it is new."""
    row = namespaces.find_or_add(connection, namespace)
    point("remember.namespace_added")
    # asked again under the lock: another process may have stored them since
    stored = known(connection, row.pk, [(item.event.id, item.content_hash) for item in prepared])
    _refuse_ids_of_notes(
        connection, row.pk, [item.event.id for item in prepared if item.event.id is not None]
    )
    outcome: list[tuple[str, bool]] = []
    fresh: dict[str, PreparedEvent] = {}
    by_hash: dict[str, str] = {}
    for item, old in zip(prepared, stored, strict=True):
        identity = item.event.id
        if old is None and identity is None:
            old = by_hash.get(item.content_hash)
        elif old is None and identity in fresh:
            if fresh[identity].content_hash != item.content_hash:
                raise DuplicateIdError(identity)
            old = identity
        if old is not None:
            outcome.append((old, False))
            continue
        identity = identity or new_id()
        fresh[identity] = item
        if item.event.id is None:
            by_hash[item.content_hash] = identity
        outcome.append((identity, True))
    if fresh:
        _insert(connection, row, fresh, embedder_pk)
    return outcome


def _refuse_ids_of_notes(connection: Connection, namespace_pk: int, ids: Sequence[str]) -> None:
    """One id names one record, be it an event or a note. Raises `DuplicateIdError`."""
    for chunk in chunks(ids):
        taken = connection.execute(_NOTES, {"namespace": namespace_pk, "wanted": chunk}).scalar()
        if taken is not None:
            raise DuplicateIdError(taken)


def _insert(
    connection: Connection,
    namespace: namespaces.NamespaceRow,
    fresh: dict[str, PreparedEvent],
    embedder_pk: int | None,
) -> None:
    insert_rows(
        connection,
        schema.events,
        _EVENT_COLUMNS,
        [
            _event_values(namespace.pk, seq, id_, item)
            for seq, (id_, item) in enumerate(fresh.items(), namespace.next_seq)
        ],
    )
    # nobody else adds to this namespace meanwhile
    event_pks = connection.execute(
        select(E.pk).where(E.namespace_pk == namespace.pk, E.seq >= namespace.next_seq).order_by(E.seq)
    ).scalars()
    point("remember.events_added")
    rows: list[PassageRow] = []
    terms: list[tuple[str, ...]] = []
    data: list[bytes | None] = []
    found: list[Vectors | None] = []
    for event_pk, item in zip(event_pks, fresh.values(), strict=True):
        for place, passage in enumerate(item.passages):
            waiting = item.vectors is None
            index_text = passage.index_text if waiting else None
            rows.append(
                PassageRow(event_pk, None, passage.start, passage.end, index_text, len(passage.terms))
            )
            terms.append(passage.terms)
            data.append(None if item.vectors is None else item.vectors[place].tobytes())
            found.append(None if waiting or item.pieces is None else item.pieces[place])
    keys = add_passages(connection, namespace.pk, rows, terms)
    vectors.add(
        connection,
        embedder_pk,
        [(namespace.pk, key, blob) for key, blob in zip(keys, data, strict=True) if blob is not None],
    )
    pieces.add(connection, embedder_pk, [(namespace.pk, key) for key in keys], found)
    point("remember.vectors_added")
    namespaces.count(connection, namespace.pk, seqs=len(fresh))
    point("remember.seqs_counted")


def add_passages(
    connection: Connection,
    namespace_pk: int,
    rows: Sequence[PassageRow],
    terms: Sequence[tuple[str, ...]],
) -> list[int]:
    """Insert passage rows with their lexical rows; returns their keys in order."""
    columns = ("namespace_pk", *PassageRow._fields)
    insert_rows(connection, schema.passages, columns, [(namespace_pk, *row) for row in rows])
    keys = _keys_of(connection, namespace_pk, rows)
    point("index.passages_added")
    lexical.add(connection, namespace_pk, zip(keys, terms, strict=True))
    point("index.terms_added")
    namespaces.count(connection, namespace_pk, passages=len(keys), terms=sum(map(len, terms)))
    point("index.passages_counted")
    return keys


def _keys_of(connection: Connection, namespace_pk: int, rows: Sequence[PassageRow]) -> list[int]:
    # asked for afterwards: SQLite gives keys back to one row at a time, which takes longer than all else here
    events = sorted({row.event_pk for row in rows if row.event_pk is not None})
    memories = sorted({row.memory_pk for row in rows if row.memory_pk is not None})
    found = {
        (event_pk, memory_pk, start): key
        for statement, owners in ((_BY_EVENT, events), (_BY_MEMORY, memories))
        for chunk in chunks(owners)
        for key, event_pk, memory_pk, start in connection.execute(
            statement, {"namespace": namespace_pk, "wanted": chunk}
        )
    }
    return [found[row.event_pk, row.memory_pk, row.start] for row in rows]


def _event_values(namespace_pk: int, seq: int, id_: str, item: PreparedEvent) -> tuple[Any, ...]:
    """In the order of `_EVENT_COLUMNS`."""
    event = item.event
    return (
        namespace_pk,
        id_,
        event.session,
        seq,
        event.role,
        event.name,
        event.content,
        to_micros(item.occurred_at),
        to_micros(item.recorded_at),
        item.content_hash,
        item.token_count,
        json.dumps(dict(event.metadata)) if event.metadata else "{}",
    )


def read(
    connection: Connection,
    namespace_pk: int,
    namespace: Namespace,
    *,
    ids: Sequence[str] | None,
    session: str | None,
    after_seq: int,
    limit: int | None,
    newest: bool,
) -> list[Event]:
    """Events in order of `seq`."""
    statement = select(schema.events).where(E.namespace_pk == namespace_pk, E.seq > after_seq)
    if session is not None:
        statement = statement.where(E.session == session)
    if ids is not None:
        found = [row for chunk in chunks(ids) for row in connection.execute(statement.where(E.id.in_(chunk)))]
        return [to_event(row, namespace) for row in sorted(found, key=lambda row: row.seq)][:limit]
    statement = statement.order_by(E.seq.desc() if newest else E.seq)
    rows = list(connection.execute(statement if limit is None else statement.limit(limit)))
    return [to_event(row, namespace) for row in (reversed(rows) if newest else rows)]


def mark_embedded(connection: Connection, keys: Sequence[int]) -> None:
    """Passages that now have their vector need their index text no longer."""
    for chunk in chunks(keys):
        connection.execute(update(schema.passages).where(P.pk.in_(chunk)).values(index_text=None))
