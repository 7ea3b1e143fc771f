"""A memory on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from postgres_server import Server

from agentmem import Memory
from agentmem.clock import ManualClock


@pytest.fixture(scope="session")
def shared_database(postgres: Server) -> Iterator[str]:
    """One database for all tests that keep to a namespace of their own: making one is slow."""
    name = f"shared_{uuid4().hex[:12]}"
    postgres.sql(f"CREATE DATABASE {name} TEMPLATE ready")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def memory_on_each(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Memory]:
    """An empty namespace on SQLite, then on PostgreSQL. A module takes it up as its `memory`."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("shared_database"))
    with Memory(url, namespace=(uuid4().hex,), embedder="hash-16", clock=clock) as opened:
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def memory_of_its_own(request: pytest.FixtureRequest, clock: ManualClock) -> Iterator[Memory]:
    """As `memory_on_each`, in a database that no other test sees."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with Memory(url, embedder="hash-16", clock=clock) as opened:
        yield opened
