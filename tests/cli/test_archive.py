"""`agentmem export`, `import` and `reindex`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentmem import Memory

Fixture = Any


@pytest.fixture
def told(cli: Fixture) -> Fixture:
    cli("remember", "I adopted a cat.", "--id", "e1")
    cli("remember", "Hello", "-n", "org", "-n", "alice")
    cli("note", "Alice likes cats", "--id", "n1")
    return cli


def test_an_export_taken_in_elsewhere_holds_the_same(told: Fixture, tmp_path: Path) -> None:
    told("export", tmp_path / "a.zip", "--all")
    other = tmp_path / "other.db"

    report = told("import", tmp_path / "a.zip", "--db", other, "--json").json

    assert (report["namespaces"], report["events"], report["memories"]) == (2, 2, 1)
    assert told("events", "--db", other, "--json").json == told("events", "--json").json
    assert told("stats", "--db", other, "--json").json["embedder"] == "hash-512"


def test_an_export_holds_only_its_namespace(told: Fixture, tmp_path: Path) -> None:
    report = told("export", tmp_path / "a.zip", "-n", "org", "--json").json

    assert (report["namespaces"], report["events"], report["memories"]) == (1, 1, 0)
    assert report["size_bytes"] == (tmp_path / "a.zip").stat().st_size


def test_the_same_import_twice_adds_nothing(told: Fixture, tmp_path: Path) -> None:
    told("export", tmp_path / "a.zip")

    assert told("import", tmp_path / "a.zip", "--json").json["events"] == 0


def test_an_export_is_not_overwritten_unless_forced(told: Fixture, write: Fixture) -> None:
    path = write("precious", "a.zip")

    refused = told("export", path)

    assert refused.code == 2
    assert path.read_text() == "precious"
    assert told("export", path, "--force").code == 0


def test_a_file_that_is_no_export_is_refused(cli: Fixture, write: Fixture) -> None:
    result = cli("import", write("nonsense", "a.zip"), "--json")

    assert result.code == 2
    assert result.json["error"]["type"] == "ArchiveError"


def test_a_missing_export_makes_no_database(cli: Fixture, tmp_path: Path) -> None:
    result = cli("import", tmp_path / "a.zip", "--db", tmp_path / "new.db")

    assert result.code == 2
    assert not (tmp_path / "new.db").exists()


def test_reindex_moves_the_store_to_another_embedder(told: Fixture) -> None:
    assert told("reindex", "--embedder", "hash-128", "--json").json == {"passages": 3, "embedder": "hash-128"}
    assert told("stats", "--json").json["dims"] == 128
    assert "cat" in told("recall", "cat").out


def test_reindex_does_not_need_the_embedder_that_is_left(told: Fixture, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE embedders SET name = 'gone/for-good'")

    assert told("reindex", "--embedder", "hash-64").out.endswith("the store's embedder is hash-64\n")
    assert "cat" in told("recall", "cat").out


def test_another_embedder_than_the_stores_names_reindex(told: Fixture) -> None:
    result = told("recall", "cat", "--embedder", "hash-128")

    assert result.code == 2
    assert "agentmem reindex" in result.err


def test_an_import_says_what_came_and_what_was_here(told: Fixture, tmp_path: Path) -> None:
    told("export", tmp_path / "a.zip", "--all")
    other = tmp_path / "other.db"

    first = told("import", tmp_path / "a.zip", "--db", other).out
    again = told("import", tmp_path / "a.zip", "--db", other).out

    assert first.startswith("took in 2 events, 1 note, 0 episodes of 2 namespaces: ")
    assert again.splitlines()[1] == "3 were here already"


def test_an_import_takes_the_latents_where_it_is_told(told: Fixture, database: Path, tmp_path: Path) -> None:
    with Memory(database) as memory:
        memory.latents().put(("default",), "e1", {"k": np.zeros(3)}, fingerprint="m", layout="l")
    told("export", tmp_path / "a.zip")

    told("import", tmp_path / "a.zip", "--db", tmp_path / "other.db", "--latents", tmp_path / "latents")

    assert len(list((tmp_path / "latents").rglob("*.safetensors"))) == 1
