"""Whether what is derived agrees with the events and notes it comes from. Says what is wrong; mends nothing.

Every rule is a query for what breaks it, so that a sound store answers with nothing, however large it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from . import schema, vectors
from .precision import PRECISIONS, row_bytes

N = schema.namespaces.c
E = schema.events.c
M = schema.memories.c
P = schema.passages.c
V = schema.vectors.c
S = schema.sources.c
R = schema.recalls.c
X = schema.episodes.c
D = schema.derivations.c
_SHOWN = 3


def faults(connection: Connection) -> list[str]:
    """Every rule that is broken, with the first records that break it."""
    active = vectors.active_embedder(connection)
    rules = {
        **_counters(),
        **_owners(),
        **_spans(),
        **_vectors(*((-1, 0) if active is None else (active[0], active[2]))),
        **_recalls(),
        **_episodes(),
    }
    return [line for rule, statement in rules.items() for line in _broken(connection, rule, statement)]


def _broken(connection: Connection, rule: str, statement: Select[Any]) -> Iterator[str]:
    rows = connection.execute(statement.limit(_SHOWN + 1)).all()
    for row in rows[:_SHOWN]:
        yield rule.format(*row)
    if len(rows) > _SHOWN:
        yield f"… and more of these: {rule.format(*('…' for _ in rows[0]))}"


def _counters() -> Mapping[str, Select[Any]]:
    held = (
        select(P.namespace_pk, func.count().label("passages"), func.sum(P.terms).label("terms"))
        .group_by(P.namespace_pk)
        .subquery()
    )
    last = select(E.namespace_pk, func.max(E.seq).label("seq")).group_by(E.namespace_pk).subquery()
    passages, terms = func.coalesce(held.c.passages, 0), func.coalesce(held.c.terms, 0)
    beside = schema.namespaces.outerjoin(held, held.c.namespace_pk == N.pk)
    return {
        "namespace {} counts {} passages and has {}": select(N.path, N.passages, passages)
        .select_from(beside)
        .where(N.passages != passages),
        "namespace {} counts {} terms and has {}": select(N.path, N.terms, terms)
        .select_from(beside)
        .where(N.terms != terms),
        "namespace {} would give out place {} again: its last event has {}": select(
            N.path, N.next_seq, last.c.seq
        )
        .join(last, last.c.namespace_pk == N.pk)
        .where(N.next_seq <= last.c.seq),
    }


def _owners() -> Mapping[str, Select[Any]]:
    return {
        "event {} has no passage": select(E.id)
        .outerjoin(schema.passages, P.event_pk == E.pk)
        .where(P.pk.is_(None)),
        "note {} has {} passages instead of one": select(M.id, func.count(P.pk))
        .outerjoin(schema.passages, P.memory_pk == M.pk)
        .group_by(M.pk, M.namespace_pk, M.id)
        .having(func.count(P.pk) != 1),
        "passage {} belongs to no one event or note": select(P.pk).where(
            P.event_pk.is_(None) == P.memory_pk.is_(None)
        ),
        "passage {} lies in another namespace than its event {}": select(P.pk, E.id)
        .join(schema.events, E.pk == P.event_pk)
        .where(P.namespace_pk != E.namespace_pk),
        "passage {} lies in another namespace than its note {}": select(P.pk, M.id)
        .join(schema.memories, M.pk == P.memory_pk)
        .where(P.namespace_pk != M.namespace_pk),
        "note {} rests on event {} of another namespace": select(M.id, E.id)
        .select_from(schema.sources)
        .join(schema.memories, M.pk == S.memory_pk)
        .join(schema.events, E.pk == S.event_pk)
        .where(or_(M.namespace_pk != E.namespace_pk, S.namespace_pk != M.namespace_pk)),
        "{} is the id of an event and of a note": select(E.id).join(
            schema.memories, and_(M.namespace_pk == E.namespace_pk, M.id == E.id)
        ),
    }


def _spans() -> Mapping[str, Select[Any]]:
    size = func.length(E.content)
    return {
        "the passages of event {} do not cover its words": select(E.id)
        .join(schema.passages, P.event_pk == E.pk)
        .group_by(E.pk, E.namespace_pk, E.id, E.content)
        .having(or_(func.min(P.start) != 0, func.max(P.end) != size, func.sum(P.end - P.start) != size)),
    }


def _vectors(active: int, dims: int) -> Mapping[str, Select[Any]]:
    bytes_due = case({name: row_bytes(name, dims) for name in PRECISIONS}, value=V.precision, else_=-1)
    of_passage = and_(V.passage_pk == P.pk, V.embedder_pk == active)
    return {
        "vector {} belongs to no passage": select(V.pk)
        .outerjoin(schema.passages, P.pk == V.passage_pk)
        .where(P.pk.is_(None)),
        "vector {} lies in another namespace than its passage": select(V.pk)
        .join(schema.passages, P.pk == V.passage_pk)
        .where(V.namespace_pk != P.namespace_pk),
        "vector {} has {} bytes instead of {}": select(V.pk, func.length(V.data), bytes_due).where(
            V.embedder_pk == active, func.length(V.data) != bytes_due
        ),
        "passage {} has no vector and waits for none": select(P.pk)
        .outerjoin(schema.vectors, of_passage)
        .where(V.pk.is_(None), P.index_text.is_(None)),
        "passage {} waits for a vector that it has": select(P.pk)
        .join(schema.vectors, of_passage)
        .where(P.index_text.is_not(None)),
    }


def _episodes() -> Mapping[str, Select[Any]]:
    within = and_(
        E.namespace_pk == X.namespace_pk, E.session == X.session, E.seq.between(X.first_seq, X.last_seq)
    )
    before = (
        func.lag(X.last_seq)
        .over(partition_by=(X.namespace_pk, X.session), order_by=X.first_seq)
        .label("before")
    )
    beside = select(X.id, X.first_seq, before).subquery()
    # the only episode that may hold an event, by the index on where those of a session begin
    last_begun = (
        select(X.last_seq)
        .where(X.namespace_pk == E.namespace_pk, X.session == E.session, X.first_seq <= E.seq)
        .order_by(X.first_seq.desc())
        .limit(1)
        .correlate(schema.events)
        .scalar_subquery()
    )
    return {
        "episode {} counts {} events and has {}": select(X.id, X.events, func.count(E.pk))
        .select_from(schema.episodes)
        .outerjoin(schema.events, within)
        .group_by(X.pk, X.namespace_pk, X.id, X.events)
        .having(X.events != func.count(E.pk)),
        "episode {} begins within the one before": select(beside.c.id).where(
            beside.c.first_seq <= beside.c.before
        ),
        "event {} is in no episode and not in the window": select(E.id)
        .join(schema.derivations, D.namespace_pk == E.namespace_pk)
        .where(E.seq < D.open_seq, func.coalesce(last_begun, -1) < E.seq),
    }


def _recalls() -> Mapping[str, Select[Any]]:
    return {
        "the recalls of event {} lie in another namespace": select(E.id)
        .join(schema.recalls, R.event_pk == E.pk)
        .where(R.namespace_pk != E.namespace_pk),
        "what recalls made of event {} cannot be: {} recalls, {} days": select(
            E.id, R.recalls, R.stability_days
        )
        .join(schema.recalls, R.event_pk == E.pk)
        .where(or_(R.recalls < 1, R.stability_days <= 0)),
    }
