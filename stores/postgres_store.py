"""The PostgreSQL store: the SQL store in one schema of a server, with what is derived kept there, too."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, insert, inspect
from sqlalchemy.exc import DBAPIError

from agentmem.contracts import Vectors
from agentmem.errors import InvalidInputError, NotADatabaseError
from agentmem.types import ArchiveReport

from . import counts, migrate, postgres_tables, postgres_vectors, schema, vector_copies
from .awaited_blobs import AwaitedBlobs
from .blobs import Blobs
from .faiss_index import VectorIndexes
from .postgres_database import PostgresDatabase
from .postgres_url import PostgresUrl
from .postgres_vectors import PgVectorSearch
from .postings import PostingsSearch
from .sql import SqlStore

logger = logging.getLogger("agentmem")

_OURS = {"alembic_version", "meta", "namespaces"}


class PostgresStore(SqlStore):
    """The SQL store on PostgreSQL.

    With pgvector on the server, vectors are searched there; without, in each process, from FAISS indexes read
    off the `vectors` table.
    """

    def __init__(self, url: PostgresUrl, *, asynchronous: bool = False) -> None:
        self._asynchronous = asynchronous
        self._postgres = PostgresDatabase(url, asynchronous=asynchronous)
        try:
            self._made = _prepare(self._postgres, url)
            search = (
                PgVectorSearch()
                if self._postgres.has_vector_index
                else VectorIndexes(None, "", partial(counts.state, self._postgres))
            )
            super().__init__(self._postgres, PostingsSearch(), search)
        except BaseException:
            self._postgres.close()
            raise

    @property
    def database(self) -> PostgresDatabase:
        return self._postgres

    @property
    def has_vector_index(self) -> bool:
        """Whether the server itself searches vectors."""
        return self._postgres.has_vector_index

    def bind_embedder(self, name: str, dims: int) -> None:
        self._check_dims(dims)
        super().bind_embedder(name, dims)
        self._index()

    def replace_vectors(self, name: str, dims: int, batches: Iterator[tuple[list[int], Vectors]]) -> int:
        self._check_dims(dims)
        count = super().replace_vectors(name, dims, batches)
        self._index()
        return count

    def restore(self, path: Path, *, progress: Callable[[int, int], None] | None = None) -> ArchiveReport:
        report = super().restore(path, progress=progress)
        self._index()
        return report

    def _blobs(self) -> Blobs | None:
        found = super()._blobs()
        return AwaitedBlobs(found) if found is not None and self._asynchronous else found

    def discard(self) -> None:
        if self._made:
            with self._database.write() as connection:
                if postgres_tables.are_unused(connection):
                    postgres_tables.drop(connection)
                    # there is nothing left to bring up to date
                    self._closed = True
        self.close()
        self._database.close()

    def _check_dims(self, dims: int) -> None:
        if self.has_vector_index and dims > vector_copies.MAX_DIMS:
            raise InvalidInputError(
                f"pgvector holds at most {vector_copies.MAX_DIMS} dims, not {dims}; take another embedder, or a "
                "new store with ?pgvector=off"
            )

    def _index(self) -> None:
        """Put the embedder's vectors under HNSW, if they are not yet and this role may."""
        if self._embedder is None or not self.has_vector_index:
            return
        with self._database.read() as connection:
            if postgres_vectors.is_indexed(connection, *self._embedder):
                return
            if not _owns(connection, vector_copies.TABLE):
                logger.warning(
                    "vectors at %s are searched without an index: open the store once as its owner", self.url
                )
                return
        with self._database.write() as connection:
            postgres_vectors.index(connection, *self._embedder)


def _prepare(database: PostgresDatabase, url: PostgresUrl) -> bool:
    """Bring the schema up to date, and see whether the server searches vectors; whether nothing was there."""
    made = False
    with database.read() as connection:
        done = _is_ready(connection, database, url)
    if not done:
        with database.write() as connection:
            made = _make(connection.execution_options(agentmem_partitions=url.partitions), database, url)
    with database.read() as connection:
        _find_extension(connection, database)
    with database.read() as connection:
        database.has_vector_index = postgres_vectors.exists(connection)
    return made


def _find_extension(connection: Connection, database: PostgresDatabase) -> str | None:
    found = postgres_vectors.extension_schema(connection)
    if found is not None:
        database.search_in(found)
    return found


def _is_ready(connection: Connection, database: PostgresDatabase, url: PostgresUrl) -> bool:
    if migrate.current_revision(connection) != migrate.HEAD:
        return False
    if not url.pgvector or postgres_vectors.exists(connection) or not _owns(connection, "events"):
        return True
    return _find_extension(connection, database) is None and not postgres_vectors.installable(connection)


def _make(connection: Connection, database: PostgresDatabase, url: PostgresUrl) -> bool:
    """Make or bring up to date what is in the schema; whether nothing was in it."""
    if connection.exec_driver_sql(f"SELECT to_regnamespace('{url.schema}')").scalar() is None:
        connection.exec_driver_sql(f'CREATE SCHEMA "{url.schema}"')
    tables = set(inspect(connection).get_table_names(schema=url.schema))
    if tables and not tables >= _OURS:
        raise NotADatabaseError(
            f"{database.url}: the schema {url.schema!r} holds another application's tables; name another with "
            "?schema="
        )
    migrate.upgrade(connection)
    if counts.meta(connection, schema.STORE_ID) is None:
        connection.execute(insert(schema.meta).values(key=schema.STORE_ID, value=uuid.uuid4().hex))
    if url.pgvector and _has_extension(connection, database) and not postgres_vectors.exists(connection):
        postgres_vectors.create(connection)
    return not tables


def _has_extension(connection: Connection, database: PostgresDatabase) -> bool:
    found = _find_extension(connection, database)
    if found is None and postgres_vectors.installable(connection):
        try:
            with connection.begin_nested():
                # not in our schema, where it is allowed: another store's types would go with ours
                connection.exec_driver_sql(f'CREATE EXTENSION vector SCHEMA "{_home(connection)}"')
        except DBAPIError as error:
            logger.warning("%s: could not install pgvector, going on without: %s", database.url, error.orig)
            return False
        found = _find_extension(connection, database)
    if found is not None:
        connection.exec_driver_sql(f'SET LOCAL search_path = "{database.schema}", "{found}"')
    return found is not None


def _home(connection: Connection) -> str:
    return str(
        connection.exec_driver_sql(
            "SELECT CASE WHEN to_regnamespace('public') IS NOT NULL AND "
            "has_schema_privilege('public', 'CREATE') THEN 'public' ELSE current_schema() END"
        ).scalar_one()
    )


def _owns(connection: Connection, table: str) -> bool:
    """Whether this role may change the table."""
    return bool(
        connection.exec_driver_sql(
            "SELECT pg_has_role(current_user, relowner, 'USAGE') FROM pg_class "
            f"WHERE oid = to_regclass('{table}')"
        ).scalar()
    )
