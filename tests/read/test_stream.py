"""Evidence that arrives in steps: what went out stays, ends within the budget, and leads to what a recall gives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem import AsyncMemory, Memory, RecallChunk
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import BudgetTooSmallError, ClosedError, InvalidInputError
from agentmem.quote import without_recall

WORDS = ["cat", "dog", "Paris", "piano", "garden", "Tuesday", "red", "bicycle", "soup", "letter"]
messages = st.lists(
    st.fixed_dictionaries(
        {
            "content": st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join),
            "name": st.sampled_from(["Alice", "Bob"]),
            "at": st.integers(0, 2_000_000_000),
            "session": st.sampled_from(["s1", "s2"]),
        }
    ),
    min_size=1,
    max_size=14,
)
questions = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(lambda words: f"{' '.join(words)}?")
# none of these is additive: two lines together may cost more, or less, than apart
counters: st.SearchStrategy[Callable[[str], int]] = st.sampled_from(
    [
        len,
        lambda text: len(text) ** 2 // 500,
        lambda text: len(text.split()) + 3 * text.count("\n") ** 2,
        lambda text: 5 + len(text) // 4,
    ]
)
CHAT = [
    {"id": "D1:1", "name": "Bob", "content": "How was your week?", "at": "2023-05-08T13:55"},
    {"id": "D1:2", "name": "Alice", "content": "I adopted a cat called Miso.", "at": "2023-05-08T13:56"},
    {"id": "D1:3", "name": "Bob", "content": "Congratulations!", "at": "2023-05-08T13:57"},
    {"id": "D1:4", "name": "Alice", "content": "She sleeps on the radiator.", "at": "2023-05-08T13:58"},
]


def joined(chunks: Sequence[RecallChunk]) -> str:
    return "".join(chunk.text for chunk in chunks)


@settings(max_examples=12)
@given(said=messages, question=questions, budget=st.integers(1, 600), count=counters)
def test_what_is_appended_is_the_whole_context_within_the_budget(
    said: list[dict[str, object]], question: str, budget: int, count: Callable[[str], int]
) -> None:
    with Memory("sqlite://", embedder="hash-16", tokenizer=count) as memory:
        memory.remember(said)
        try:
            chunks = list(memory.recall_stream(question, budget_tokens=budget))
        except BudgetTooSmallError:
            return

    whole = chunks[-1].recall
    assert whole is not None
    assert joined(chunks) == whole.text
    assert (count(whole.text) if whole.text else 0) == whole.tokens <= budget
    assert [chunk.tokens <= budget for chunk in chunks] == [True] * len(chunks)
    assert [chunk.recall for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)


@settings(max_examples=12)
@given(said=messages, question=questions, budget=st.integers(60, 600))
def test_the_chunks_bring_each_item_once_and_word_for_word(
    said: list[dict[str, object]], question: str, budget: int
) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember(said)

        chunks = list(memory.recall_stream(question, budget_tokens=budget))

    brought = [item.id for chunk in chunks for item in chunk.items]
    assert chunks[-1].recall is not None
    assert sorted(brought) == sorted({item.id for item in chunks[-1].recall.items})
    assert [item for chunk in chunks for item in chunk.items if item.text not in chunk.text] == []


@settings(max_examples=12)
@given(said=messages, question=questions)
def test_where_everything_fits_all_is_there_that_recall_finds(
    said: list[dict[str, object]], question: str
) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember(said)

        *_, last = memory.recall_stream(question, budget_tokens=4000)
        found = memory.recall(question, budget_tokens=4000)

    assert last.recall is not None
    assert [item.text for item in last.recall.items] == [item.text for item in found.items]
    assert set(last.recall.source_ids) == set(found.source_ids)


@settings(max_examples=12)
@given(said=messages, question=questions, budget=st.integers(60, 600), k=st.integers(1, 8) | st.none())
def test_the_last_update_is_what_recall_gives(
    said: list[dict[str, object]], question: str, budget: int, k: int | None
) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember(said)

        *_, last = memory.recall_stream(question, mode="update", budget_tokens=budget, k=k)
        found = memory.recall(question, budget_tokens=budget, k=k)

    assert (last.text, last.items, last.tokens) == (found.text, found.items, found.tokens)
    assert last.recall is not None
    assert last.recall.items == found.items


@settings(max_examples=12)
@given(said=messages, question=questions, k=st.integers(1, 5))
def test_no_more_than_k_items_are_brought_in_all(
    said: list[dict[str, object]], question: str, k: int
) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember(said)

        chunks = list(memory.recall_stream(question, k=k))

    assert sum(len(chunk.items) for chunk in chunks) <= k


@pytest.mark.parametrize("mode", ["append", "update"])
def test_nothing_of_another_namespace_is_brought(memory_on_each: Memory, mode: str) -> None:
    other = memory_on_each.namespace("someone", "else")
    other.remember([{**turn, "id": f"other {turn['id']}"} for turn in CHAT])
    memory_on_each.remember(CHAT[2:])

    chunks = list(memory_on_each.recall_stream("What is Alice's cat called?", mode=mode))  # type: ignore[arg-type]

    assert {item.id for chunk in chunks for item in chunk.items} == {"D1:3", "D1:4"}
    assert "Miso" not in joined(chunks)


class WaitingEmbedder(HashEmbedder):
    """Embeds a question only once it is let."""

    def __init__(self) -> None:
        super().__init__(16)
        self.may = threading.Event()

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        assert kind == "document" or self.may.wait(60)
        return super().embed(texts, kind)


@pytest.mark.parametrize("mode", ["append", "update"])
def test_the_first_evidence_is_there_before_the_question_is_embedded(database: Path, mode: str) -> None:
    embedder = WaitingEmbedder()
    with Memory(database, embedder=embedder) as memory:
        memory.remember(CHAT)

        chunks = memory.recall_stream("What is Alice's cat called?", mode=mode)  # type: ignore[arg-type]
        first = next(chunks)
        embedder.may.set()
        (last,) = chunks

    assert first.items[0].id == "D1:2"
    assert "dense" not in first.items[0].channels
    assert last.recall is not None
    assert "dense" in last.recall.items[0].channels


class BrokenEmbedder(HashEmbedder):
    """Fails at questions."""

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        if kind == "query":
            raise RuntimeError("out of memory")
        return super().embed(texts, kind)


def test_an_embedder_that_fails_leaves_what_words_find(database: Path) -> None:
    with Memory(database, embedder=BrokenEmbedder(16)) as memory:
        memory.remember(CHAT)

        *_, last = memory.recall_stream("What is Alice's cat called?")

    assert last.recall is not None
    assert last.recall.items[0].id == "D1:2"
    assert last.recall.trace.weights == "words"


def test_a_stream_follows_a_store_that_moves_to_another_embedder(database: Path) -> None:
    with Memory(database, embedder="hash-16") as memory:
        memory.remember(CHAT)
    with Memory(database) as memory, Memory(database) as other:
        chunks = memory.recall_stream("What is Alice's cat called?")
        first = next(chunks)
        other.reindex(embedder="hash-32")

        (last,) = chunks

        assert memory.embedder_name == "hash-32"
    assert last.recall is not None
    assert first.text + last.text == last.recall.text
    assert "dense" in last.recall.items[0].channels


def test_where_nothing_may_be_relevant_nothing_is_appended_before_all_is_known(memory: Memory) -> None:
    memory.remember([{"content": f"Alice has cat number {number}"} for number in range(40)])

    chunks = list(memory.recall_stream("What is Alice's cat called?", min_relevance=1.0))

    assert [(chunk.text, chunk.items) for chunk in chunks] == [("", ())]
    assert chunks[0].recall is not None
    assert chunks[0].recall.trace.gate == "nothing relevant: below 1.000"


def test_an_empty_memory_gives_one_empty_chunk(memory: Memory) -> None:
    chunks = list(memory.recall_stream("anything?"))

    assert [(chunk.text, chunk.items, chunk.tokens) for chunk in chunks] == [("", (), 0)]


def test_what_was_streamed_is_recognised_as_recalled(memory: Memory) -> None:
    memory.remember(CHAT)

    context = joined(list(memory.recall_stream("What is Alice's cat called?")))

    assert without_recall(f"before\n{context}\nafter") == "before\n\nafter"


def test_what_went_out_counts_as_recalled_though_the_rest_was_not_asked_for(memory: Memory) -> None:
    memory.remember(CHAT)
    chunks = memory.recall_stream("What is Alice's cat called?")

    first = next(chunks)

    assert [item.id for item in first.items] == ["D1:2"]
    assert set(memory.core.recall_log._waiting[("default",)]) == {"D1:2"}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"query": ""}, "query is empty"),
        ({"mode": "rewrite"}, "unknown mode 'rewrite'; known: append, update"),
        ({"budget_tokens": 0}, "budget_tokens"),
        ({"k": 0}, "k is a whole number"),
        ({"tiers": ["elsewhere"]}, "unknown tiers"),
        ({"min_relevance": 2}, "min_relevance"),
    ],
    ids=["query", "mode", "budget", "k", "tiers", "min_relevance"],
)
def test_what_makes_no_sense_is_refused_at_the_call(
    memory: Memory, wrong: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        memory.recall_stream(**{"query": "cat", **wrong})  # type: ignore[arg-type]


def test_a_budget_too_small_for_the_frame_is_refused_at_the_call(memory: Memory) -> None:
    with pytest.raises(BudgetTooSmallError, match="budget_tokens=3 cannot hold the frame"):
        memory.recall_stream("cat", budget_tokens=3)


def test_a_stream_of_a_memory_closed_meanwhile_says_so(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        memory.remember(CHAT)
        chunks = memory.recall_stream("What is Alice's cat called?")
        next(chunks)

    with pytest.raises(ClosedError):
        next(chunks)


@pytest.mark.parametrize("place", ["database", "postgres_url"])
def test_the_asynchronous_stream_brings_the_same(place: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(place)

    async def story() -> tuple[list[RecallChunk], str]:
        async with AsyncMemory(url, embedder="hash") as memory:
            await memory.remember(CHAT)
            chunks = [chunk async for chunk in memory.recall_stream("What is Alice's cat called?")]
            found = await memory.recall("What is Alice's cat called?")
            return chunks, found.items[0].id

    chunks, best = asyncio.run(story())

    assert len(chunks) == 2
    assert chunks[0].items[0].id == best == "D1:2"
    assert chunks[-1].recall is not None
    assert joined(chunks) == chunks[-1].recall.text


@pytest.mark.parametrize("place", ["database", "postgres_url"])
def test_an_asynchronous_stream_may_be_given_up(place: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(place)

    async def story() -> list[str]:
        async with AsyncMemory(url, embedder="hash") as memory:
            await memory.remember(CHAT)
            async for chunk in memory.recall_stream("What is Alice's cat called?"):
                first = chunk
                break
            return [first.items[0].id, (await memory.recall("What is Alice's cat called?")).items[0].id]

    assert asyncio.run(story()) == ["D1:2", "D1:2"]


def test_an_asynchronous_stream_leaves_the_loop_free_while_the_question_is_embedded(database: Path) -> None:
    embedder = WaitingEmbedder()

    async def story() -> int:
        async with AsyncMemory(database, embedder=embedder) as memory:
            await memory.remember(CHAT)
            chunks = memory.recall_stream("What is Alice's cat called?")
            await anext(chunks)
            rest = asyncio.ensure_future(anext(chunks))
            await asyncio.sleep(0)
            embedder.may.set()
            return len((await rest).items)

    assert asyncio.run(story()) == 3
