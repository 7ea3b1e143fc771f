"""Looking again finds what the first look only leads to, and leaves what was certain where it was."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentmem import AsyncMemory, Memory
from agentmem.errors import InvalidInputError

CHATTER = [
    {"id": f"c{number}", "name": ("Nora", "Idris")[number % 2], "content": text}
    for number, text in enumerate(
        f"{opening} {thing}."
        for opening in ("Everyone in Berlin talks about", "We talked for an hour about", "Nobody cares about")
        for thing in (
            "the fence",
            "soup",
            "swimming",
            "the choir",
            "tomatoes",
            "the bicycle",
            "chess",
            "yoga",
        )
    )
]
FACTS = [
    {"id": "boss", "name": "Nora", "content": "My new boss is called Marta Lindqvist."},
    {"id": "quails", "name": "Idris", "content": "Marta Lindqvist breeds quails."},
    {"id": "town", "name": "Idris", "content": "Marta Lindqvist comes from Velmoor."},
    {"id": "curling", "name": "Nora", "content": "Everyone in Velmoor is mad about curling."},
    {"id": "alpacas", "name": "Idris", "content": "Pavel Oduya breeds alpacas."},
    {"id": "dentist", "name": "Idris", "content": "The one who fixes my teeth is Pavel Oduya."},
]
QUESTION = "Which animals does Nora's boss keep?"


@pytest.fixture
def told(memory: Memory) -> Memory:
    half = len(CHATTER) // 2
    memory.remember([*CHATTER[:half], *FACTS[::2], *CHATTER[half:], *FACTS[1::2]])
    return memory


def first(memory: Memory, question: str, count: int, **options: object) -> list[str]:
    return list(memory.recall(question, **options).source_ids[:count])  # type: ignore[arg-type]


def test_a_second_look_finds_what_shares_no_word_with_the_question(told: Memory) -> None:
    assert "quails" not in first(told, QUESTION, 8)
    assert "quails" in first(told, QUESTION, 7, reread=1)


def test_what_was_first_stays_first(told: Memory) -> None:
    assert first(told, QUESTION, 1) == first(told, QUESTION, 1, reread=2) == ["boss"]


def test_a_third_fact_takes_two_further_looks(told: Memory) -> None:
    question = "Which sport is popular in the home of Nora's boss?"

    one, two = (told.recall(question, reread=rounds) for rounds in (1, 2))

    places = [found.source_ids.index("curling") for found in (one, two)]
    assert places[1] < places[0]
    assert two.trace.rereads[1].asked[0].startswith("Velmoor: ")


def test_a_question_that_the_evidence_covers_is_not_looked_up_again(told: Memory) -> None:
    plain, again = (told.recall("Who is Nora's boss?", reread=rounds) for rounds in (0, 2))

    assert again.text == plain.text
    assert [(look.by, look.note) for look in again.trace.rereads] == [
        ("", "the evidence covers the question")
    ]


def test_the_trace_tells_what_was_open_and_asked(told: Memory) -> None:
    found = told.recall(QUESTION, reread=1, explain=True)

    (look,) = found.trace.rereads
    assert (look.by, look.open, look.asked[0]) == (
        "leads",
        ("anim", "keep"),
        "Marta Lindqvist: Which animals does keep?",
    )
    assert "  asked   Marta Lindqvist: Which animals does keep?" in found.explain()
    assert "reread" in next(item for item in found.items if item.id == "quails").channels


def test_without_asking_for_it_nothing_is_looked_up_again(told: Memory) -> None:
    assert told.recall(QUESTION).trace.rereads == ()


def test_a_further_look_sees_no_more_than_the_first_may(memory: Memory) -> None:
    memory.remember([{**fact, "at": "2024-05-01"} for fact in [*CHATTER, FACTS[0]]])
    memory.remember({**FACTS[1], "at": "2024-06-01"})

    assert "quails" not in memory.recall(QUESTION, at="2024-05-15", reread=2).source_ids
    assert "quails" in memory.recall(QUESTION, at="2024-06-15", reread=2).source_ids


def test_a_further_look_stays_in_its_namespace(told: Memory) -> None:
    other = told.namespace("other")
    other.remember([*CHATTER, FACTS[0]])

    found = other.recall(QUESTION, budget_tokens=4000, reread=2)

    assert "quails" not in found.source_ids
    assert [look.note for look in found.trace.rereads][-1] == "nothing more to ask"


def test_words_alone_are_enough_to_look_again(told: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(told.core.embedder.inner, "embed", broken)

    found = told.recall(f"{QUESTION} Anyone?", reread=1)

    assert found.trace.weights == "words"
    assert "quails" in found.source_ids[:7]


@pytest.mark.parametrize("rounds", [-1, 3, 1.5, "2"], ids=repr)
def test_a_number_of_looks_that_makes_no_sense_is_refused(told: Memory, rounds: object) -> None:
    with pytest.raises(InvalidInputError, match="reread is a number of looks from 0 to 2"):
        told.recall(QUESTION, reread=rounds)  # type: ignore[arg-type]


def test_an_empty_memory_has_nothing_to_look_at_again(memory: Memory) -> None:
    assert memory.recall(QUESTION, reread=2).items == ()


def test_silence_for_want_of_relevance_is_not_broken_by_a_second_look(told: Memory) -> None:
    found = told.recall(QUESTION, reread=2, min_relevance=1.0)

    assert (found.text, found.trace.rereads) == ("", ())


@pytest.mark.parametrize("mode", ["append", "update"])
def test_a_stream_ends_with_what_was_found_again(told: Memory, mode: str) -> None:
    chunks = list(told.recall_stream(QUESTION, mode=mode, reread=1))  # type: ignore[arg-type]

    whole = chunks[-1].recall
    assert whole is not None
    assert "quails" in whole.source_ids[:7]
    assert len(whole.trace.rereads) == 1


def test_an_asynchronous_memory_looks_again(told: Memory, database: Path) -> None:
    async def ask() -> list[str]:
        async with AsyncMemory(database, embedder="hash") as memory:
            found = await memory.recall(QUESTION, reread=1)
            return list(found.source_ids[:7])

    assert "quails" in asyncio.run(ask())


def test_both_databases_lead_on_to_the_same(memory_on_each: Memory) -> None:
    memory_on_each.remember([*CHATTER, *FACTS])

    looks = memory_on_each.recall(QUESTION, reread=2).trace.rereads

    assert [look.asked for look in looks] == [
        ("Marta Lindqvist: Which animals does keep?",),
        ("Velmoor: Which animals does keep?", "breeds: Which animals does keep?"),
    ]


def test_an_asynchronous_memory_on_postgresql_looks_again_and_asks_its_model(shared_database: str) -> None:
    given = '{"questions": ["What does Marta Lindqvist breed?"]}'

    async def ask() -> tuple[str, ...]:
        options = {"namespace": ("reread",), "embedder": "hash-16", "llm": lambda prompt: given}
        async with AsyncMemory(shared_database, **options) as memory:
            await memory.remember([*CHATTER, *FACTS])
            found = await memory.recall(QUESTION, decompose=True, reread=1)
            return tuple(look.by for look in found.trace.rereads)

    assert asyncio.run(ask()) == ("<lambda>", "leads")
