"""What a recall asks of SQLite is looked up by key, and never by reading through a whole namespace."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from agentmem import Memory


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed meanwhile, with its parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    event.listen(Engine, "after_cursor_execute", note)
    yield seen
    event.remove(Engine, "after_cursor_execute", note)


def test_no_list_of_keys_is_answered_by_reading_through_a_namespace(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember([f"thing {n} of many things" for n in range(200)])
        with statements() as seen:
            memory.recall("thing 7", k=20)

    lists = [(statement, parameters) for statement, parameters in seen if " IN (" in statement]
    with closing(sqlite3.connect(database)) as connection:
        plans = [
            step[3]
            for asked in lists
            for step in connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1])
        ]

    assert any("vectors" in plan for plan in plans)
    assert any("events" in plan for plan in plans)
    assert [
        plan for plan in plans if plan.endswith(("(namespace_pk=?)", "(namespace_pk=? AND embedder_pk=?)"))
    ] == []


def test_a_recall_reads_no_vectors_of_other_namespaces(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember([f"thing {n} of many things" for n in range(20)])
        memory.namespace("another").remember([f"thing {n} of few things" for n in range(20)])

    with Memory(database, embedder="hash") as memory, statements() as seen:
        memory.recall("thing 7")
        memory.maintain()
    lookups = [(statement, parameters) for statement, parameters in seen if "FROM vectors" in statement]
    with closing(sqlite3.connect(database)) as connection:
        plans = [
            step[3]
            for statement, parameters in lookups
            for step in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]

    assert any("ix_vectors_scan" in plan for plan in plans)
    assert [plan for plan in plans if "INTEGER PRIMARY KEY (rowid>" in plan or plan == "SCAN vectors"] == []


def test_messages_without_an_id_are_known_by_an_index_of_their_own(database: Path) -> None:
    with Memory(database, embedder="hash") as memory, statements() as seen:
        memory.remember([{"id": f"m{n}", "content": f"thing {n}"} for n in range(5)])
        memory.remember(["thing without an id", "another"])
    by_hash = [asked for asked in seen if "content_hash IN" in asked[0]]
    with closing(sqlite3.connect(database)) as connection:
        plans = [
            step[3]
            for asked in by_hash
            for step in connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}", asked[1])
        ]
        indexed = connection.execute(
            "SELECT count(*) FROM events INDEXED BY ix_events_hash WHERE length(id) = 32"
        ).fetchone()

    assert plans
    assert all("ix_events_hash (namespace_pk=? AND content_hash=?)" in plan for plan in plans)
    assert indexed == (2,)
