"""The SQLite store among other processes and embedders."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import DuplicateIdError


class OvertakenEmbedder(HashEmbedder):
    """Moves the store to another embedder while it embeds, as another thread might."""

    memory: Memory | None = None

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        memory, self.memory = self.memory, None
        if memory is not None:
            memory.reindex(embedder="hash-64")
        return super().embed(texts, kind)


def test_closing_does_not_wait_for_another_processes_long_write(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "a.db", embedder="hash")
    memory.remember("I adopted a cat.")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    memory.close()

    assert other.in_transaction
    other.close()


def test_vectors_of_an_embedder_that_was_replaced_meanwhile_are_made_anew(tmp_path: Path) -> None:
    embedder = OvertakenEmbedder()
    with Memory(tmp_path / "a.db", embedder=embedder) as memory:
        embedder.memory = memory

        memory.remember({"id": "e1", "content": "I adopted a cat."})

        assert memory.recall("cat").items[0].channels["dense"] == 1
        assert memory.stats().dims == 64
    stored = sqlite3.connect(tmp_path / "a.db")
    (data,) = stored.execute("SELECT data FROM vectors").fetchone()
    stored.close()
    assert len(np.frombuffer(data, dtype=np.float32)) == 64


def test_an_event_cannot_take_the_id_of_a_note(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db", embedder="hash") as memory:
        memory.note("Alice has a cat", id="n1")

        with pytest.raises(DuplicateIdError, match="n1"):
            memory.remember([{"content": "hello"}, {"id": "n1", "content": "I adopted a cat."}])

        assert memory.events() == []


def test_a_note_cannot_take_the_id_of_an_event(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db", embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})

        with pytest.raises(DuplicateIdError, match="e1"):
            memory.note("Alice has a cat", id="e1")
