"""Stores for the tests of the LangGraph plug-in, called as a user would, synchronously and asynchronously."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from postgres_server import Server

from agentmem import Memory
from agentmem.clock import ManualClock


class Awaited:
    """A store whose synchronous calls are made through its asynchronous twins."""

    def __init__(self, store: AgentMemStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        twin = getattr(self._store, f"a{name}", None)
        if twin is None:
            return getattr(self._store, name)
        return lambda *args, **options: asyncio.run(twin(*args, **options))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: making one takes longer than most tests here."""
    path = tmp_path_factory.mktemp("empty") / "agent.db"
    AgentMemStore(path).close()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_database: Path) -> Path:
    return Path(shutil.copy(empty_database, tmp_path / "agent.db"))


@pytest.fixture(scope="session")
def items_database(postgres: Server) -> Iterator[str]:
    """One PostgreSQL database for every test here: making one takes longer than most of them."""
    postgres.sql("CREATE DATABASE items TEMPLATE ready")
    yield "items"
    postgres.sql("DROP DATABASE items WITH (FORCE)")


@pytest.fixture
def emptied_database(postgres: Server, items_database: str) -> str:
    """The URL of a PostgreSQL store without items."""
    for statement in (
        "DELETE FROM agentmem.items",
        "DELETE FROM agentmem.item_removals",
        "UPDATE agentmem.item_state SET dims = 0, embedder = ''",
    ):
        postgres.sql(statement, database=items_database)
    return postgres.url(items_database)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Any:
    """A store without items, on each kind of database."""
    return request.getfixturevalue("database" if request.param == "sqlite" else "emptied_database")


Open = Callable[..., Any]


@pytest.fixture(params=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Callable[[AgentMemStore], Any]:
    return (lambda store: store) if request.param == "sync" else Awaited


@pytest.fixture
def open_store(place: Any, clock: ManualClock, face: Callable[[AgentMemStore], Any]) -> Iterator[Open]:
    """Opens a store with these options on one database and a clock that stands still."""
    opened: list[Any] = []

    def open_(**options: Any) -> Any:
        memory = Memory(place, embedder="hash", clock=clock)
        store = AgentMemStore(memory, **options)
        opened.extend([store, memory])
        return face(store)

    yield open_
    for part in opened:
        part.close()


@pytest.fixture
def store(open_store: Open) -> Any:
    """A store without an index of its own."""
    return open_store()


VOCABULARY = ("red", "green", "blue", "apple", "sky", "grass")


def count_words(texts: list[str]) -> list[list[float]]:
    """An embedding one can compute by hand: how often each word of the vocabulary occurs."""
    return [[float(text.lower().count(word)) for word in VOCABULARY] for text in texts]


@pytest.fixture
def indexed(open_store: Open) -> Any:
    """A store that embeds the field `text` by counting words."""
    return open_store(index={"dims": len(VOCABULARY), "embed": count_words, "fields": ["text"]})
