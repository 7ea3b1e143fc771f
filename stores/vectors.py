"""The vectors table: the truth that every vector index is built from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, type_coerce
from sqlalchemy.types import NullType

from agentmem.contracts import Vectors
from agentmem.errors import EmbedderMismatchError

from . import schema
from .chunks import chunks

V = schema.vectors.c
_ACTIVE = "embedder"
# read as the driver gives it: the type's own conversion copies every row
_RAW = type_coerce(V.data, NullType())


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
    columns = schema.embedders.c
    active = connection.execute(
        select(schema.meta.c.value).where(schema.meta.c.key == _ACTIVE)
    ).scalar_one_or_none()
    if active is None:
        return None
    row = connection.execute(
        select(columns.pk, columns.name, columns.dims).where(columns.pk == int(active))
    ).one()
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
    connection.execute(
        insert(schema.vectors),
        [
            {
                "namespace_pk": namespace_pk,
                "passage_pk": passage_pk,
                "embedder_pk": embedder_pk,
                "precision": "float32",
                "data": data,
            }
            for namespace_pk, passage_pk, data in rows
        ],
    )


def after(
    connection: Connection, namespace_pk: int, embedder_pk: int, last_pk: int, dims: int
) -> tuple[NDArray[np.int64], Vectors, int]:
    """Keys `[n]`, vectors `[n, dims]` and the newest row after `last_pk`, in order of storing."""
    rows = connection.execute(
        select(V.pk, V.passage_pk, _RAW)
        .where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk, V.pk > last_pk)
        .order_by(V.pk)
    ).all()
    keys = np.fromiter((row[1] for row in rows), dtype=np.int64, count=len(rows))
    data = np.frombuffer(b"".join(row[2] for row in rows), dtype=np.float32).reshape(-1, dims)
    return keys, data, rows[-1][0] if rows else last_pk


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
    connection: Connection, embedder_pk: int, keys: Sequence[int], dims: int
) -> tuple[NDArray[np.int64], Vectors]:
    """Keys and vectors of these passages, as far as they have one."""
    rows = [
        row
        for chunk in chunks(keys)
        for row in connection.execute(
            select(V.passage_pk, _RAW).where(V.passage_pk.in_(chunk), V.embedder_pk == embedder_pk)
        )
    ]
    data = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float32).reshape(-1, dims)
    return np.fromiter((row[0] for row in rows), dtype=np.int64, count=len(rows)), data


def live_keys(connection: Connection, namespace_pk: int, embedder_pk: int) -> NDArray[np.int64]:
    """Keys of all passages of a namespace that have a vector."""
    rows = connection.execute(
        select(V.passage_pk).where(V.namespace_pk == namespace_pk, V.embedder_pk == embedder_pk)
    ).scalars()
    return np.fromiter(rows, dtype=np.int64)
