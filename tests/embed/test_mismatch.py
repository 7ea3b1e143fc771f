"""Another embedder is an error with a way out; moving over never leaves a memory without vectors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import EmbedderError, EmbedderMismatchError


class NamedEmbedder(HashEmbedder):
    """A `HashEmbedder` under another name, which may break after so many calls."""

    def __init__(self, name: str, dims: int = 16, breaks_after: int = 1_000) -> None:
        super().__init__(dims)
        self._name = name
        self._left = breaks_after

    @property
    def name(self) -> str:
        return self._name

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        self._left -= 1
        if self._left < 0:
            raise RuntimeError("out of memory")
        return super().embed(texts, kind)


@pytest.fixture
def filled(database: Path) -> Path:
    with Memory(database, embedder="hash-32") as memory:
        memory.remember([{"id": str(number), "content": f"thing {number}"} for number in range(600)])
        memory.note("Things are numbered", id="note")
    return database


@pytest.mark.parametrize("embedder", ["hash-64", NamedEmbedder("other", 32), NamedEmbedder("hash-32", 16)])
def test_another_name_or_other_dims_are_an_error_that_names_reindex(
    filled: Path, embedder: str | NamedEmbedder
) -> None:
    with pytest.raises(EmbedderMismatchError, match=r"'hash-32' \(32 dims\).*reindex"):
        Memory(filled, embedder=embedder)


def test_a_memory_moves_to_another_embedder(filled: Path) -> None:
    with Memory(filled) as memory:
        moved = memory.reindex(embedder="hash-64")

        assert moved == 601
        assert (memory.stats().embedder, memory.stats().dims, memory.stats().vectors) == ("hash-64", 64, 601)
        assert memory.recall("thing 42").items[0].id == "42"
        assert "dense" in memory.recall("thing 42").items[0].channels


def test_after_the_move_the_old_embedder_is_the_wrong_one(filled: Path) -> None:
    with Memory(filled) as memory:
        memory.reindex(embedder="hash-64")

    with pytest.raises(EmbedderMismatchError, match="'hash-64'"):
        Memory(filled, embedder="hash-32")
    Memory(filled, embedder="hash-64").close()


def test_an_interrupted_move_leaves_the_old_embedder_serving(filled: Path) -> None:
    with Memory(filled) as memory:
        with pytest.raises(EmbedderError, match="old vectors stay in use"):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))

        assert memory.embedder_name == "hash-32"
        assert memory.recall("thing 42").items[0].channels["dense"] == 1

    with Memory(filled) as memory:
        assert memory.embedder_name == "hash-32"
        assert memory.recall("thing 42").items[0].channels["dense"] == 1


def test_an_interrupted_move_counts_no_vector_twice(filled: Path) -> None:
    with Memory(filled) as memory:
        with pytest.raises(EmbedderError):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))

        assert memory.stats().vectors == 601


def test_an_interrupted_move_is_taken_up_again(filled: Path) -> None:
    with Memory(filled) as memory:
        with pytest.raises(EmbedderError):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))
        memory.remember({"id": "late", "content": "a late thing"})

        memory.reindex(embedder=NamedEmbedder("new"))

        assert memory.stats().vectors == 602
        assert memory.recall("late").items[0].id == "late"


def test_moving_to_the_same_embedder_moves_nothing(filled: Path) -> None:
    with Memory(filled) as memory:
        assert memory.reindex(embedder="hash-32") == 0


def test_a_memory_that_was_open_during_the_move_hears_of_it(filled: Path) -> None:
    with Memory(filled) as memory, Memory(filled) as other:
        memory.recall("thing 42")
        other.reindex(embedder="hash-64")

        with pytest.raises(EmbedderMismatchError, match="'hash-64'"):
            memory.recall("thing 42")
        with pytest.raises(EmbedderMismatchError, match="'hash-64'"):
            memory.remember("one more thing")


def test_progress_is_told_while_moving(filled: Path) -> None:
    told: list[int] = []
    with Memory(filled) as memory:
        memory.reindex(embedder="hash-64", progress=lambda done, total: told.append(done))

    assert told == [256, 512, 601]
