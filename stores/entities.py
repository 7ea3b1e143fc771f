"""The graph of entities, read: who there is, where they are named, how they relate. An alias is its entity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select

from agentmem.clock import from_micros
from agentmem.contracts import Mention
from agentmem.types import Alias, Edge, Entity
from agentmem.write.extract import entity_key

from . import schema
from .chunks import chunks

A = schema.aliases.c
D = schema.edges.c
E = schema.events.c
M = schema.mentions.c
N = schema.entities.c
P = schema.passages.c
# known only from the starts of sentences: perhaps no name at all
_WEAK = "initial"


def entities(
    connection: Connection, namespace_pk: int, names: Sequence[str] | None, limit: int | None
) -> list[Entity]:
    """Entities by name or all, the most mentioned first."""
    whose = _aliases(connection, namespace_pk)
    if names is None:
        # aliases fold into their entity, so a limit on rows could cut short
        wanted = None if limit is None else limit + len(whose)
        rows = _rows(connection, _select(namespace_pk).where(N.kind != _WEAK).limit(wanted))
    else:
        rows = {}
        for keys in chunks(sorted({entity_key(name) for name in names})):
            rows.update(_rows(connection, _select(namespace_pk).where(N.key.in_(keys))))
    nodes = {whose.get(pk, (pk, ""))[0] for pk in rows}
    members = {alias for alias, (entity, _) in whose.items() if entity in nodes}
    for chunk in chunks(sorted((nodes | members) - set(rows))):
        rows.update(_rows(connection, _select(namespace_pk).where(N.pk.in_(chunk))))
    others: dict[int, list[int]] = {node: [] for node in nodes}
    for alias in sorted(members):
        others[whose[alias][0]].append(alias)
    found = [
        Entity(
            node=node,
            name=rows[node].name,
            kind=min((rows[pk].kind for pk in (node, *others[node])), key=_person_first),
            mentions=sum(rows[pk].mentions for pk in (node, *others[node])),
            aliases=tuple(Alias(rows[pk].name, whose[pk][1]) for pk in others[node]),
        )
        for node in nodes
    ]
    return sorted(found, key=lambda entity: (-entity.mentions, entity.name))[:limit]


def _person_first(kind: str) -> bool:
    return kind != "speaker"


def _select(namespace_pk: int) -> Select[Any]:
    return (
        select(N.pk, N.name, N.kind, N.mentions)
        .where(N.namespace_pk == namespace_pk)
        .order_by(N.mentions.desc(), N.pk)
    )


def _rows(connection: Connection, statement: Select[Any]) -> dict[int, Row[Any]]:
    return {row.pk: row for row in connection.execute(statement)}


def _aliases(connection: Connection, namespace_pk: int) -> dict[int, tuple[int, str]]:
    """Per alias its entity and the evidence."""
    return {
        row.alias_pk: (row.entity_pk, row.evidence)
        for row in connection.execute(select(schema.aliases).where(A.namespace_pk == namespace_pk))
    }


def _with_aliases(nodes: Sequence[int], whose: Mapping[int, tuple[int, str]]) -> list[int]:
    wanted = set(nodes)
    return sorted(wanted | {alias for alias, (entity, _) in whose.items() if entity in wanted})


def _mentions(namespace_pk: int) -> Select[Any]:
    return (
        select(M.entity_pk, M.kind, P.pk, E.id, E.seq)
        .select_from(schema.mentions)
        .join(schema.events, E.pk == M.event_pk)
        .join(
            schema.passages,
            and_(
                P.event_pk == M.event_pk,
                or_(and_(P.start <= M.start, M.start < P.end), and_(M.start < 0, P.start == 0)),
            ),
        )
        .where(M.namespace_pk == namespace_pk)
    )


def mentions_of(
    connection: Connection, namespace_pk: int, nodes: Sequence[int], limit: int | None
) -> list[Mention]:
    """Passages that name these entities, the newest event first."""
    whose = _aliases(connection, namespace_pk)
    found: list[Mention] = []
    for chunk in chunks(_with_aliases(nodes, whose)):
        statement = _mentions(namespace_pk).where(M.entity_pk.in_(chunk)).order_by(E.seq.desc()).limit(limit)
        found.extend(_to_mention(row, whose) for row in connection.execute(statement))
    found.sort(key=lambda mention: -mention.seq)
    return found[:limit]


def mentions_in(connection: Connection, namespace_pk: int, passages: Sequence[int]) -> list[Mention]:
    """Entities that these passages name."""
    whose = _aliases(connection, namespace_pk)
    return [
        _to_mention(row, whose)
        for chunk in chunks(passages)
        for row in connection.execute(_mentions(namespace_pk).where(P.pk.in_(chunk)))
    ]


def _to_mention(row: Sequence[Any], whose: Mapping[int, tuple[int, str]]) -> Mention:
    entity_pk, kind, passage_pk, event_id, seq = row
    return Mention(whose.get(entity_pk, (entity_pk, ""))[0], passage_pk, event_id, seq, kind)


def edges(connection: Connection, namespace_pk: int, nodes: Sequence[int] | None) -> list[Edge]:
    """Edges at these entities, or all; those that fall together through aliases are added up."""
    whose = _aliases(connection, namespace_pk)
    mine = select(schema.edges).where(D.namespace_pk == namespace_pk)
    if nodes is None:
        rows = list(connection.execute(mine))
    else:
        rows = []
        seen: set[tuple[int, int, str]] = set()
        for chunk in chunks(_with_aliases(nodes, whose)):
            for end in (D.source_pk, D.target_pk):
                for row in connection.execute(mine.where(end.in_(chunk))):
                    key = (row.source_pk, row.target_pk, row.kind)
                    if key not in seen:
                        seen.add(key)
                        rows.append(row)
    return _added_up(rows, whose)


def _added_up(rows: Sequence[Row[Any]], whose: Mapping[int, tuple[int, str]]) -> list[Edge]:
    found: dict[tuple[int, int, str], Edge] = {}
    for row in rows:
        source = whose.get(row.source_pk, (row.source_pk, ""))[0]
        target = whose.get(row.target_pk, (row.target_pk, ""))[0]
        if source == target:
            continue
        if row.kind == "with":
            source, target = min(source, target), max(source, target)
        weight, first_at, last_at = row.weight, from_micros(row.first_at), from_micros(row.last_at)
        before = found.get((source, target, row.kind))
        if before is not None:
            weight += before.weight
            first_at, last_at = min(first_at, before.first_at), max(last_at, before.last_at)
        found[source, target, row.kind] = Edge(source, target, row.kind, weight, first_at, last_at)
    return list(found.values())
