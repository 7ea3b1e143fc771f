"""Opening a file: ours is brought up to date, another's is left as it is."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from agentmem import Memory
from agentmem.errors import NewerSchemaError, NotADatabaseError, StoreError

schema = import_module("agentmem.stores.schema")
migrate = import_module("agentmem.stores.migrate")
import_module("agentmem.stores.item_schema")  # the same metadata, other tables
import_module("agentmem.stores.latent_schema")

OPEN_AT = """
import sys, time
from agentmem import Memory
time.sleep(max(0, float(sys.argv[2]) - time.time()))
with Memory(sys.argv[1], embedder="hash-16") as memory:
    memory.remember({"id": sys.argv[3], "content": "hello"})
"""


def sqlite_file(path: Path, *statements: str) -> bytes:
    """Make a database by hand; gives its bytes."""
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return path.read_bytes()


def test_a_migrated_database_has_the_schema_of_the_metadata(database: Path) -> None:
    Memory(database, embedder="hash").close()
    engine = create_engine(f"sqlite:///{database}")

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_name": lambda name, kind, _: not str(name).startswith("lexical")}
        )
        differences = compare_metadata(context, schema.metadata)

    engine.dispose()
    assert differences == []


def test_processes_may_open_a_new_file_at_once(
    tmp_path: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    import time

    database = tmp_path / "new.db"
    moment = time.time() + 2.5

    started = [start_python(OPEN_AT, database, moment, number) for number in range(4)]
    errors = [process.communicate(timeout=60)[1] for process in started]

    assert errors == ["", "", "", ""]
    with Memory(database) as memory:
        assert sorted(event.id for event in memory.events()) == ["0", "1", "2", "3"]


def test_a_database_of_a_newer_version_is_refused_and_kept(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "kept"})
    sqlite_file(database, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(NewerSchemaError, match=r"schema 9999.*pip install -U agentmem"):
        Memory(database, embedder="hash")

    sqlite_file(database, f"UPDATE alembic_version SET version_num = '{migrate.HEAD}'")
    with Memory(database, embedder="hash") as memory:
        assert memory.get("e1").content == "kept"


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["CREATE TABLE notes (text)"], id="plain"),
        pytest.param(["CREATE TABLE events (id)", "CREATE TABLE vectors (id)"], id="tables named as ours"),
        pytest.param(
            ["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('0001')"],
            id="another Alembic application",
        ),
        pytest.param(["PRAGMA application_id = 7", "CREATE TABLE t (a)"], id="marked as another's"),
    ],
)
def test_another_applications_database_is_refused_and_left_byte_for_byte(
    database: Path, statements: list[str]
) -> None:
    before = sqlite_file(database, *statements)

    with pytest.raises(NotADatabaseError, match="another application"):
        Memory(database, embedder="hash")

    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == ["agent.db"]


def test_another_applications_database_in_wal_mode_is_refused(database: Path) -> None:
    sqlite_file(database, "PRAGMA journal_mode = WAL", "CREATE TABLE alembic_version (version_num)")

    with pytest.raises(NotADatabaseError, match="another application"):
        Memory(database, embedder="hash")


@pytest.mark.parametrize(
    "content",
    [b"Dear diary,\n", b"x", b"SQLite format 3\0", b"SQLite format 3\0" + b"\xff" * 4000, bytes(5000)],
    ids=["text", "one byte", "magic only", "magic and rubbish", "zeroes"],
)
def test_a_file_that_is_no_database_is_refused_and_left_byte_for_byte(database: Path, content: bytes) -> None:
    database.write_bytes(content)

    with pytest.raises(NotADatabaseError):
        Memory(database, embedder="hash")

    assert database.read_bytes() == content


def test_an_empty_file_becomes_a_database(database: Path) -> None:
    database.touch()

    with Memory(database, embedder="hash") as memory:
        memory.remember("hello")
        assert memory.stats().events == 1


def test_an_empty_sqlite_database_becomes_ours(database: Path) -> None:
    sqlite_file(database, "VACUUM")

    with Memory(database, embedder="hash") as memory:
        memory.remember("hello")
        assert memory.stats().events == 1


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotADatabaseError, match="is a folder"):
        Memory(tmp_path, embedder="hash")


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with Memory(tmp_path / "a" / "b" / "agent.db", embedder="hash") as memory:
        memory.remember("hello")

    assert (tmp_path / "a" / "b" / "agent.db").is_file()


def test_a_file_where_a_folder_should_be_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot open"):
        Memory(tmp_path / "file" / "agent.db", embedder="hash")


def test_a_name_too_long_for_the_system_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot open"):
        Memory(tmp_path / ("a" * 300), embedder="hash")


@pytest.mark.parametrize(
    "name", ["50%25.db", "a?b.db", "a#b.db", "a b.db", "ключ.db", "a%2Fb.db", "a;b&c=d.db"]
)
def test_any_file_name_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    with Memory(tmp_path / name, embedder="hash") as memory:
        memory.remember("hello")
        url = memory.url

    assert (tmp_path / name).is_file()
    with Memory(url) as again:
        assert again.stats().events == 1


def test_a_vacuumed_copy_of_a_database_opens(database: Path, tmp_path: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "kept"})
    sqlite_file(database, f"VACUUM INTO '{tmp_path / 'copy.db'}'")

    with Memory(tmp_path / "copy.db") as memory:
        assert memory.get("e1").content == "kept"


def test_a_database_killed_before_its_first_checkpoint_opens(
    database: Path, start_python: Callable[..., subprocess.Popen[str]]
) -> None:
    process = start_python(
        "import os, sys; from agentmem import Memory\n"
        "Memory(sys.argv[1], embedder='hash').remember({'id': 'e1', 'content': 'kept'}); os.kill(os.getpid(), 9)",
        database,
    )
    process.wait(timeout=60)

    with Memory(database) as memory:
        assert memory.get("e1").content == "kept"
