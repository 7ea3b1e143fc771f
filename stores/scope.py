"""Which passages a filtered question may be answered from. Ranks nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from agentmem.clock import to_micros
from agentmem.types import Tier

from . import episodes, lines, schema

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
D = schema.derivations.c


def in_scope(
    connection: Connection,
    namespace_pk: int,
    tiers: Collection[Tier],
    at: datetime | None,
    now: datetime,
    limit: int,
) -> list[int] | None:
    """Keys of the passages in these tiers that had happened, or held, at a moment; None where more than `limit`."""
    found: list[int] = []
    if "semantic" in tiers:
        found += _notes(connection, namespace_pk, at or now)
    for statement in _events(namespace_pk, tiers):
        if at is not None:
            statement = statement.where(E.occurred_at <= to_micros(at))
        room = max(limit - len(found), 0) + 1
        found += connection.execute(statement.limit(room)).scalars()
    return found if len(found) <= limit else None


def _notes(connection: Connection, namespace_pk: int, moment: datetime) -> list[int]:
    micros = to_micros(moment)
    rows = connection.execute(
        select(P.pk.label("passage_pk"), schema.memories)
        .join(schema.memories, M.pk == P.memory_pk)
        .where(
            M.namespace_pk == namespace_pk,
            P.namespace_pk == namespace_pk,
            func.coalesce(M.valid_from, M.recorded_at) <= micros,
            or_(M.valid_to.is_(None), M.valid_to > micros),
        )
    ).all()
    gaps = lines.gaps(connection, namespace_pk, rows)
    return [
        row.passage_pk
        for row in rows
        if not any(start <= moment < end for start, end in gaps.get(row.id, ()))
    ]


def _events(namespace_pk: int, tiers: Collection[Tier]) -> Iterator[Select[Any]]:
    of_event = (P.event_pk == E.pk) & (P.namespace_pk == namespace_pk)
    if "window" in tiers and "episode" in tiers:
        yield select(P.pk).join(schema.events, of_event).where(E.namespace_pk == namespace_pk)
    elif "episode" in tiers:
        yield episodes.members(namespace_pk, P.pk).join(schema.passages, of_event)
    elif "window" in tiers:
        begun = select(D.open_seq).where(D.namespace_pk == namespace_pk).scalar_subquery()
        closed = episodes.members(namespace_pk, E.pk).where(E.seq >= begun)
        yield (
            select(P.pk)
            .join(schema.events, of_event)
            .where(E.namespace_pk == namespace_pk, E.seq >= func.coalesce(begun, 0), E.pk.not_in(closed))
        )
