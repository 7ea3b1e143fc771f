"""The graph of entities: who is named in which event, and which relations the events show. Written here.

Everything is counted per event, so that removing an event takes away exactly what it had brought. Edges and
mentions name entities of their own namespace. The caller holds the write lock.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agentmem.contracts import EventMentions
from agentmem.write.extract import KINDS

from . import aliases, schema
from .bulk import insert_rows
from .chunks import chunks
from .relations import Named, Relation, relations

D = schema.edges.c
E = schema.events.c
M = schema.mentions.c
N = schema.entities.c
# both dialects' statements take the same conflict clause; Core's own has none
_INSERT: Mapping[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
# put together once: that takes longer than the answer does
_AT = select(E.seq, E.pk, E.occurred_at).where(
    E.namespace_pk == bindparam("namespace"), E.seq.in_(bindparam("seqs", expanding=True))
)
_STRENGTH: dict[str, int] = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(slots=True)
class _Count:
    """What events say of one edge."""

    weight: int
    first_at: int
    last_at: int


def extend(connection: Connection, namespace_pk: int, found: Sequence[EventMentions]) -> None:
    """Add what these events name. Each event once: the caller knows how far the graph goes."""
    events = _events_at(connection, namespace_pk, [item.seq for item in found])
    present = [(events[item.seq], item) for item in found if item.seq in events and item.mentions]
    if not present:
        return
    pks = _entity_pks(connection, namespace_pk, [item for _, item in present])
    insert_rows(
        connection,
        schema.mentions,
        ("namespace_pk", "entity_pk", "event_pk", "kind", "surface", "start"),
        [
            (namespace_pk, pks[mention.key], event_pk, mention.kind, mention.surface, mention.start)
            for (event_pk, _), item in present
            for mention in item.mentions
        ],
    )
    _add_edges(
        connection,
        namespace_pk,
        (
            (at, [Named(pks[mention.key], mention.kind) for mention in item.mentions])
            for (_, at), item in present
        ),
    )
    _count_mentions(connection, [item for _, item in present], pks)
    words = {mention.key.partition(" ")[0] for _, item in present for mention in item.mentions}
    aliases.refresh(connection, namespace_pk, words)


def _events_at(connection: Connection, namespace_pk: int, seqs: Sequence[int]) -> dict[int, tuple[int, int]]:
    """Per position the event's key and time."""
    return {
        seq: (pk, at)
        for chunk in chunks(seqs)
        for seq, pk, at in connection.execute(_AT, {"namespace": namespace_pk, "seqs": chunk})
    }


def _entity_pks(connection: Connection, namespace_pk: int, found: Sequence[EventMentions]) -> dict[str, int]:
    """The key of every entity by its folded name; the missing are made."""
    first: dict[str, str] = {}
    for item in found:
        for mention in item.mentions:
            first.setdefault(mention.key, mention.surface)
    pks = _stored(connection, namespace_pk, list(first))
    missing = [key for key in first if key not in pks]
    if missing:
        insert_rows(
            connection,
            schema.entities,
            ("namespace_pk", "key", "first_word", "words", "name", "kind", "mentions"),
            [
                (namespace_pk, key, key.partition(" ")[0], key.count(" ") + 1, first[key], KINDS[-1], 0)
                for key in missing
            ],
        )
        pks |= _stored(connection, namespace_pk, missing)
    return pks


def _stored(connection: Connection, namespace_pk: int, keys: Sequence[str]) -> dict[str, int]:
    """The entities of these folded names that there are."""
    return {
        row.key: row.pk
        for chunk in chunks(keys)
        for row in connection.execute(
            select(N.key, N.pk).where(N.namespace_pk == namespace_pk, N.key.in_(chunk))
        )
    }


def _count_mentions(connection: Connection, found: Sequence[EventMentions], pks: Mapping[str, int]) -> None:
    counts: dict[str, int] = defaultdict(int)
    strongest: dict[str, str] = {}
    for item in found:
        for mention in item.mentions:
            counts[mention.key] += 1
            before = strongest.get(mention.key, KINDS[-1])
            strongest[mention.key] = min(before, mention.kind, key=_STRENGTH.__getitem__)
    stronger = case(_STRENGTH, value=N.kind) > bindparam("strength")
    connection.execute(
        update(schema.entities)
        .where(N.pk == bindparam("which"))
        .values(
            mentions=N.mentions + bindparam("added"),
            kind=case((stronger, bindparam("stronger_kind")), else_=N.kind),
        ),
        [
            {
                "which": pks[key],
                "added": count,
                "strength": _STRENGTH[strongest[key]],
                "stronger_kind": strongest[key],
            }
            for key, count in counts.items()
        ],
    )


def _tally(events: Iterable[tuple[int, Sequence[Named]]]) -> dict[Relation, _Count]:
    counts: dict[Relation, _Count] = {}
    for at, named in events:
        for relation in relations(named):
            count = counts.get(relation)
            if count is None:
                counts[relation] = _Count(1, at, at)
            else:
                count.weight += 1
                count.first_at = min(count.first_at, at)
                count.last_at = max(count.last_at, at)
    return counts


def _add_edges(
    connection: Connection, namespace_pk: int, events: Iterable[tuple[int, Sequence[Named]]]
) -> None:
    counts = _tally(events)
    if not counts:
        return
    statement = _INSERT[connection.dialect.name](schema.edges)
    new = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[D.namespace_pk, D.source_pk, D.target_pk, D.kind],
            set_={
                "weight": D.weight + new.weight,
                "first_at": case((new.first_at < D.first_at, new.first_at), else_=D.first_at),
                "last_at": case((new.last_at > D.last_at, new.last_at), else_=D.last_at),
            },
        ),
        [
            {
                "namespace_pk": namespace_pk,
                "source_pk": relation.source,
                "target_pk": relation.target,
                "kind": relation.kind,
                "weight": count.weight,
                "first_at": count.first_at,
                "last_at": count.last_at,
            }
            for relation, count in counts.items()
        ],
    )


def shrink(connection: Connection, namespace_pk: int, event_pks: Sequence[int]) -> None:
    """Take away what these events had brought; called before the events themselves go."""
    named = _named_in(connection, namespace_pk, event_pks)
    if not named:
        return
    times = {
        row.pk: row.occurred_at
        for chunk in chunks(list(named))
        for row in connection.execute(select(E.pk, E.occurred_at).where(E.pk.in_(chunk)))
    }
    for chunk in chunks(list(named)):
        connection.execute(
            delete(schema.mentions).where(M.namespace_pk == namespace_pk, M.event_pk.in_(chunk))
        )
    _remove_edges(connection, namespace_pk, _tally((times[pk], rows) for pk, rows in named.items()))
    removed: dict[int, int] = defaultdict(int)
    for rows in named.values():
        for item in rows:
            removed[item.pk] += 1
    _uncount(connection, namespace_pk, removed)


def _named_in(connection: Connection, namespace_pk: int, event_pks: Sequence[int]) -> dict[int, list[Named]]:
    """What each event names, in order of first occurrence."""
    named: dict[int, list[Named]] = {}
    for chunk in chunks(event_pks):
        rows = connection.execute(
            select(M.event_pk, M.entity_pk, M.kind)
            .join(schema.entities, N.pk == M.entity_pk)
            .where(M.namespace_pk == namespace_pk, M.event_pk.in_(chunk))
            .order_by(M.event_pk, M.start, N.key)
        )
        for event_pk, entity_pk, kind in rows:
            named.setdefault(event_pk, []).append(Named(entity_pk, kind))
    return named


def _remove_edges(connection: Connection, namespace_pk: int, counts: Mapping[Relation, _Count]) -> None:
    mine = D.namespace_pk == namespace_pk
    for relation, count in counts.items():
        this = (
            mine,
            D.source_pk == relation.source,
            D.target_pk == relation.target,
            D.kind == relation.kind,
        )
        row = connection.execute(select(D.weight, D.first_at, D.last_at).where(*this)).one()
        left = row.weight - count.weight
        if left <= 0:
            connection.execute(delete(schema.edges).where(*this))
            continue
        first_at, last_at = row.first_at, row.last_at
        # only the loss of the first or last such event moves a bound
        if count.first_at <= first_at or count.last_at >= last_at:
            first_at, last_at = _bounds(connection, namespace_pk, relation)
        connection.execute(
            update(schema.edges).where(*this).values(weight=left, first_at=first_at, last_at=last_at)
        )


def _bounds(connection: Connection, namespace_pk: int, relation: Relation) -> tuple[int, int]:
    """Times of the first and last event that still shows a relation."""
    other = schema.mentions.alias()
    rows = connection.execute(
        select(E.pk, E.occurred_at)
        .select_from(schema.mentions)
        .join(other, other.c.event_pk == M.event_pk)
        .join(schema.events, E.pk == M.event_pk)
        .where(
            M.namespace_pk == namespace_pk,
            M.entity_pk == relation.source,
            other.c.namespace_pk == namespace_pk,
            other.c.entity_pk == relation.target,
        )
        .order_by(E.occurred_at, E.pk)
    ).all()
    return _first_showing(connection, namespace_pk, rows, relation), _first_showing(
        connection, namespace_pk, rows[::-1], relation
    )


def _first_showing(connection: Connection, namespace_pk: int, rows: Sequence[Any], relation: Relation) -> int:
    # in a long message not all that is named is related, so each is asked; the first hardly ever says no
    for pk, occurred_at in rows:
        if relation in set(relations(_named_in(connection, namespace_pk, [pk])[pk])):
            return int(occurred_at)
    raise AssertionError(f"an edge of positive weight rests on no event: {relation}")


def clear(connection: Connection, namespace_pk: int) -> None:
    """Take away the whole graph of a namespace."""
    for table in (schema.aliases, schema.edges, schema.mentions, schema.entities):
        connection.execute(delete(table).where(table.c.namespace_pk == namespace_pk))


def _uncount(connection: Connection, namespace_pk: int, removed: Mapping[int, int]) -> None:
    words: set[str] = set()
    for chunk in chunks(list(removed)):
        for row in connection.execute(select(schema.entities).where(N.pk.in_(chunk))).all():
            words.add(row.first_word)
            left = row.mentions - removed[row.pk]
            if left > 0:
                values = {"mentions": left, **_described(connection, namespace_pk, row.pk)}
                connection.execute(update(schema.entities).where(N.pk == row.pk).values(values))
            else:
                connection.execute(delete(schema.entities).where(N.pk == row.pk))
    aliases.refresh(connection, namespace_pk, words)


def _described(connection: Connection, namespace_pk: int, entity_pk: int) -> dict[str, Any]:
    """Name and kind of an entity as the mentions that are left give them."""
    mine = (M.namespace_pk == namespace_pk, M.entity_pk == entity_pk)
    first = connection.execute(select(M.surface).where(*mine).order_by(M.event_pk).limit(1)).scalar_one()
    kinds = connection.execute(select(M.kind).where(*mine).distinct()).scalars()
    return {"name": first, "kind": min(kinds, key=_STRENGTH.__getitem__)}
