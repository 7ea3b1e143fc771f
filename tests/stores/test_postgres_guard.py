"""Row-level security as a second wall: what a plain role sees past the store, asking the tables directly."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from postgres_server import NewDatabase, Server, name_of

from agentmem import Memory
from agentmem.errors import ReadOnlyStoreError, StoreError

GRANTS = """
    GRANT USAGE ON SCHEMA agentmem TO app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA agentmem TO app;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA agentmem TO app;
"""
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'agentmem'::regnamespace AND relkind IN ('r', 'p') "
    "AND relname NOT IN ('alembic_version', 'embedders', 'meta')"
)


@pytest.fixture
def database(postgres: Server, new_database: NewDatabase) -> str:
    """The name of a database with two namespaces, whose tables the role `app` may use."""
    url = new_database()
    with Memory(url, namespace=("org", "alice"), embedder="hash-16") as memory:
        memory.remember({"id": "a1", "content": "Alice adopted a cat."})
        memory.namespace("org", "bob").remember({"id": "b1", "content": "Bob adopted a dog."})
    name = name_of(url)
    if not postgres.sql("SELECT 1 FROM pg_roles WHERE rolname = 'app'"):
        postgres.sql("CREATE ROLE app LOGIN")
    postgres.sql(GRANTS, database=name)
    return name


@pytest.fixture
def session(postgres: Server, database: str) -> Iterator[psycopg.Cursor[tuple[object, ...]]]:
    """A session of the plain role, in the schema of the store."""
    with psycopg.connect(
        host=postgres.folder, dbname=database, user="app", options="-c search_path=agentmem"
    ) as connection:
        yield connection.cursor()


def app_url(postgres: Server, database: str) -> str:
    return postgres.url(database).replace("postgres@", "app@")


def test_a_session_that_names_no_namespace_sees_no_row_of_any_table(
    postgres: Server, database: str, session: psycopg.Cursor[tuple[object, ...]]
) -> None:
    tables = [str(row[0]) for row in postgres.sql(TABLES, database=database)]

    seen = {table: session.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables}  # type: ignore[call-overload]

    assert len(tables) > 20
    assert {table for table, count in seen.items() if count != (0,)} == set()


def test_a_session_sees_only_the_namespace_it_names(session: psycopg.Cursor[tuple[object, ...]]) -> None:
    session.execute("SELECT set_config('agentmem.namespace', '[\"org\",\"alice\"]', true)")

    found = session.execute("SELECT content FROM events").fetchall()

    assert found == [("Alice adopted a cat.",)]


def test_a_partition_asked_by_its_name_is_guarded_too(
    postgres: Server, database: str, session: psycopg.Cursor[tuple[object, ...]]
) -> None:
    parts = postgres.sql(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'agentmem.events'::regclass",
        database=database,
    )

    rows = [session.execute(f"SELECT * FROM {part}").fetchall() for (part,) in parts]  # type: ignore[call-overload]

    assert rows == [[], []]


def test_a_row_of_another_namespace_cannot_be_written(session: psycopg.Cursor[tuple[object, ...]]) -> None:
    session.execute("SELECT set_config('agentmem.namespace', '[\"org\",\"alice\"]', true)")

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        session.execute("INSERT INTO changes VALUES (99, 2, 'b1', 'forged', 0, '{}')")


def test_an_update_without_a_filter_touches_one_namespace(
    postgres: Server, database: str, session: psycopg.Cursor[tuple[object, ...]]
) -> None:
    session.execute("SELECT set_config('agentmem.namespace', '[\"org\",\"alice\"]', true)")

    session.execute("DELETE FROM events")
    session.connection.commit()

    assert postgres.sql("SELECT id FROM agentmem.events", database=database) == [("b1",)]


def test_the_store_works_under_the_plain_role(postgres: Server, database: str) -> None:
    with Memory(app_url(postgres, database), namespace=("org", "carol")) as memory:
        memory.remember({"id": "c1", "content": "Carol adopted a parrot."})

        assert memory.recall("Who adopted a parrot?").items[0].id == "c1"
        assert [event.id for event in memory.namespace("org", "bob").events()] == ["b1"]
        assert memory.forget(everything=True).event_ids == ("c1",)


def test_a_replica_or_a_role_that_only_reads_recalls_and_is_refused_writes(
    postgres: Server, database: str
) -> None:
    url = app_url(postgres, database) + "&options=-c%20default_transaction_read_only%3Don"
    with Memory(url, namespace=("org", "alice")) as memory:
        found = memory.recall("Who adopted a cat?").items[0].id

        with pytest.raises(ReadOnlyStoreError, match="write to the primary"):
            memory.remember("I adopted a dog.")

    assert found == "a1"


def test_a_role_without_rights_is_told_what_to_do(postgres: Server, database: str) -> None:
    postgres.sql("REVOKE ALL ON ALL TABLES IN SCHEMA agentmem FROM app", database=database)

    with pytest.raises(StoreError, match=r"lacks a right.*grant"):
        Memory(app_url(postgres, database))


def test_doctors_check_finds_a_table_that_lost_its_guard(postgres: Server, database: str) -> None:
    postgres.sql("ALTER TABLE agentmem.events NO FORCE ROW LEVEL SECURITY", database=database)

    with Memory(postgres.url(database)) as memory:
        faults = memory._core.store.check()  # type: ignore[attr-defined]

    assert faults == ["table events has no forced row-level security"]
