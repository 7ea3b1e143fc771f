"""A language model may say what to look for next. What it answers is checked, and never does harm."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentmem import AsyncMemory, Memory
from agentmem.errors import InvalidInputError

QUESTION = "Which animals does Nora's boss keep?"
USEFUL = '{"confirmed": ["Nora\'s boss is Marta"], "questions": ["What does Marta Lindqvist breed?"]}'
SAID = [
    *(
        {"name": "Idris", "content": f"We talked for an hour about {thing}."}
        for thing in ("soup", "chess", "yoga")
    ),
    {"id": "boss", "name": "Nora", "content": "My new boss is called Marta Lindqvist."},
    *(
        {"name": "Nora", "content": f"Everyone in Berlin eats {thing}."}
        for thing in ("soup", "bread", "plums")
    ),
    {"id": "quails", "name": "Idris", "content": "Lindqvist breeds quails, they say, which lay small eggs."},
]


class Model:
    """A language model that gives the same answer always, and keeps what it was asked."""

    name = "parrot"

    def __init__(self, answer: str | Exception) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def complete(self, system: str, prompt: str) -> str:
        self.asked.append(prompt)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def told(database: Path) -> Iterator[Callable[[Model], Memory]]:
    opened = []

    def tell(model: Model) -> Memory:
        opened.append(Memory(database, embedder="hash", llm=model))
        opened[-1].remember(SAID)
        return opened[-1]

    yield tell
    for memory in opened:
        memory.close()


def test_the_models_question_finds_what_the_users_did_not(told: Callable[[Model], Memory]) -> None:
    memory = told(Model(USEFUL))

    plain, split = memory.recall(QUESTION), memory.recall(QUESTION, decompose=True)

    places = [[item.id for item in found.items].index("quails") for found in (plain, split)]
    assert places[1] < places[0]
    assert split.items[0].id == "boss"


def test_the_model_sees_question_and_evidence_as_data(told: Callable[[Model], Memory]) -> None:
    model = Model(USEFUL)

    told(model).recall(QUESTION, decompose=True)

    (prompt,) = model.asked
    question, *lines = [json.loads(line) for line in prompt.splitlines()]
    assert question == {"question": QUESTION}
    assert lines[0]["text"] == "My new boss is called Marta Lindqvist."


def test_the_trace_tells_what_was_confirmed_and_asked(told: Callable[[Model], Memory]) -> None:
    found = told(Model(f"Sure! {USEFUL}")).recall(QUESTION, decompose=True)

    (look,) = found.trace.rereads
    assert (look.by, look.confirmed, look.asked, look.note) == (
        "parrot",
        ("Nora's boss is Marta",),
        ("What does Marta Lindqvist breed?",),
        "",
    )
    assert "  known   Nora's boss is Marta" in found.explain()


def test_what_is_confirmed_is_not_asked_again(told: Callable[[Model], Memory]) -> None:
    questions = [
        "Who is Nora's boss?",
        QUESTION.upper(),
        "What does Lindqvist breed?",
        "what does lindqvist breed",
    ]
    model = Model(json.dumps({"questions": questions}))

    found = told(model).recall(QUESTION, decompose=True)

    assert found.trace.rereads[0].asked == ("What does Lindqvist breed?",)


def test_at_most_four_questions_are_asked(told: Callable[[Model], Memory]) -> None:
    model = Model(json.dumps({"questions": [f"Where is zoo {number}?" for number in range(9)]}))

    found = told(model).recall(QUESTION, decompose=True)

    assert len(found.trace.rereads[0].asked) == 4
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        "I do not know.",
        '{"questions": "all of them"}',
        '{"confirmed": []}',
        '{"questions": [""]}',
        "}{",
        TimeoutError("no answer in 30 s"),
    ],
    ids=["no JSON", "wrong type", "no questions", "empty question", "braces", "an error"],
)
def test_an_answer_of_no_use_leaves_the_recall_as_it_was(
    told: Callable[[Model], Memory], answer: str | Exception
) -> None:
    memory = told(Model(answer))

    plain, split = memory.recall(QUESTION), memory.recall(QUESTION, decompose=True)

    assert (split.text, [item.id for item in split.items]) == (plain.text, [item.id for item in plain.items])
    assert split.trace.rereads[0].note.startswith("parrot was of no use: ")


def test_a_model_that_fails_leaves_room_for_another_look(told: Callable[[Model], Memory]) -> None:
    found = told(Model("I do not know.")).recall(QUESTION, decompose=True, reread=2)

    assert [look.by for look in found.trace.rereads] == ["parrot", "leads"]


def test_a_question_that_the_evidence_covers_is_not_put_to_the_model(told: Callable[[Model], Memory]) -> None:
    model = Model(USEFUL)

    told(model).recall("Who is Nora's boss?", decompose=True)

    assert model.asked == []


def test_nobody_asks_the_model_unless_told_to(told: Callable[[Model], Memory]) -> None:
    model = Model(USEFUL)

    told(model).recall(QUESTION, reread=2)

    assert model.asked == []


def test_a_memory_without_a_model_says_so(memory: Memory) -> None:
    with pytest.raises(InvalidInputError, match=r"decompose needs a language model: Memory\(..., llm=...\)"):
        memory.recall(QUESTION, decompose=True)


def test_an_asynchronous_memory_asks_its_model(told: Callable[[Model], Memory], database: Path) -> None:
    told(Model(""))

    async def ask() -> tuple[str, ...]:
        async with AsyncMemory(database, embedder="hash", llm=lambda prompt: USEFUL) as memory:
            found = await memory.recall(QUESTION, decompose=True)
            return found.trace.rereads[0].asked

    assert asyncio.run(ask()) == ("What does Marta Lindqvist breed?",)
