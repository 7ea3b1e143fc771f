"""Many processes and threads on one store: nothing acknowledged is lost, and nobody waits for an embedder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60


def sqlite_file(request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{request.getfixturevalue('database')}"


def postgresql(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres_url"))


@pytest.mark.parametrize("place", [sqlite_file, postgresql])
def test_eight_processes_share_a_store_without_loss_or_error(
    request: pytest.FixtureRequest, tmp_path: Path, place: Callable[[pytest.FixtureRequest], str]
) -> None:
    """Five write and read, one reads, one forgets, one moves the store between embedders."""
    report = tmp_path / "report.json"
    options = ["--seconds", "2", "--url", place(request), "--json", str(report)]

    run = subprocess.run(
        [sys.executable, "-P", str(ROOT / "benchmarks/crowd.py"), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert (run.stderr, run.returncode) == ("", 0)
    found = json.loads(report.read_text())
    assert (found["faults"], found["processes"]) == ([], 8)
    assert min(found["stored"], found["forgotten"], found["recalls"], found["moves"]) > 0


class WaitingEmbedder(HashEmbedder):
    """Says when it is asked for documents, and gives them when it is let go."""

    def __init__(self, dims: int = 16) -> None:
        super().__init__(dims)
        self.asked, self.let_go = Event(), Event()

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        if kind == "document":
            self.asked.set()
            assert self.let_go.wait(PATIENCE_S)
        return super().embed(texts, kind)


@pytest.fixture
def waiting() -> Iterator[WaitingEmbedder]:
    embedder = WaitingEmbedder()
    yield embedder
    embedder.let_go.set()


def remember(memory: Memory) -> None:
    memory.remember({"id": "slow", "content": "The slow one."})


def note(memory: Memory) -> None:
    memory.note("The slow one.", id="slow")


@pytest.mark.parametrize("act", [remember, note])
def test_nobody_waits_while_one_embeds(
    database: Path, waiting: WaitingEmbedder, act: Callable[[Memory], None]
) -> None:
    with Memory(database, embedder="hash-16") as other:
        other.remember({"id": "first", "content": "The first one."})
        with Memory(database, embedder=waiting) as memory, ThreadPoolExecutor(1) as thread:
            slow = thread.submit(act, memory)
            assert waiting.asked.wait(PATIENCE_S)

            other.remember({"id": "second", "content": "The second one."})
            found = {item.id for item in memory.recall("one").items}
            other.forget(ids=["first"])

            assert found == {"first", "second"}
            assert not slow.done()
            waiting.let_go.set()
            slow.result(PATIENCE_S)
            assert memory.get("slow")
        assert other.check(deep=True) == []


def test_nobody_waits_while_the_store_moves_to_another_embedder(
    database: Path, waiting: WaitingEmbedder
) -> None:
    with Memory(database, embedder="hash-32") as other, ThreadPoolExecutor(1) as thread:
        other.remember({"id": "first", "content": "The first one."})
        moved = thread.submit(Memory.reembed, database, embedder=waiting)
        assert waiting.asked.wait(PATIENCE_S)

        other.remember({"id": "second", "content": "The second one."})
        found = other.recall("one")
        other.forget(ids=["first"])

        assert {item.id for item in found.items} == {"first", "second"}
        assert all("dense" in item.channels for item in found.items)
        assert not moved.done()
        waiting.let_go.set()
        moved.result(PATIENCE_S)
    with Memory(database, embedder="hash-16") as memory:
        assert memory.recall("second").items[0].channels["dense"] == 1
        assert memory.check(deep=True) == []
