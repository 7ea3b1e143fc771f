"""Another embedder is an error with a way out; moving over never leaves a memory without vectors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import EmbedderError, EmbedderMismatchError, MissingExtraError


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
    fill(database)
    return database


def fill(place: str | Path) -> None:
    with Memory(place, embedder="hash-32") as memory:
        memory.remember([{"id": str(number), "content": f"thing {number}"} for number in range(600)])
        memory.note("Things are numbered", id="note")


@pytest.fixture(params=["database", "postgres_url"])
def anywhere(request: pytest.FixtureRequest) -> str:
    """The same on every kind of store."""
    url = str(request.getfixturevalue(request.param))
    fill(url)
    return url


@pytest.mark.parametrize("embedder", ["hash-64", NamedEmbedder("other", 32), NamedEmbedder("hash-32", 16)])
def test_another_name_or_other_dims_are_an_error_that_names_reindex(
    filled: Path, embedder: str | NamedEmbedder
) -> None:
    with pytest.raises(EmbedderMismatchError, match=r"'hash-32' \(32 dims\).*reindex"):
        Memory(filled, embedder=embedder)


def test_a_memory_moves_to_another_embedder(anywhere: str) -> None:
    with Memory(anywhere) as memory:
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


def test_an_interrupted_move_leaves_the_old_embedder_serving(anywhere: str) -> None:
    with Memory(anywhere) as memory:
        with pytest.raises(EmbedderError, match="old vectors stay in use"):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))

        assert memory.embedder_name == "hash-32"
        assert memory.recall("thing 42").items[0].channels["dense"] == 1

    with Memory(anywhere) as memory:
        assert memory.embedder_name == "hash-32"
        assert memory.recall("thing 42").items[0].channels["dense"] == 1


def test_an_interrupted_move_counts_no_vector_twice(filled: Path) -> None:
    with Memory(filled) as memory:
        with pytest.raises(EmbedderError):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))

        assert memory.stats().vectors == 601


def test_an_interrupted_move_is_taken_up_again(anywhere: str) -> None:
    with Memory(anywhere) as memory:
        with pytest.raises(EmbedderError):
            memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))
        memory.remember({"id": "late", "content": "a late thing"})

        moved = memory.reindex(embedder=NamedEmbedder("new", breaks_after=2))

        # what was embedded before the interruption is not embedded again
        assert moved == 602 - 512
        assert memory.stats().vectors == 602
        assert memory.recall("late").items[0].id == "late"


def test_moving_to_the_same_embedder_moves_nothing(filled: Path) -> None:
    with Memory(filled) as memory:
        assert memory.reindex(embedder="hash-32") == 0


def test_a_memory_that_was_open_during_the_move_follows_it(filled: Path) -> None:
    with Memory(filled) as memory, Memory(filled) as other:
        memory.recall("thing 42")
        other.reindex(embedder="hash-64")

        memory.remember({"id": "late", "content": "a late thing"})
        memory.note("late things come last", id="n1")

        assert memory.recall("thing 42").items[0].channels["dense"] == 1
        assert memory.embedder_name == "hash-64"
        assert memory.stats().vectors == 603


def test_a_memory_with_an_embedder_of_its_own_hears_of_the_move(filled: Path) -> None:
    with Memory(filled, embedder="hash-32") as memory, Memory(filled) as other:
        memory.recall("thing 42")
        other.reindex(embedder="hash-64")

        with pytest.raises(EmbedderMismatchError, match="'hash-64'"):
            memory.recall("thing 42")
        with pytest.raises(EmbedderMismatchError, match="'hash-64'"):
            memory.remember("one more thing")


class MovingEmbedder(NamedEmbedder):
    """Moves the store to another embedder while it embeds, as another thread might."""

    memory: Memory | None = None

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        memory, self.memory = self.memory, None
        if memory is not None:
            memory.reindex(embedder=NamedEmbedder("same-dims", self.dims))
        return super().embed(texts, kind)


@pytest.fixture
def moving(tmp_path: Path) -> Iterator[Memory]:
    """A memory that, from now on, moves to an embedder of the same dims while it embeds the next text."""
    embedder = MovingEmbedder("moving", 32)
    with Memory(tmp_path / "b.db", embedder=embedder) as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})
        embedder.memory = memory
        yield memory


def test_a_question_embedded_before_a_move_is_not_compared_with_vectors_after_it(moving: Memory) -> None:
    found = moving.recall("cat")

    assert moving.embedder_name == "same-dims"
    assert found.items[0].channels["dense"] == 1
    assert found.trace.channels[0].name == "dense"


def test_the_vector_of_a_note_written_during_a_move_is_made_anew(moving: Memory) -> None:
    moving.note("Alice has a cat", id="n1")

    assert moving.stats().vectors == 1
    moving.recall("cat")
    assert moving.stats().vectors == 2


def test_a_move_needs_no_embedder_but_the_new_one(tmp_path: Path) -> None:
    with Memory(tmp_path / "c.db", embedder=NamedEmbedder("gone/for-good", 32)) as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})

    moved = Memory.reembed(tmp_path / "c.db", embedder="hash-64")

    assert moved == 1
    with Memory(tmp_path / "c.db") as memory:
        assert memory.recall("cat").items[0].channels["dense"] == 1


def test_a_recorded_embedder_that_is_not_installed_is_named_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(tmp_path / "c.db", embedder=NamedEmbedder("gone/for-good", 32)):
        pass
    monkeypatch.setattr("agentmem.embed.sentence.find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"'gone/for-good'.*agentmem\[embed\].*agentmem reindex"):
        Memory(tmp_path / "c.db")


def test_an_embedder_that_does_not_exist_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError):
        Memory(tmp_path / "new.db", embedder=str(tmp_path / "no-such-model"))
    with pytest.raises(EmbedderError):
        Memory.reembed(tmp_path / "new.db", embedder=str(tmp_path / "no-such-model"))

    assert not (tmp_path / "new.db").exists()


def test_progress_is_told_while_moving(filled: Path) -> None:
    told: list[tuple[int, int]] = []
    with Memory(filled) as memory:
        memory.reindex(embedder="hash-64", progress=lambda done, total: told.append((done, total)))

    assert told == [(256, 601), (512, 601), (601, 601)]


def test_a_memory_answers_and_remembers_while_it_is_moved(anywhere: str) -> None:
    answers: list[str] = []
    with Memory(anywhere) as memory, Memory(anywhere) as other:

        def ask(done: int, total: int) -> None:
            other.remember({"id": f"during {done}", "content": f"said after {done} things"})
            answers.append(other.recall("thing 42").items[0].id)

        memory.reindex(embedder="hash-64", progress=ask)

        assert answers == ["42", "42", "42"]
        assert other.recall("said after 256 things").items[0].id == "during 256"
        assert other.stats().vectors == 604
