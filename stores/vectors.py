"""The vectors table: the truth that every vector index is built from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, bindparam, func, insert, select, type_coerce, update
from sqlalchemy.types import NullType

from agentmem.contracts import Precision, Vectors
from agentmem.errors import EmbedderMismatchError

from . import schema, vector_copies
from .bulk import insert_rows
from .chunks import chunks
from .precision import COARSE, PRECISIONS, Codec

V = schema.vectors.c
_ACTIVE = "embedder"
# codes in stores depend on it, so it never changes
_ROTATION_SEED = 0
_BATCH = 4096
_COARSE = sorted(COARSE)
# read as the driver gives it: the type's own conversion copies every row
_RAW = type_coerce(V.data, NullType())
# every recall asks these, and putting them together takes longer than answering them
_OF_PASSAGES = select(V.passage_pk, V.precision, _RAW).where(
    V.embedder_pk == bindparam("embedder"), V.passage_pk.in_(bindparam("keys", expanding=True))
)
_ACTIVE_KEY = select(schema.meta.c.value).where(schema.meta.c.key == _ACTIVE)
_EMBEDDER = select(schema.embedders.c.pk, schema.embedders.c.name, schema.embedders.c.dims).where(
    schema.embedders.c.pk == bindparam("key")
)
_OF_NAMESPACE = _OF_PASSAGES.where(V.namespace_pk == bindparam("namespace"))


def bind(connection: Connection, name: str, dims: int) -> int:
    """The key of the store's embedder, recorded on first use.

    Raises:
        EmbedderMismatchError: the store was built with another name or dims.
    """
    active = active_embedder(connection)
    if active is None:
        key = add_embedder(connection, name, dims)
        activate(connection, key)
        return key
    key, stored_name, stored_dims = active
    if (stored_name, stored_dims) != (name, dims):
        raise EmbedderMismatchError(stored_name, stored_dims, name, dims)
    return key


def active_embedder(connection: Connection) -> tuple[int, str, int] | None:
    """Key, name and dims of the embedder in use; None in a store without one."""
    active = connection.execute(_ACTIVE_KEY).scalar_one_or_none()
    if active is None:
        return None
    row = connection.execute(_EMBEDDER, {"key": int(active)}).one()
    return row.pk, row.name, row.dims


def add_embedder(connection: Connection, name: str, dims: int) -> int:
    """The key of an embedder, added if new."""
    columns = schema.embedders.c
    row = connection.execute(select(columns.pk, columns.dims).where(columns.name == name)).one_or_none()
    if row is not None:
        if row.dims != dims:
            raise EmbedderMismatchError(name, row.dims, name, dims)
        return int(row.pk)
    key: int = connection.execute(
        insert(schema.embedders).values(name=name, dims=dims).returning(columns.pk)
    ).scalar_one()
    return key


def activate(connection: Connection, embedder_pk: int) -> None:
    """Make an embedder the store's own."""
    connection.execute(schema.meta.delete().where(schema.meta.c.key == _ACTIVE))
    connection.execute(insert(schema.meta).values(key=_ACTIVE, value=str(embedder_pk)))


def add(connection: Connection, embedder_pk: int | None, rows: Sequence[tuple[int, int, bytes]]) -> None:
    """Insert `(namespace, passage, float32 bytes)` rows."""
    if not rows:
        return
    insert_rows(
        connection,
        schema.vectors,
        ("namespace_pk", "passage_pk", "embedder_pk", "precision", "data"),
        [(namespace_pk, passage_pk, embedder_pk, "float32", data) for namespace_pk, passage_pk, data in rows],
    )
    assert embedder_pk is not None, "vectors come from an embedder"
    data = np.frombuffer(b"".join(row[2] for row in rows), dtype=np.float32).reshape(len(rows), -1)
    vector_copies.add(connection, embedder_pk, [row[0] for row in rows], [row[1] for row in rows], data)


def codes_of(connection: Connection, embedder_pk: int, keys: Sequence[int]) -> list[bytes]:
    """The vectors of these passages as they are stored, in order; every one has one."""
    found = {
        row[0]: row[1]
        for chunk in chunks(keys)
        for row in connection.execute(
            select(V.passage_pk, _RAW).where(V.passage_pk.in_(chunk), V.embedder_pk == embedder_pk)
        )
    }
    return [bytes(found[key]) for key in keys]


def keep_codes(
    connection: Connection, embedder_pk: int, codes: Sequence[tuple[int, Precision, bytes]]
) -> None:
    """Give passages, whose vectors are the decoded ones, the `(passage, precision, bytes)` they come from."""
    if codes:
        connection.execute(
            update(schema.vectors)
            .where(V.passage_pk == bindparam("key"), V.embedder_pk == embedder_pk)
            .values(precision=bindparam("new_precision"), data=bindparam("new_data")),
            [{"key": key, "new_precision": name, "new_data": data} for key, name, data in codes],
        )


class Batch(NamedTuple):
    """Vectors as read: keys `[n]`, decoded rows `[n, dims]`, which of them are kept in 4 bits or less, and the last.

    `last_data` is the last row as stored, by which it is known again.
    """

    keys: NDArray[np.int64]
    rows: Vectors
    coarse: NDArray[np.bool_]
    last_pk: int
    last_data: bytes


def keys_after(namespace_pk: int, embedder_pk: int) -> Select[int]:
    """The keys of a namespace's vectors that were stored after `:last`, in that order."""
    return (
        select(V.pk)
        .where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk, V.pk > bindparam("last"))
        .order_by(V.pk)
    )


def after(
    connection: Connection, namespace_pk: int, embedder_pk: int, last_pk: int, dims: int
) -> Iterator[Batch]:
    """What was stored after `last_pk`, in order of storing, a batch at a time."""
    # by keys out of the index: SQLite, which takes every namespace for a large one, would read through all vectors
    own = keys_after(namespace_pk, embedder_pk).limit(_BATCH).subquery()
    statement = (
        select(V.pk, V.passage_pk, V.precision, _RAW)
        .join(own, own.c.pk == V.pk)
        .where(V.namespace_pk == namespace_pk)
        .order_by(own.c.pk)
    )
    while found := connection.execute(statement, {"last": last_pk}).all():
        last_pk = found[-1][0]
        yield _batch(found, dims)


def count_after(
    connection: Connection, namespace_pk: int, embedder_pk: int, last_pk: int, limit: int | None = None
) -> int:
    """How many vectors were stored after `last_pk`; no further than one past `limit`."""
    found = keys_after(namespace_pk, embedder_pk)
    counted = (found if limit is None else found.limit(limit + 1)).subquery()
    return int(connection.execute(select(func.count()).select_from(counted), {"last": last_pk}).scalar_one())


def sample(
    connection: Connection, namespace_pk: int, embedder_pk: int, dims: int, size: int
) -> tuple[Batch, int]:
    """Vectors chosen at random among all of a namespace, at most `size`, and how many there are."""
    scan = select(V.pk).where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk)
    pks = np.fromiter(connection.execute(scan).scalars(), dtype=np.int64)
    chosen = np.sort(np.random.default_rng(0).permutation(pks)[:size]).tolist()
    found = [
        row
        for chunk in chunks(chosen)
        for row in connection.execute(
            select(V.pk, V.passage_pk, V.precision, _RAW).where(V.pk.in_(chunk)).order_by(V.pk)
        )
    ]
    return _batch(found, dims), len(pks)


def _batch(found: Sequence[Any], dims: int) -> Batch:
    keys = np.fromiter((row[1] for row in found), dtype=np.int64, count=len(found))
    names = np.array([row[2] for row in found], dtype=str)
    rows = decoded(names, [row[3] for row in found], dims)
    return Batch(keys, rows, np.isin(names, _COARSE), found[-1][0], found[-1][3])


def decoded(names: NDArray[np.str_], data: Sequence[bytes], dims: int) -> Vectors:
    """Rows `[n, dims]` from what is stored in the precisions `names`."""
    if (names == "float32").all():
        return np.frombuffer(b"".join(data), dtype=np.float32).reshape(-1, dims)
    decoder = codec(dims)
    rows = np.empty((len(data), dims), dtype=np.float32)
    for name in PRECISIONS:
        places = np.flatnonzero(names == name).tolist()
        if places:
            codes = np.frombuffer(b"".join(data[place] for place in places), dtype=np.uint8)
            rows[places] = decoder.decode(codes.reshape(len(places), -1), name)
    return rows


def codec(dims: int) -> Codec:
    """What encodes and decodes vectors of lower precision, in every store alike."""
    return Codec(dims, _ROTATION_SEED)


def newest(connection: Connection, namespace_pk: int, embedder_pk: int) -> int:
    """The newest vector row of a namespace; 0 where there is none."""
    found = connection.execute(
        select(func.max(V.pk)).where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk)
    ).scalar()
    return int(found or 0)


def data_of(connection: Connection, pk: int) -> bytes | None:
    """The bytes of one vector row, or None where it is gone."""
    data: bytes | None = connection.execute(select(_RAW).where(V.pk == pk)).scalar_one_or_none()
    return data


def of_passages(
    connection: Connection, embedder_pk: int, keys: Sequence[int], dims: int, namespace_pk: int | None = None
) -> tuple[NDArray[np.int64], Vectors]:
    """Keys and vectors of these passages, as far as they have one; of one namespace only where it is given."""
    statement, among = _OF_PASSAGES, {"embedder": embedder_pk}
    if namespace_pk is not None:
        statement, among = _OF_NAMESPACE, {**among, "namespace": namespace_pk}
    found = [
        row for chunk in chunks(keys) for row in connection.execute(statement, {**among, "keys": chunk}).all()
    ]
    names = np.array([row[1] for row in found], dtype=str)
    rows = decoded(names, [row[2] for row in found], dims)
    return np.fromiter((row[0] for row in found), dtype=np.int64, count=len(found)), rows


def live_keys(connection: Connection, namespace_pk: int, embedder_pk: int, last_pk: int) -> NDArray[np.int64]:
    """Keys of the passages of a namespace whose vector was stored up to `last_pk` and is still there."""
    found = connection.execute(
        select(V.passage_pk).where(
            V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk, V.pk <= last_pk
        )
    ).scalars()
    return np.fromiter(found, dtype=np.int64)
