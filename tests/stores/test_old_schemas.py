"""A store of any schema there was is brought up to date with all it holds; `schemas/write.py` wrote them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from postgres_server import NewDatabase, Server, name_of
from sqlalchemy import Connection

from agentmem import Memory

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = Path(__file__).parents[2] / "stores" / "migrations" / "versions"
schema = import_module("agentmem.stores.schema")
migrate = import_module("agentmem.stores.migrate")
for tables in ("item_schema", "latent_schema"):
    import_module(f"agentmem.stores.{tables}")
Opener = Callable[[pytest.FixtureRequest, Path], str]


def in_a_file(request: pytest.FixtureRequest, dump: Path) -> str:
    path: Path = request.getfixturevalue("tmp_path") / "old.db"
    connection = sqlite3.connect(path)
    connection.executescript(dump.read_text(encoding="utf-8"))
    connection.close()
    return f"sqlite:///{path}"


def on_a_server(request: pytest.FixtureRequest, dump: Path) -> str:
    postgres: Server = request.getfixturevalue("postgres")
    new_database: NewDatabase = request.getfixturevalue("new_database")
    url = new_database(empty=True)
    postgres.sql("CREATE EXTENSION vector", database=name_of(url))
    postgres.sql(dump.read_text(encoding="utf-8"), database=name_of(url))
    return url


OPENERS: dict[str, Opener] = {"sqlite": in_a_file, "postgresql": on_a_server}


@pytest.fixture(params=sorted(SCHEMAS.glob("*.sql")), ids=lambda dump: dump.stem)
def old(request: pytest.FixtureRequest) -> str:
    kind = request.param.stem.partition(".")[2]
    return OPENERS[kind](request, request.param)


def test_all_it_holds_is_there(old: str) -> None:
    with Memory(old) as memory:
        assert [(event.id, event.name, event.session) for event in memory.events()] == [
            ("e1", "Alice", "s1"),
            ("e2", "Bob", "s1"),
            ("e3", "Alice", "s1"),
            ("e4", "Alice", "s2"),
            ("e5", None, "s2"),
        ]
        assert memory.events()[2].content == "Мой брат живёт в Перми, 東京 too."
        assert memory.events()[4].content == '100% of it\'s \\ "quoted"\nand on two lines.'
        assert [(note.id, note.object, note.source_ids) for note in memory.notes()] == [
            ("n1", None, ("e1",)),
            ("n2", "Porto", ()),
        ]
        assert [entry.action for entry in memory.history("gone")] == ["remembered", "forgotten"]
        other = memory.namespace("org", "o'neil@example.com")
        assert [event.content for event in other.events()] == ["Words of another."]


def test_it_is_sound_and_found_by_words_and_by_vectors(old: str) -> None:
    with Memory(old) as memory:
        found = memory.recall("Who adopted a cat called Miso?").items[0]

        assert found.id == "e1"
        assert set(found.channels) >= {"dense", "lexical"}
        assert memory.embedder_name == "hash-16"
        assert memory.check(deep=True) == []


def test_it_goes_on(old: str) -> None:
    with Memory(old) as memory:
        memory.remember({"id": "new", "content": "The ferry leaves at nine."})
        memory.note("Bob lives in Faro", id="n3", subject="Bob", predicate="lives in")
        memory.forget(ids=["e2"])
        memory.rebuild()

    with Memory(old) as memory:
        assert memory.recall("When does the ferry leave?").items[0].id == "new"
        assert [event.id for event in memory.events()] == ["e1", "e3", "e4", "e5", "new"]
        assert memory.check(deep=True) == []


def test_its_tables_are_as_new_ones_are(old: str) -> None:
    with Memory(old) as memory:
        database: Any = memory.core.store.database  # type: ignore[attr-defined]
        with database.read() as connection:
            assert migrate.current_revision(connection) == migrate.HEAD
            assert differences(connection) == []


def differences(connection: Connection) -> list[Any]:
    """Between the tables of a database and those of the metadata, as far as its layout is not its own."""
    context = MigrationContext.configure(
        connection,
        opts={"include_name": lambda name, kind, _: not str(name).startswith(("lexical", "vector_index"))},
    )
    compared = compare_metadata(context, schema.metadata)
    return [entry for entry in compared if connection.dialect.name == "sqlite" or entry[0] == "add_table"]


def test_every_schema_but_the_newest_has_such_a_store() -> None:
    revisions = {path.name[1:5] for path in VERSIONS.glob("v*.py")}

    assert {dump.name[:4] for dump in SCHEMAS.glob("*.sqlite.sql")} >= revisions - {migrate.HEAD}
    assert {dump.name[:4] for dump in SCHEMAS.glob("*.postgresql.sql")} >= {
        revision for revision in revisions if "0003" <= revision < migrate.HEAD
    }
