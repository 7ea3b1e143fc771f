"""Episodes: ranges of positions of one session. Every event is in exactly one, or in none yet.

The ranges of a session do not meet; those of sessions that take turns may. The caller of what writes holds the lock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, bindparam, delete, func, insert, select, update

from agentmem.clock import from_micros, to_micros
from agentmem.types import Episode, Event, Namespace
from agentmem.write.summarise import describe

from . import schema
from .chunks import chunks
from .records import to_event

E = schema.events.c
X = schema.episodes.c
_LIFE = ("strength", "stability_days", "recalls", "last_recalled_at")


def read(
    connection: Connection,
    namespace_pk: int,
    namespace: Namespace,
    *,
    ids: Sequence[str] | None = None,
    session: str | None = None,
    after_seq: int = -1,
    limit: int | None = None,
) -> list[Episode]:
    """Episodes in the order they begin."""
    statement = (
        select(schema.episodes)
        .where(X.namespace_pk == namespace_pk, X.last_seq > after_seq)
        .order_by(X.first_seq)
    )
    if session is not None:
        statement = statement.where(X.session == session)
    if ids is not None:
        rows = [row for chunk in chunks(ids) for row in connection.execute(statement.where(X.id.in_(chunk)))]
        rows.sort(key=lambda row: row.first_seq)
        return [to_episode(row, namespace) for row in rows[:limit]]
    return [to_episode(row, namespace) for row in connection.execute(statement.limit(limit))]


def to_episode(row: Row[Any], namespace: Namespace) -> Episode:
    """An episode from a row of `episodes`."""
    recalled = row.last_recalled_at
    return Episode(
        id=row.id,
        namespace=namespace,
        session=row.session,
        first_seq=row.first_seq,
        last_seq=row.last_seq,
        events=row.events,
        title=row.title,
        summary=row.summary,
        reason=row.reason,
        token_count=row.token_count,
        started_at=from_micros(row.started_at),
        ended_at=from_micros(row.ended_at),
        strength=row.strength,
        stability_days=row.stability_days,
        recalls=row.recalls,
        last_recalled_at=None if recalled is None else from_micros(recalled),
        refined_by=row.refined_by,
    )


def of(connection: Connection, namespace_pk: int, seqs: Sequence[int]) -> dict[int, str]:
    """Per position the id of its episode."""
    statement = _ids_at()
    return {
        seq: id_
        for chunk in chunks(seqs)
        for seq, id_ in connection.execute(statement, {"namespace": namespace_pk, "seqs": chunk}).all()
    }


@cache
def _ids_at() -> Select[Any]:
    # every recall asks this, and putting it together takes longer than answering it
    wanted = E.seq.in_(bindparam("seqs", expanding=True))
    return members(bindparam("namespace"), E.seq, X.id).where(wanted)


def members(namespace_pk: int | BindParameter[int], *columns: Any) -> Select[Any]:
    """Events beside the episode they are in."""
    before = schema.episodes.alias()
    # by the index on where the episodes of a session begin; a range condition would read them all
    last_begun = (
        select(before.c.pk)
        .where(
            before.c.namespace_pk == E.namespace_pk,
            before.c.session == E.session,
            before.c.first_seq <= E.seq,
        )
        .order_by(before.c.first_seq.desc())
        .limit(1)
        .correlate(schema.events)
        .scalar_subquery()
    )
    return (
        select(*columns)
        .select_from(schema.events)
        .join(schema.episodes, X.pk == last_begun)
        .where(E.namespace_pk == namespace_pk, X.last_seq >= E.seq)
    )


def add(
    connection: Connection,
    namespace_pk: int,
    found: Sequence[Episode],
    lives: Mapping[str, Sequence[Any]] = MappingProxyType({}),
) -> bool:
    """Store episodes; False, and nothing done, where they are not what the events are.

    An episode named in `lives` takes up the life it had before a rebuild.
    """
    if not all(_is_whole(connection, namespace_pk, episode) for episode in found):
        return False
    rows = [
        _values(namespace_pk, episode)
        | (dict(zip(_LIFE, lives[episode.id], strict=True)) if episode.id in lives else {})
        for episode in found
    ]
    if rows:
        connection.execute(insert(schema.episodes), rows)
    return True


def _places(connection: Connection, namespace_pk: int, found: Sequence[Episode]) -> list[int]:
    """The positions of the events of episodes; one that two hold stands twice."""
    return sorted(
        seq
        for episode in found
        for seq in connection.execute(
            _in_range(namespace_pk, episode, E.seq).select_from(schema.events)
        ).scalars()
    )


def _is_whole(connection: Connection, namespace_pk: int, episode: Episode) -> bool:
    held = connection.execute(
        _events_held(),
        {
            "namespace": namespace_pk,
            "session": episode.session,
            "first": episode.first_seq,
            "last": episode.last_seq,
        },
    ).scalar_one()
    return bool(held == episode.events)


@cache
def _events_held() -> Select[Any]:
    # every episode made asks this
    return select(func.count()).where(
        E.namespace_pk == bindparam("namespace"),
        E.session == bindparam("session"),
        E.seq.between(bindparam("first"), bindparam("last")),
    )


def _in_range(namespace_pk: int, episode: Episode | Row[Any], *columns: Any) -> Select[Any]:
    return select(*columns).where(
        E.namespace_pk == namespace_pk,
        E.session == episode.session,
        E.seq.between(episode.first_seq, episode.last_seq),
    )


def _values(namespace_pk: int, episode: Episode) -> dict[str, Any]:
    recalled = episode.last_recalled_at
    return {
        "namespace_pk": namespace_pk,
        "id": episode.id,
        "session": episode.session,
        "first_seq": episode.first_seq,
        "last_seq": episode.last_seq,
        "events": episode.events,
        "title": episode.title,
        "summary": episode.summary,
        "reason": episode.reason,
        "refined_by": episode.refined_by,
        "token_count": episode.token_count,
        "started_at": to_micros(episode.started_at),
        "ended_at": to_micros(episode.ended_at),
        "strength": episode.strength,
        "stability_days": episode.stability_days,
        "recalls": episode.recalls,
        "last_recalled_at": None if recalled is None else to_micros(recalled),
    }


def replace(
    connection: Connection, namespace_pk: int, old: Sequence[Episode], new: Sequence[Episode]
) -> bool:
    """Other episodes over the same events; False, and nothing done, where the old ones have changed, or the new ones
    are not over the same events."""
    namespace = old[0].namespace if old else ()
    if _places(connection, namespace_pk, old) != _places(connection, namespace_pk, new):
        return False
    if read(connection, namespace_pk, namespace, ids=[episode.id for episode in old]) != list(old):
        return False
    if not all(_is_whole(connection, namespace_pk, episode) for episode in new):
        return False
    for chunk in chunks([episode.id for episode in old]):
        connection.execute(delete(schema.episodes).where(X.namespace_pk == namespace_pk, X.id.in_(chunk)))
    return add(connection, namespace_pk, new)


def touched(connection: Connection, namespace_pk: int, event_pks: Sequence[int]) -> list[int]:
    """Keys of the episodes these events are in; asked before the events go."""
    found: set[int] = set()
    for chunk in chunks(event_pks):
        found.update(
            connection.execute(members(namespace_pk, X.pk).where(E.pk.in_(chunk)).distinct()).scalars()
        )
    return sorted(found)


def mend(connection: Connection, namespace_pk: int, episode_pks: Sequence[int]) -> None:
    """Make episodes anew from the events that are left of them; one with none left goes."""
    for chunk in chunks(episode_pks):
        for row in connection.execute(select(schema.episodes).where(X.pk.in_(chunk))).all():
            left = [
                to_event(event, ())
                for event in connection.execute(_in_range(namespace_pk, row, schema.events).order_by(E.seq))
            ]
            this = X.pk == row.pk
            if left:
                connection.execute(update(schema.episodes).where(this).values(_described(left)))
            else:
                connection.execute(delete(schema.episodes).where(this))


def _described(events: Sequence[Event]) -> dict[str, Any]:
    # a model's words may rest on what was forgotten, so they go with it
    title, summary = describe(events)
    return {
        "first_seq": events[0].seq,
        "last_seq": events[-1].seq,
        "events": len(events),
        "title": title,
        "summary": summary,
        "refined_by": None,
        "token_count": sum(event.token_count for event in events),
        "started_at": to_micros(min(event.occurred_at for event in events)),
        "ended_at": to_micros(max(event.occurred_at for event in events)),
    }


def clear(connection: Connection, namespace_pk: int) -> None:
    """Remove all episodes of a namespace."""
    connection.execute(delete(schema.episodes).where(X.namespace_pk == namespace_pk))
