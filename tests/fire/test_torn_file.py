"""A damaged file is a clear error, or is read for what is sound in it; the log's torn end costs nothing before it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from agentmem import AgentMemError, Memory

Damage = Callable[[bytes, Random], bytes]
FOLDED, LOGGED = 60, 10


def cut(data: bytes, chance: Random) -> bytes:
    return data[: chance.randrange(len(data))]


def flip(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def zero(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) - 512)
    return data[:at] + bytes(512) + data[at + 512 :]


def scramble(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) - 4096)
    return data[:at] + chance.randbytes(4096) + data[at + 4096 :]


def grow(data: bytes, chance: Random) -> bytes:
    return data + chance.randbytes(5000)


damages = pytest.mark.parametrize("damage", [cut, flip, zero, scramble, grow])
moments = pytest.mark.parametrize("moment", range(3))


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a process that died: a database, and a log with what came last."""
    folder, copy = tmp_path_factory.mktemp("open"), tmp_path_factory.mktemp("left")
    with Memory(folder / "a.db", embedder="hash-16") as memory:
        memory.remember([{"id": f"e{n}", "content": f"turn {n} of thing {n % 7}"} for n in range(FOLDED)])
    with Memory(folder / "a.db") as memory:
        for n in range(LOGGED):
            memory.remember({"id": f"w{n}", "content": f"in the log {n}"})
        shutil.copytree(folder, copy, dirs_exist_ok=True)
    return copy


@pytest.fixture
def files(left: Path, tmp_path: Path) -> Path:
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    return tmp_path


def use(database: Path) -> set[str]:
    """Every verb; gives the ids of all events."""
    with Memory(database) as memory:
        memory.recall("thing 3")
        memory.entities()
        memory.remember({"id": "after", "content": "after all"})
        memory.forget(ids=["e5"])
        memory.check(deep=True)
        return {event.id for event in memory.events()}


def use_or_error(database: Path) -> str:
    try:
        return "in use" if "after" in use(database) else "lost"
    except AgentMemError as error:
        return str(error)


@damages
@moments
def test_a_torn_log_costs_nothing_that_was_folded_in(files: Path, damage: Damage, moment: int) -> None:
    log = files / "a.db-wal"
    log.write_bytes(damage(log.read_bytes(), Random(moment)))

    held = use(files / "a.db")

    assert {f"e{n}" for n in range(FOLDED)} - held == {"e5"}


@damages
@moments
def test_a_damaged_database_is_one_of_our_errors_if_any(files: Path, damage: Damage, moment: int) -> None:
    database = files / "a.db"
    database.write_bytes(damage(database.read_bytes(), Random(moment)))

    outcome = use_or_error(database)

    assert outcome == "in use" or str(database) in outcome


def test_a_database_cut_off_is_told_with_what_to_do(files: Path) -> None:
    database = files / "a.db"
    database.write_bytes(database.read_bytes()[:9000])
    (files / "a.db-wal").unlink()

    with pytest.raises(AgentMemError, match=r"restore an export, or try `sqlite3 FILE .recover`"):
        use(database)
