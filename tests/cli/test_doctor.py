"""`agentmem doctor`: what it looks at, and what it says is to be done."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import namedtuple
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentmem.cli import checks
from agentmem.core import open_store

Fixture = Any
Usage = namedtuple("Usage", "total used free")


def found(result: Any) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in result.json["checks"]}


def test_a_sound_installation_passes(cli: Fixture) -> None:
    result = cli("doctor", "--json")

    assert (result.code, result.json["ok"]) == (0, True)
    assert {
        "python",
        "sqlite",
        "disk",
        "database",
        "integrity",
        "writable",
        "write-ahead log",
        "embedder",
    } <= set(found(result))
    assert set(result.json["checks"][0]) == {"name", "status", "detail", "advice"}


def test_it_prints_one_line_a_finding_and_the_advice_below(cli: Fixture) -> None:
    out = cli("doctor").out

    assert out.startswith("OK       python")
    assert "WARNING  embedder" in out
    assert "-> for recall by meaning: pip install 'agentmem[offline]'" in out


def test_a_database_that_is_not_there_is_not_made(cli: Fixture, tmp_path: Path) -> None:
    result = cli("doctor", "--db", tmp_path / "new.db", "--embedder", "hash", "--json")

    assert (result.code, found(result)["database"]["status"]) == (0, "ok")
    assert not (tmp_path / "new.db").exists()


def test_a_file_that_is_no_database_is_broken(cli: Fixture, write: Fixture) -> None:
    result = cli("doctor", "--db", write("not a database" * 100), "--embedder", "hash", "--json")

    assert (result.code, result.json["ok"]) == (1, False)
    assert "not an agentmem database" in found(result)["database"]["detail"]


def test_a_database_of_a_newer_version_is_broken(cli: Fixture, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    result = cli("doctor", "--embedder", "hash", "--json")

    assert result.code == 1
    assert "pip install -U agentmem" in found(result)["database"]["detail"]


def test_a_damaged_page_is_found(cli: Fixture, database: Path, write: Fixture) -> None:
    cli("remember", "--file", write([{"content": f"turn {n} " + "x" * 500} for n in range(600)], "a.jsonl"))
    with database.open("r+b") as file:
        file.seek(database.stat().st_size // 2)
        file.write(os.urandom(1) * 65_536)

    assert cli("doctor", "--json").code == 1


def test_a_model_that_is_not_there_is_broken(
    cli: Fixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_names: object) -> None:
        raise OSError("no such model")

    monkeypatch.setattr(checks, "choose_embedder", refuse)

    result = cli("doctor", "--db", tmp_path / "new.db", "--json")

    assert result.code == 1
    assert found(result)["embedder"]["detail"] == "OSError: no such model"


def test_another_embedder_than_the_databases_is_broken(cli: Fixture) -> None:
    result = cli("doctor", "--embedder", "hash-128", "--json")

    assert result.code == 1
    assert "agentmem reindex --embedder hash-128" in found(result)["embedder"]["advice"]


@pytest.mark.parametrize(("free", "status"), [(1 << 40, "ok"), (500 << 20, "warning"), (1 << 20, "broken")])
def test_little_free_disk_is_told(
    free: int, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 40, 0, free))

    assert checks.disk(tmp_path / "agent.db").status == status


def test_an_extra_that_is_missing_is_named_with_its_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    requires = ["numpy>=1", 'no-such-package>=2; extra == "magic"', 'x; extra == "dev"']
    monkeypatch.setattr(checks.metadata, "requires", lambda _: requires)

    (check,) = checks.extras()

    assert (check.name, check.status) == ("extra magic", "note")
    assert check.advice == "if you want it: pip install 'agentmem[magic]'"


def test_another_writer_is_no_fault(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "BUSY_S", 0.01)
    store = open_store(f"sqlite:///{database}")
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    statuses = {check.name: check.status for check in checks.database(store, database)}
    other.close()
    store.close()

    assert (statuses["database"], statuses["writable"]) == ("ok", "warning")


def test_a_database_that_cannot_be_written_is_broken(cli: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)

    result = cli("doctor", "--json")

    assert result.code == 1
    assert "reading still works" in found(result)["writable"]["advice"]


def test_an_old_python_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "OLDEST_PYTHON", (9, 9))

    assert checks.python_version().status == "broken"


def test_a_deep_look_compares_what_is_derived_with_the_events(cli: Fixture, database: Path) -> None:
    cli("remember", "I adopted a cat.")
    sound = cli("doctor", "--deep", "--json")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE namespaces SET passages = 7")

    broken = cli("doctor", "--deep", "--json")

    assert (sound.code, found(sound)["derived data"]["status"]) == (0, "ok")
    assert (broken.code, found(broken)["derived data"]["status"]) == (1, "broken")
    assert "counts 7 passages and has 1" in found(broken)["derived data"]["detail"]
    assert found(cli("doctor", "--json")).get("derived data") is None
