"""Transactions on one PostgreSQL schema: connections, locks, the guarded namespace. Knows no tables.

A transaction says in its first message, beside BEGIN, what it is about, so nothing of it outlives the
transaction and a pool between us and the server (PgBouncer) may hand each one another session:

- `agentmem.namespace`, which row-level security compares every row with; `*` for the whole store;
- its locks: writers of one namespace take turns, writers of different ones do not wait for each other, and a
  writer of the whole store is alone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.sql import quote
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from agentmem.types import Namespace

from . import namespaces
from .postgres_errors import committing, translated
from .postgres_url import PostgresUrl

EVERYTHING = "*"
_LOCK_CLASS = 0x41474D4D  # "AGMM"
_OWN_TABLES = (
    "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = to_regnamespace(%s) AND relkind = 'r'"
)
_LOCK_TIMEOUT_S = 60
_POOL_TIMEOUT_S = 60


class PostgresDatabase:
    """Transactions on the schema a URL names; `asynchronous` awaits the driver inside `greenlet_spawn`."""

    def __init__(self, url: PostgresUrl, *, asynchronous: bool = False) -> None:
        self._url = url
        self._asynchronous = asynchronous
        self._path = ""
        self.search_in("public")
        self._pid = os.getpid()
        self._engine = self._create_engine()
        #: whether the server keeps our vectors in a pgvector index
        self.has_vector_index = False

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""
        return self._url.shown

    @property
    def schema(self) -> str:
        """The PostgreSQL schema of our tables."""
        return self._url.schema

    @property
    def partitions(self) -> int:
        """Into how many parts a new store's tables are cut."""
        return self._url.partitions

    @contextmanager
    def read(self, namespace: Namespace | None = None) -> Iterator[Connection]:
        """A consistent snapshot; with a namespace, row-level security shows no other."""
        begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
            "SET LOCAL hnsw.iterative_scan = relaxed_order; SET LOCAL hnsw.ef_search = 100;"
        )
        with self._transaction(begin + self._settings(namespace)) as connection:
            yield connection

    @contextmanager
    def write(self, namespace: Namespace | None = None, *, alone: bool = True) -> Iterator[Connection]:
        """The only writer of a namespace, or of everything; durable on exit, undone on any exception.

        One of everything that is not `alone` waits only for those that are.
        """
        whole_store = f"({_LOCK_CLASS}, hashtext({quote(self._url.schema)}))"
        if namespace is None and alone:
            locks = f"SELECT pg_advisory_xact_lock{whole_store}"
        else:
            locks = f"SELECT pg_advisory_xact_lock_shared{whole_store}"
        if namespace is not None:
            locks += f", pg_advisory_xact_lock({_lock_key(self._url.schema, namespace)})"
        begin = f"BEGIN; SET LOCAL lock_timeout = '{_LOCK_TIMEOUT_S}s';{self._settings(namespace)};{locks}"
        with self._transaction(begin) as connection:
            yield connection
            with committing(self.url):
                connection.commit()

    def awaited(self) -> PostgresDatabase:
        """The same schema over connections of its own, which are awaited inside `greenlet_spawn`."""
        twin = PostgresDatabase(self._url, asynchronous=True)
        twin._path, twin.has_vector_index = self._path, self.has_vector_index
        return twin

    def search_in(self, *schemas: str) -> None:
        """Also find types and functions in these schemas."""
        self._path = ", ".join(f'"{name}"' for name in dict.fromkeys((self._url.schema, *schemas)))

    def tidy(self, *, vacuum: bool = False) -> None:
        """Removed rows are the server's autovacuum to overwrite; `vacuum` rewrites our tables without them at once.

        That takes each table away from readers for as long as it takes, and needs its owner.
        """
        if not vacuum:
            return
        with translated(self.url), self._ready_engine().connect() as connection:
            names = _send(connection, _OWN_TABLES, (self._url.schema,))
            for (name,) in _awaited(connection, names.fetchall()):
                _send(connection, f"VACUUM FULL {name}")

    def size_bytes(self) -> int:
        """Bytes of every table and index of the schema."""
        with self.read() as connection:
            total = connection.exec_driver_sql(
                "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
                "WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
            ).scalar_one()
        return int(total)

    def faults(self) -> list[str]:
        """Broken indexes, and tables with namespaces whose rows are not guarded."""
        with self.read() as connection:
            broken = connection.exec_driver_sql(
                "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
                "WHERE relnamespace = current_schema()::regnamespace AND NOT indisvalid"
            ).scalars()
            unguarded = connection.exec_driver_sql(
                "SELECT oid::regclass::text FROM pg_class "
                "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') "
                "AND NOT (relrowsecurity AND relforcerowsecurity) AND EXISTS (SELECT 1 FROM pg_attribute "
                "WHERE attrelid = pg_class.oid AND attname IN ('namespace_pk', 'path'))"
            ).scalars()
            return [
                *(f"index {name} is not valid: REINDEX INDEX {name}" for name in broken),
                *(f"table {name} has no forced row-level security" for name in unguarded),
            ]

    def close(self) -> None:
        """Release every connection."""
        with translated(self.url):
            self._engine.dispose()

    def _settings(self, namespace: Namespace | None) -> str:
        scope = EVERYTHING if namespace is None else namespaces.encode(namespace)
        # quoted with escapes: a path is ASCII, but may hold quotes and backslashes
        return (
            f"SET LOCAL search_path = {self._path};"
            f"SELECT set_config('agentmem.namespace', {quote(scope)}, true)"
        )

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        options = {"agentmem_begin": begin, "agentmem_vector_index": self.has_vector_index}
        with (
            translated(self.url),
            self._ready_engine().connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def _ready_engine(self) -> Engine:
        if os.getpid() != self._pid:
            # a session must not be shared across a fork
            self._pid = os.getpid()
            self._engine.dispose(close=False)
        return self._engine

    def _create_engine(self) -> Engine:
        options: dict[str, Any] = {
            # we issue BEGIN ourselves, with all that belongs to it in one message
            "isolation_level": "AUTOCOMMIT",
            "pool_size": self._url.pool,
            "max_overflow": 0,
            "pool_timeout": _POOL_TIMEOUT_S,
            "pool_pre_ping": True,
            "hide_parameters": True,
        }
        if self._asynchronous:
            engine = create_async_engine(self._url.driver, **options).sync_engine
        else:
            engine = create_engine(self._url.driver, **options)
        event.listen(engine, "begin", _begin)
        return engine


def _begin(connection: Connection) -> None:
    _send(connection, connection.get_execution_options()["agentmem_begin"])


def _send(connection: Connection, statement: str, parameters: tuple[str, ...] | None = None) -> Any:
    """Ask the driver itself: several statements in one message, or one that no transaction may hold."""
    driver: Any = connection.connection.driver_connection
    try:
        # several statements in one message cannot be prepared
        return _awaited(connection, driver.execute(statement, parameters, prepare=False))
    except psycopg.OperationalError as error:
        if driver.closed:
            # nothing is left to undo on it
            connection.invalidate(error)
        raise


def _awaited(connection: Connection, result: Any) -> Any:
    """What the driver gives, or what comes of it once awaited."""
    return await_only(result) if connection.dialect.is_async else result


def _lock_key(schema: str, namespace: Namespace) -> int:
    digest = hashlib.blake2b(f"{schema}\n{namespaces.encode(namespace)}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
