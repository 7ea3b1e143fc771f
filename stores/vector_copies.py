"""Half-precision copies of vectors in a PostgreSQL table, for pgvector to search; the truth stays in `vectors`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, Connection, Text, bindparam, text

from agentmem.contracts import Vectors

TABLE = "vector_index"
# pgvector's limit for a stored halfvec
MAX_DIMS = 16_000
_ADD = text(
    f"INSERT INTO {TABLE} (namespace_pk, passage_pk, embedder_pk, embedding) "
    "SELECT namespace_pk, passage_pk, :embedder, CAST(embedding AS halfvec) "
    "FROM unnest(:namespaces, :passages, :embeddings) AS given(namespace_pk, passage_pk, embedding)"
).bindparams(
    bindparam("namespaces", type_=ARRAY(BigInteger)),
    bindparam("passages", type_=ARRAY(BigInteger)),
    bindparam("embeddings", type_=ARRAY(Text)),
)


def are_kept(connection: Connection) -> bool:
    """Whether this database has such a table."""
    if connection.dialect.name != "postgresql":
        return False
    if connection.get_execution_options().get("agentmem_vector_index"):
        return True
    # another process may have made it since we opened the store
    return connection.exec_driver_sql(f"SELECT to_regclass('{TABLE}')").scalar() is not None


def add(
    connection: Connection,
    embedder_pk: int,
    namespace_pks: Sequence[int],
    keys: Sequence[int],
    rows: Vectors,
) -> None:
    """Copy vectors `[n, dims]` of passages, where copies are kept."""
    if not len(keys) or not are_kept(connection):
        return
    connection.execute(
        _ADD,
        {
            "embedder": embedder_pk,
            "namespaces": list(namespace_pks),
            "passages": list(keys),
            "embeddings": [literal(row) for row in rows.astype(np.float16)],
        },
    )


def literal(vector: NDArray[Any]) -> str:
    """A vector as pgvector reads it."""
    return "[" + ",".join(map(str, vector.tolist())) + "]"
