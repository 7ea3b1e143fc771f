"""Words never wait for vectors, and recall's own text is no new evidence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.quote import frame


class MoodyEmbedder:
    """A `HashEmbedder` that does what `mood` says until it is well again."""

    name = "moody"
    dims = 32

    def __init__(self, mood: str = "well") -> None:
        self.mood = mood
        self._inner = HashEmbedder(32)

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        rows = self._inner.embed(texts, kind)
        nonsense: dict[str, Vectors] = {
            "well": rows,
            "nan": np.full_like(rows, np.nan),
            "narrow": rows[:, :16],
            "short": rows[:-1],
            "flat": rows.reshape(-1),
        }
        if self.mood == "raises":
            raise RuntimeError("CUDA out of memory")
        return nonsense[self.mood]


MOODS = ["raises", "nan", "narrow", "short", "flat"]


@pytest.mark.parametrize("mood", MOODS)
def test_words_are_stored_and_found_while_the_embedder_fails(mood: str) -> None:
    with Memory("sqlite://", embedder=MoodyEmbedder(mood)) as memory:
        receipt = memory.remember(
            [{"id": "e1", "content": "I adopted a cat."}, {"id": "e2", "content": "Hello."}]
        )

        assert (receipt.added, receipt.pending_vectors) == (2, 2)
        assert memory.stats().vectors == 0
        assert memory.recall("cat").items[0].id == "e1"


@pytest.mark.parametrize("mood", MOODS)
def test_vectors_are_made_once_the_embedder_is_well_again(mood: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentmem.core._RETRY_AFTER_S", 0.0)
    embedder = MoodyEmbedder(mood)
    with Memory("sqlite://", embedder=embedder) as memory:
        memory.remember([{"id": "e1", "content": "I adopted a cat."}, {"id": "e2", "content": "Hello."}])
        memory.recall("cat")

        embedder.mood = "well"
        found = memory.recall("cat")

        assert memory.stats().vectors == 2
        assert found.items[0].channels["dense"] == 1


def test_reindexing_makes_the_vectors_that_are_missing() -> None:
    embedder = MoodyEmbedder("raises")
    with Memory("sqlite://", embedder=embedder) as memory:
        memory.remember(["one", "two"])
        embedder.mood = "well"

        memory.reindex()

        assert memory.stats().vectors == 2


def test_a_failing_embedder_is_not_asked_at_every_recall() -> None:
    embedder = MoodyEmbedder("raises")
    with Memory("sqlite://", embedder=embedder) as memory:
        memory.remember("I adopted a cat.")
        memory.recall("cat")
        embedder.mood = "well"

        memory.recall("cat")

        assert memory.stats().vectors == 0


def test_a_note_is_stored_and_found_while_the_embedder_fails() -> None:
    with Memory("sqlite://", embedder=MoodyEmbedder("raises")) as memory:
        note_id = memory.note("Alice is vegetarian")

        assert memory.recall("vegetarian").items[0].id == note_id


def test_what_was_forgotten_while_waiting_gets_no_vector() -> None:
    embedder = MoodyEmbedder("raises")
    with Memory("sqlite://", embedder=embedder) as memory:
        memory.remember([{"id": "e1", "content": "one"}, {"id": "e2", "content": "two"}])
        memory.forget(ids=["e1"])
        embedder.mood = "well"

        memory.reindex()

        assert (memory.stats().passages, memory.stats().vectors) == (1, 1)


def test_a_recalled_context_written_back_is_not_stored(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    receipt = memory.remember({"role": "system", "content": memory.recall("cat").text})

    assert (receipt.added, receipt.echoes) == (0, 1)
    assert memory.stats().events == 1


def test_recall_fed_back_again_and_again_makes_no_copies(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    for turn in range(5):
        memory.remember({"content": f"{memory.recall('cat').text}\nTurn {turn}", "id": f"t{turn}"})

    assert memory.recall("adopted", budget_tokens=2000).text.count("I adopted a cat.") == 1


def test_words_around_a_recalled_context_are_kept(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": f"Before.\n{frame('user: old words')}\nAfter."})

    assert memory.get("e1").content == "Before.\n\nAfter."


def test_a_mark_that_is_never_closed_is_ordinary_text(memory: Memory) -> None:
    content = '  <memory source="agentmem" trust="x"> and no more\n'

    memory.remember({"id": "e1", "content": content})

    assert memory.get("e1").content == content


def test_a_text_of_nothing_but_opened_marks_is_read_in_good_time(memory: Memory) -> None:
    content = '<memory source="agentmem">' * 100_000 + '<memory source="agentmem"' * 100_000

    receipt = memory.namespace("hostile").remember({"id": "e1", "content": content[:4_000_000]})

    assert receipt.added == 1
