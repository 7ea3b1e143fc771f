"""A sound store passes the deep check; each way of breaking it is named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import Server, name_of

from agentmem import Memory


@pytest.fixture
def filled(database: Path) -> Path:
    with Memory(database, embedder="hash-16") as memory:
        memory.remember([{"id": "e1", "content": "I adopted a cat."}, {"id": "e2", "content": "word " * 500}])
        memory.namespace("other").remember({"id": "x1", "content": "hello there"})
        memory.note("Alice has a cat", id="n1", sources=["e1"])
        memory.forget(ids=["e2"])
        memory.remember({"id": "e3", "content": "long " * 500})
        days = memory.namespace("days")
        days.remember(
            [{"id": f"d{n}", "content": f"turn {n}", "at": f"2023-05-0{1 + n // 9}"} for n in range(19)]
        )
        assert [episode.events for episode in days.episodes()] == [9, 9]
        home = {"subject": "Alice", "predicate": "lives in"}
        days.note("Alice lives in Rome", **home, id="rome", valid_from="2020-01-01")
        days.note("Alice lives in Paris", **home, id="paris", valid_from="2023-01-01")
    return database


def faults(database: Path) -> list[str]:
    with Memory(database) as memory:
        return memory.check(deep=True)


def test_a_sound_store_has_no_faults(filled: Path) -> None:
    assert faults(filled) == []


def test_an_empty_store_has_no_faults(memory: Memory) -> None:
    assert memory.check(deep=True) == []


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        (
            "UPDATE namespaces SET passages = 9 WHERE pk = 2",
            'namespace ["other"] counts 9 passages and has 1',
        ),
        ("UPDATE namespaces SET terms = 1 WHERE pk = 2", 'namespace ["other"] counts 1 terms and has'),
        (
            "UPDATE namespaces SET next_seq = 0 WHERE pk = 2",
            'namespace ["other"] would give out place 0 again',
        ),
        ("DELETE FROM passages WHERE memory_pk = 1", "note n1 has 0 passages instead of one"),
        ("DELETE FROM passages WHERE event_pk = 1", "event e1 has no passage"),
        ("DELETE FROM passages WHERE start > 0", "the passages of event e3 do not cover its words"),
        (
            'UPDATE passages SET "end" = 3 WHERE event_pk = 1',
            "the passages of event e1 do not cover its words",
        ),
        ("UPDATE passages SET memory_pk = 1 WHERE event_pk = 1", "belongs to no one event or note"),
        (
            "UPDATE passages SET namespace_pk = 2 WHERE event_pk = 1",
            "lies in another namespace than its event e1",
        ),
        (
            "UPDATE passages SET namespace_pk = 2 WHERE memory_pk = 1",
            "lies in another namespace than its note n1",
        ),
        (
            "UPDATE sources SET event_pk = (SELECT pk FROM events WHERE id = 'x1')",
            "note n1 rests on event x1",
        ),
        ("UPDATE memories SET id = 'e1' WHERE id = 'n1'", "e1 is the id of an event and of a note"),
        ("UPDATE vectors SET passage_pk = 999 WHERE pk = 1", "vector 1 belongs to no passage"),
        ("UPDATE vectors SET namespace_pk = 2 WHERE pk = 1", "vector 1 lies in another namespace"),
        ("UPDATE vectors SET data = x'00' WHERE pk = 1", "vector 1 has 1 bytes instead of 64"),
        ("DELETE FROM vectors WHERE pk = 1", "has no vector and waits for none"),
        ("UPDATE passages SET index_text = 'x' WHERE pk = 1", "passage 1 waits for a vector that it has"),
        ("UPDATE episodes SET events = 3", "counts 3 events and has 9"),
        ("UPDATE episodes SET first_seq = 5 WHERE first_seq = 0", "counts 9 events and has 4"),
        ("UPDATE episodes SET last_seq = 12 WHERE first_seq = 0", "begins within the one before"),
        ("DELETE FROM episodes WHERE first_seq = 0", "event d0 is in no episode and not in the window"),
        (
            "UPDATE memories SET valid_to = NULL WHERE id = 'rome'",
            "note rome ends at None, and by its line at 2023",
        ),
        ("DELETE FROM lexical WHERE rowid = 1", "the terms of passage 1 are not indexed"),
        (
            "INSERT INTO lexical(rowid, terms) VALUES (99, '1_cat')",
            "terms are indexed of passage 99, which is gone",
        ),
        ("UPDATE lexical SET terms = '1_cat' WHERE rowid = 1", "passage 1 counts"),
        (
            "UPDATE lexical SET terms = replace(terms, '1_', '2_') WHERE rowid = 1",
            "passage 1 is indexed under another",
        ),
        ("DELETE FROM lexical_data WHERE id > 10", "the full-text index is damaged"),
    ],
)
def test_what_is_broken_is_named(filled: Path, statement: str, fault: str) -> None:
    with closing(sqlite3.connect(filled)) as connection, connection:
        assert connection.execute(statement).rowcount > 0

    assert fault in "\n".join(faults(filled))


def test_many_of_a_kind_are_told_in_short(database: Path) -> None:
    with Memory(database, embedder="hash-16") as memory:
        memory.remember([{"id": f"e{number}", "content": "hello"} for number in range(9)])
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE vectors SET data = x'00'")

    assert len(faults(database)) == 4
    assert faults(database)[-1].startswith("… and more of these")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE namespaces SET passages = 9", "counts 9 passages and has 2"),
        ("DELETE FROM passages WHERE event_pk IS NOT NULL", "event e1 has no passage"),
        ("DELETE FROM postings", "terms and has 0"),
        ("DELETE FROM vectors", "has no vector and waits for none"),
    ],
)
def test_on_postgresql_each_way_of_breaking_it_is_named_too(
    postgres: Server, postgres_url: str, statement: str, fault: str
) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})
        memory.note("Alice has a cat", id="n1", sources=["e1"])
        sound = memory.check(deep=True)

        postgres.sql(f"SET search_path = agentmem; {statement}", database=name_of(postgres_url))

        assert sound == []
        assert any(fault in line for line in memory.check(deep=True))
