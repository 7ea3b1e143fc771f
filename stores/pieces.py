"""Word pieces of passages for late interaction (ColBERT, Khattab and Zaharia 2020), one bit a coordinate.

Derived from the words as vectors are, and gone with them. A piece takes 52 bytes at 384 dims (`precision`): as good in
a ranking of many features as its float32s, which would take 1,536.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sqlalchemy import Connection, bindparam, insert, select, type_coerce
from sqlalchemy.types import NullType

from agentmem.contracts import Vectors

from . import schema
from .bulk import insert_rows
from .chunks import chunks
from .precision import row_bytes
from .vectors import codec

W = schema.pieces.c
V = schema.vectors.c
# every recall asks this; read as the driver gives it, as the type's own conversion copies every row
_DATA_OF = select(W.passage_pk, type_coerce(W.data, NullType())).where(
    W.passage_pk.in_(bindparam("keys", expanding=True)),
    W.embedder_pk == bindparam("embedder"),
    W.namespace_pk == bindparam("namespace"),
)


def add(
    connection: Connection,
    embedder_pk: int | None,
    passages: Sequence[tuple[int, int]],
    found: Sequence[Vectors | None],
) -> None:
    """Insert the pieces `[T, dims]` of `(namespace, passage)`; None, or none at all, is left out."""
    given = [
        (owner, rows) for owner, rows in zip(passages, found, strict=True) if rows is not None and len(rows)
    ]
    if not given or embedder_pk is None:
        return
    dims = given[0][1].shape[1]
    codes = codec(dims).encode(np.concatenate([rows for _, rows in given]), "binary")
    ends = np.cumsum([len(rows) for _, rows in given])
    values = [
        (namespace_pk, passage_pk, embedder_pk, codes[end - len(rows) : end].tobytes())
        for ((namespace_pk, passage_pk), rows), end in zip(given, ends.tolist(), strict=True)
    ]
    insert_rows(connection, schema.pieces, ("namespace_pk", "passage_pk", "embedder_pk", "data"), values)


def codes_of(connection: Connection, embedder_pk: int, keys: Sequence[int]) -> dict[int, bytes]:
    """The pieces of these passages as they are stored, `T` times `row_bytes`; of those that have any."""
    return {
        row.passage_pk: bytes(row.data)
        for chunk in chunks(keys)
        for row in connection.execute(
            select(W.passage_pk, W.data).where(W.passage_pk.in_(chunk), W.embedder_pk == embedder_pk)
        )
    }


def keep_codes(
    connection: Connection, namespace_pk: int, embedder_pk: int, codes: Sequence[tuple[int, bytes]]
) -> None:
    """Store `(passage, bytes)` as `codes_of` gave them, for passages without any."""
    if codes:
        connection.execute(
            insert(schema.pieces),
            [
                {"namespace_pk": namespace_pk, "passage_pk": key, "embedder_pk": embedder_pk, "data": data}
                for key, data in codes
            ],
        )


def near(
    connection: Connection,
    namespace_pk: int,
    embedder: tuple[int, int],
    keys: Sequence[int],
    query: Vectors,
) -> dict[int, Vectors]:
    """For each passage the greatest cosine `[Q]` of any of its pieces with each row of the query `[Q, dims]`."""
    embedder_pk, dims = embedder
    found = [
        row
        for chunk in chunks(keys)
        for row in connection.execute(
            _DATA_OF, {"keys": chunk, "embedder": embedder_pk, "namespace": namespace_pk}
        ).all()
    ]
    if not found:
        return {}
    codes = np.frombuffer(b"".join([row[1] for row in found]), dtype=np.uint8).reshape(
        -1, row_bytes("binary", dims)
    )
    cosines = codec(dims).products(codes, "binary", query)
    starts = np.cumsum([0, *(len(row[1]) // codes.shape[1] for row in found[:-1])])
    best = np.maximum.reduceat(cosines, starts, axis=0)
    return {row[0]: rows for row, rows in zip(found, best, strict=True)}


def missing(connection: Connection, embedder_pk: int, after: int, limit: int) -> list[int]:
    """Keys of passages with a vector of this embedder but no pieces, in order."""
    statement = (
        select(V.passage_pk)
        .outerjoin(schema.pieces, (W.passage_pk == V.passage_pk) & (W.embedder_pk == V.embedder_pk))
        .where(V.embedder_pk == embedder_pk, V.passage_pk > after, W.passage_pk.is_(None))
        .order_by(V.passage_pk)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())
