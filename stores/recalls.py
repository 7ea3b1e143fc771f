"""How well the events of a namespace are held: what recalls made of them, and their retention now.

An event's strength is its own row here once it was recalled. An episode is held as well as its best-held event, so
what is recalled of it keeps the rest near.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, func, insert, select

from agentmem.clock import from_micros, to_micros
from agentmem.retention import FIRST_STABILITY_DAYS, Floats, Strength, level, retention, strengthened

from . import schema
from .chunks import chunks

E = schema.events.c
EP = schema.episodes.c
R = schema.recalls.c
_DAY_MICROS = 86_400e6


def record(connection: Connection, namespace_pk: int, recalled: Mapping[str, Sequence[datetime]]) -> None:
    """Strengthen events by when they were recalled; ids that are gone, or no event's, are skipped."""
    for ids in chunks(list(recalled)):
        found = connection.execute(
            select(E.pk, E.id, E.recorded_at, R.stability_days, R.recalls, R.last_recalled_at)
            .outerjoin(schema.recalls, R.event_pk == E.pk)
            .where(E.namespace_pk == namespace_pk, E.id.in_(ids))
        ).all()
        rows = []
        for row in found:
            if row.recalls is None:
                old = Strength(FIRST_STABILITY_DAYS, 0, from_micros(row.recorded_at))
            else:
                old = Strength(row.stability_days, row.recalls, from_micros(row.last_recalled_at))
            new = strengthened(old, recalled[row.id])
            rows.append(
                {
                    "event_pk": row.pk,
                    "namespace_pk": namespace_pk,
                    "stability_days": new.stability_days,
                    "recalls": new.recalls,
                    "last_recalled_at": to_micros(new.last_at),
                }
            )
        if rows:
            connection.execute(
                delete(schema.recalls).where(
                    R.namespace_pk == namespace_pk, R.event_pk.in_([row.pk for row in found])
                )
            )
            connection.execute(insert(schema.recalls), rows)


def lives_of(connection: Connection, event_pks: Sequence[int]) -> dict[int, tuple[float, int, int]]:
    """What recalls made of these events: stability in days, how many, and when the last was; none where none was."""
    return {
        row.event_pk: (row.stability_days, row.recalls, row.last_recalled_at)
        for chunk in chunks(event_pks)
        for row in connection.execute(select(schema.recalls).where(R.event_pk.in_(chunk)))
    }


def take_lives(connection: Connection, namespace_pk: int, lives: Mapping[str, Sequence[float | int]]) -> None:
    """Give events, by id, what `lives_of` told of them elsewhere; they were never recalled here."""
    for ids in chunks(list(lives)):
        rows = [
            {
                "event_pk": row.pk,
                "namespace_pk": namespace_pk,
                **dict(zip(("stability_days", "recalls", "last_recalled_at"), lives[row.id], strict=True)),
            }
            for row in connection.execute(
                select(E.pk, E.id).where(E.namespace_pk == namespace_pk, E.id.in_(ids))
            )
        ]
        if rows:
            connection.execute(insert(schema.recalls), rows)


@dataclass(frozen=True, slots=True)
class Held:
    """Events by ascending key `[n]` with their retention `[n]`, the better of their own and their episode's."""

    pks: NDArray[np.int64]
    retention: Floats

    def levels(self, event_pks: NDArray[np.int64]) -> NDArray[np.int64]:
        """How far down each of these events is, as `retention.level`; -1 for one that was not there."""
        places = np.searchsorted(self.pks, event_pks)
        known = places < len(self.pks)
        known[known] = self.pks[places[known]] == event_pks[known]
        found = np.full(len(event_pks), -1)
        found[known] = level(self.retention[places[known]])
        return found


def held(connection: Connection, namespace_pk: int, now: datetime) -> Held:
    """How well each event of a namespace is held at this moment."""
    stored = connection.execute(
        select(E.pk, E.seq, E.session, E.recorded_at, R.stability_days, R.last_recalled_at)
        .outerjoin(schema.recalls, R.event_pk == E.pk)
        .where(E.namespace_pk == namespace_pk)
        .order_by(E.seq),
        execution_options={"yield_per": 4096},
    )
    sessions: dict[str, int] = {}
    numbers = np.fromiter(
        (
            (pk, seq, sessions.setdefault(session, len(sessions)), max(recorded, last or 0), days or 0.0)
            for pk, seq, session, recorded, days, last in stored
        ),
        dtype=np.dtype("i8,i8,i8,i8,f8"),
    )
    pks, seqs, places, since, days = (numbers[name] for name in ("f0", "f1", "f2", "f3", "f4"))
    elapsed = (to_micros(now) - since) / _DAY_MICROS
    stability = np.where(days > 0, days, FIRST_STABILITY_DAYS)
    own = retention(elapsed, stability, _evidence(connection, namespace_pk, pks))
    shared = _with_episode(connection, namespace_pk, sessions, seqs, places, own)
    order = np.argsort(pks)
    return Held(pks[order], shared[order])


def _evidence(connection: Connection, namespace_pk: int, pks: NDArray[np.int64]) -> Floats:
    """How many memories rest on each event."""
    link = schema.sources.c
    found = connection.execute(
        select(link.event_pk, func.count()).where(link.namespace_pk == namespace_pk).group_by(link.event_pk)
    )
    counted = {row[0]: row[1] for row in found}
    if not counted:
        return np.zeros(len(pks))
    return np.fromiter((counted.get(pk, 0) for pk in pks.tolist()), dtype=np.float64, count=len(pks))


def _with_episode(
    connection: Connection,
    namespace_pk: int,
    sessions: Mapping[str, int],
    seqs: NDArray[np.int64],
    places: NDArray[np.int64],
    own: Floats,
) -> Floats:
    """The retention of each event, or of the best-held event of its episode."""
    shared = own.copy()
    rows_of = dict(_rows_by_place(places))
    for session, first, last in connection.execute(
        select(EP.session, EP.first_seq, EP.last_seq).where(EP.namespace_pk == namespace_pk)
    ):
        rows = rows_of.get(sessions.get(session, -1))
        if rows is None:
            continue
        start, end = np.searchsorted(seqs[rows], [first, last + 1])
        inside = rows[start:end]
        if len(inside):
            shared[inside] = own[inside].max()
    return shared


def _rows_by_place(places: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Per session its rows in order."""
    order = np.argsort(places, kind="stable")
    borders = np.flatnonzero(np.diff(places[order])) + 1
    for rows in np.split(order, borders):
        if len(rows):
            yield int(places[rows[0]]), rows
