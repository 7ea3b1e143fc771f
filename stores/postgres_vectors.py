"""Vector search in PostgreSQL with pgvector: half-precision copies of the vectors under an HNSW index.

The `vectors` table stays the truth; the copies propose, and what they propose is scored from the truth. They
go with their vector by cascade. The planner reads a small namespace through its own rows, exactly, and a large
one through HNSW, which goes on looking until enough of what it finds is the namespace's (iterative scan).

HNSW: Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using HNSW graphs".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    select,
    text,
)
from sqlalchemy.types import UserDefinedType

from agentmem.contracts import Scored, Vectors

from . import postgres_tables, schema, vectors
from .chunks import CHUNK
from .namespaces import NamespaceRow
from .vector_copies import TABLE, literal
from .vector_copies import add as add_copies

V = schema.vectors.c
EMBEDDERS = schema.embedders.c
# pgvector's limit for a halfvec under HNSW
MAX_INDEXED_DIMS = 4_000
# so many are scored in full precision, however few are asked for
_HEAD = 40


class _HalfVector(UserDefinedType[str]):
    cache_ok = True

    def get_col_spec(self, **kw: Any) -> str:
        return "halfvec"


def extension_schema(connection: Connection) -> str | None:
    """The PostgreSQL schema pgvector is installed in, or None."""
    found: str | None = connection.exec_driver_sql(
        "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
        "WHERE extname = 'vector'"
    ).scalar()
    return found


def installable(connection: Connection) -> bool:
    """Whether this role may install pgvector on this server."""
    found = connection.exec_driver_sql(
        "SELECT bool_or(rolsuper OR trusted AND has_database_privilege(current_database(), 'CREATE')) "
        "FROM pg_available_extension_versions, pg_roles WHERE name = 'vector' AND rolname = current_user"
    ).scalar()
    return bool(found)


def exists(connection: Connection) -> bool:
    """Whether the store keeps copies under pgvector."""
    return connection.exec_driver_sql(f"SELECT to_regclass('{TABLE}')").scalar() is not None


def create(connection: Connection) -> None:
    """Make the table of copies, and copy the vectors that are already here."""
    table = Table(
        TABLE,
        MetaData(),
        Column("namespace_pk", BigInteger, nullable=False),
        Column("passage_pk", BigInteger, nullable=False),
        Column("embedder_pk", BigInteger, nullable=False),
        Column("embedding", _HalfVector(), nullable=False),
        PrimaryKeyConstraint("namespace_pk", "embedder_pk", "passage_pk"),
        ForeignKeyConstraint(
            ["passage_pk", "embedder_pk", "namespace_pk"],
            ["vectors.passage_pk", "vectors.embedder_pk", "vectors.namespace_pk"],
            ondelete="CASCADE",
        ),
    )
    postgres_tables.create(connection, table)
    for embedder_pk, dims in connection.execute(select(EMBEDDERS.pk, EMBEDDERS.dims)).all():
        _copy(connection, embedder_pk, dims)


def _copy(connection: Connection, embedder_pk: int, dims: int) -> None:
    last = 0
    while rows := connection.execute(
        select(V.pk, V.namespace_pk, V.passage_pk)
        .where(V.embedder_pk == embedder_pk, V.pk > last)
        .order_by(V.pk)
        .limit(CHUNK)
    ).all():
        last = rows[-1].pk
        namespace_of = {row.passage_pk: row.namespace_pk for row in rows}
        keys, data = vectors.of_passages(connection, embedder_pk, list(namespace_of), dims)
        add_copies(connection, embedder_pk, [namespace_of[int(key)] for key in keys], keys.tolist(), data)


def index(connection: Connection, embedder_pk: int, dims: int) -> None:
    """Put an embedder's copies under HNSW, and take away the indexes of embedders no longer used."""
    for name in _indexes(connection):
        if name != _name(embedder_pk):
            connection.exec_driver_sql(f'DROP INDEX "{name}"')
    if dims <= MAX_INDEXED_DIMS:
        connection.exec_driver_sql(
            f'CREATE INDEX IF NOT EXISTS "{_name(embedder_pk)}" ON {TABLE} '
            f"USING hnsw ({_embedding(dims)} halfvec_ip_ops) WHERE embedder_pk = {embedder_pk:d}"
        )


def is_indexed(connection: Connection, embedder_pk: int, dims: int) -> bool:
    """Whether an embedder's copies are under HNSW, as far as they can be, and no other's are."""
    wanted = [_name(embedder_pk)] if dims <= MAX_INDEXED_DIMS else []
    return _indexes(connection) == wanted


def _indexes(connection: Connection) -> list[str]:
    names = connection.exec_driver_sql(
        "SELECT relname FROM pg_class JOIN pg_index ON indexrelid = pg_class.oid "
        f"WHERE indrelid = '{TABLE}'::regclass AND relname LIKE '{TABLE}\\_hnsw\\_%%'"
    ).scalars()
    return sorted(names)


def _name(embedder_pk: int) -> str:
    return f"{TABLE}_hnsw_{embedder_pk:d}"


def _embedding(dims: int) -> str:
    return f"(CAST(embedding AS halfvec({dims:d})))"


class PgVectorSearch:
    """Finds passages by vector, in the database."""

    def search(
        self,
        connection: Connection,
        namespace: NamespaceRow,
        embedder: tuple[int, int],
        vector: Vectors,
        k: int,
    ) -> list[Scored]:
        """At most `k` passages by cosine to a unit `[dims]` vector, best first."""
        embedder_pk, dims = embedder
        wanted = max(k, _HEAD)
        statement, parameters = self.question(namespace, embedder, vector, wanted)
        found = connection.execute(text(statement), parameters).scalars().all()
        if len(found) < min(wanted, namespace.passages):
            # HNSW gave up among other namespaces' vectors, or not every passage has a vector
            connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
            found = connection.execute(text(statement), parameters).scalars().all()
        keys, rows = vectors.of_passages(connection, embedder_pk, found, dims)
        scores = rows @ vector
        best = np.lexsort((keys, -scores))[:k]
        return [Scored(int(keys[place]), float(scores[place])) for place in best]

    def question(
        self, namespace: NamespaceRow, embedder: tuple[int, int], vector: Vectors, k: int
    ) -> tuple[str, dict[str, Any]]:
        """The statement that proposes `k` passages, and its parameters.

        Embedder and dims stand in it as numbers, for a plan made once for all parameters could not know that
        the index of this embedder serves.
        """
        embedder_pk, dims = embedder
        statement = (
            f"SELECT passage_pk FROM {TABLE} "
            f"WHERE namespace_pk = :namespace AND embedder_pk = {embedder_pk:d} "
            f"ORDER BY {_embedding(dims)} <#> CAST(:query AS halfvec({dims:d})) LIMIT :k"
        )
        return statement, {"namespace": namespace.pk, "query": literal(vector.astype(np.float16)), "k": k}

    def kept_from(self) -> None:
        """None: the index is written with the vectors."""

    def follow(self, connection: Connection, namespace: NamespaceRow, embedder: tuple[int, int]) -> None:
        """Nothing: the index is written with the vectors."""

    def drop(self, namespace_pk: int) -> None:
        """Nothing: the copies went with their vectors."""

    def keep_only(self, embedder_pk: int) -> None:
        """Nothing: the copies of others went with their vectors."""

    def save(self) -> None:
        """Nothing: the server keeps it."""
