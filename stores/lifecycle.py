"""Moves stored vectors to the precision their events' retention asks for. Words are never touched.

A vector that falls is encoded from what is stored. One that rises is made anew from its words, by the caller,
for what was lost is nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from agentmem.contracts import Precision, Vectors
from agentmem.faults import point

from . import schema, vector_copies, vectors
from .chunks import chunks
from .precision import PRECISIONS, row_bytes
from .recalls import Held

P = schema.passages.c
V = schema.vectors.c
BATCH = 4096


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of the table: how far it goes, and which rows have another precision than they should."""

    last_pk: int
    seen: int
    falling: Mapping[Precision, tuple[int, ...]]
    rising: tuple[int, ...]


def precisions(connection: Connection, namespace_pk: int, embedder_pk: int) -> dict[Precision, int]:
    """How many vectors a namespace has in each precision, finest first."""
    found = connection.execute(
        select(V.precision, func.count())
        .where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk)
        .group_by(V.precision)
    )
    counted = {row[0]: row[1] for row in found}
    return {name: counted[name] for name in PRECISIONS if name in counted}


def size_bytes(counted: Mapping[Precision, int], dims: int) -> int:
    """What so many vectors take."""
    return sum(count * row_bytes(name, dims) for name, count in counted.items())


def next_step(
    connection: Connection, namespace_pk: int, embedder_pk: int, held: Held, after_pk: int, until_pk: int
) -> Step | None:
    """The next stretch after a row; None past the end. Vectors of notes stay as they are."""
    own = vectors.keys_after(namespace_pk, embedder_pk).where(V.pk <= until_pk).limit(BATCH).subquery()
    found = connection.execute(
        select(V.pk, V.passage_pk, V.precision, P.event_pk)
        .join(own, own.c.pk == V.pk)
        .join(schema.passages, P.pk == V.passage_pk)
        .where(V.namespace_pk == namespace_pk)
        .order_by(own.c.pk),
        {"last": after_pk},
    ).all()
    if not found:
        return None
    falling: dict[Precision, list[int]] = {}
    rising: list[int] = []
    for row, wanted in zip(found, _wanted(found, held), strict=True):
        place = PRECISIONS.index(row.precision)
        if wanted > place:
            falling.setdefault(PRECISIONS[wanted], []).append(row.pk)
        elif 0 <= wanted < place:
            rising.append(row.passage_pk)
    return Step(found[-1].pk, len(found), {name: tuple(pks) for name, pks in falling.items()}, tuple(rising))


def _wanted(found: Sequence[Row[Any, Any, Any, Any]], held: Held) -> list[int]:
    """Per row the place of the precision it should have; -1 for one that is no event's, or an event just stored."""
    levels: list[int] = held.levels(np.array([row.event_pk or -1 for row in found], dtype=np.int64)).tolist()
    return levels


def fall(connection: Connection, namespace_pk: int, embedder: tuple[int, int], step: Step) -> int:
    """Store the step's falling vectors in fewer bits; returns how many were still there."""
    embedder_pk, dims = embedder
    codec = vectors.codec(dims)
    changed = 0
    for name, pks in step.falling.items():
        for chunk in chunks(pks):
            # one that was forgotten or replaced meanwhile is not there by this key
            still = connection.execute(
                select(V.passage_pk).where(V.namespace_pk == namespace_pk, V.pk.in_(chunk))
            ).scalars()
            keys, rows = vectors.of_passages(connection, embedder_pk, still.all(), dims)
            stored = _stored(namespace_pk, embedder_pk, keys.tolist(), codec.encode(rows, name), name)
            if vector_copies.are_kept(connection):
                _overwrite(connection, stored)
            else:
                _replace(connection, stored)
            changed += len(keys)
            point("maintain.falling")
    return changed


def rise(
    connection: Connection, namespace_pk: int, embedder_pk: int, keys: Sequence[int], rows: Vectors
) -> int:
    """Store vectors made anew in full precision in place of coarser ones; returns how many were still there."""
    changed = 0
    places = {key: place for place, key in enumerate(keys)}
    for chunk in chunks(keys):
        still = (
            connection.execute(
                select(V.passage_pk).where(
                    V.namespace_pk == namespace_pk,
                    V.passage_pk.in_(chunk),
                    V.embedder_pk == embedder_pk,
                    V.precision != "float32",
                )
            )
            .scalars()
            .all()
        )
        data = rows[[places[key] for key in still]]
        _replace(connection, _stored(namespace_pk, embedder_pk, still, data, "float32"))
        vector_copies.add(connection, embedder_pk, [namespace_pk] * len(still), still, data)
        changed += len(still)
    return changed


def _stored(
    namespace_pk: int, embedder_pk: int, keys: Sequence[int], data: np.ndarray[Any, Any], name: Precision
) -> list[dict[str, Any]]:
    return [
        {
            "namespace_pk": namespace_pk,
            "passage_pk": key,
            "embedder_pk": embedder_pk,
            "precision": name,
            "data": row.tobytes(),
        }
        for key, row in zip(keys, data, strict=True)
    ]


def _replace(connection: Connection, stored: Sequence[Mapping[str, Any]]) -> None:
    """Under new keys, so that indexes in other processes read the rows again."""
    if not stored:
        return
    connection.execute(
        delete(schema.vectors).where(
            V.namespace_pk == stored[0]["namespace_pk"],
            V.embedder_pk == stored[0]["embedder_pk"],
            V.passage_pk.in_([row["passage_pk"] for row in stored]),
        )
    )
    point("maintain.replacing")
    connection.execute(insert(schema.vectors), stored)


def _overwrite(connection: Connection, stored: Sequence[Mapping[str, Any]]) -> None:
    """Where they lie, so that the copies the server searches stay in their index."""
    if not stored:
        return
    connection.execute(
        update(schema.vectors).where(
            V.namespace_pk == bindparam("of_namespace"),
            V.passage_pk == bindparam("of_passage"),
            V.embedder_pk == bindparam("of_embedder"),
        ),
        [
            {
                "of_namespace": row["namespace_pk"],
                "of_passage": row["passage_pk"],
                "of_embedder": row["embedder_pk"],
                "precision": row["precision"],
                "data": row["data"],
            }
            for row in stored
        ],
    )
