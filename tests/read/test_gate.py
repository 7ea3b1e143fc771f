"""Whether memory holds an answer: the signs, the chance, and recall that answers with nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agentmem import Memory
from agentmem.contracts import StoredPassage
from agentmem.errors import InvalidInputError
from agentmem.read.combine import gates
from agentmem.read.features import Ability, Asked, features
from agentmem.read.gate import Gate, alike, signs
from agentmem.read.pool import Pool, make_pool
from agentmem.read.query import analyse
from agentmem.read.views import Views
from agentmem.terms import terms

START = datetime(2023, 5, 8, 13, tzinfo=UTC)
WORDS = (("Bob", "I adopted a cat called Miso."), ("Alice", "The weather was grey."))
TALK = tuple(
    StoredPassage(
        seq + 1,
        "event",
        f"e{seq}",
        "s1",
        seq,
        name,
        text,
        None,
        "event",
        START + timedelta(minutes=seq),
        (f"e{seq}",),
    )
    for seq, (name, text) in enumerate(WORDS)
)


def told(question: str) -> dict[str, float]:
    asked = Asked(question, analyse(question, START), terms(question), None)
    pool = make_pool(TALK, Views(), None)
    columns = features(asked, pool)
    return signs(asked, columns["covered"], columns, columns["covered"])


def pool_of(pieces: list[list[float]] | None, vectors: list[list[float]] | None) -> Pool:
    rows = None if vectors is None else {key: np.array(row, np.float32) for key, row in enumerate(vectors, 1)}
    near = None if pieces is None else {key: np.array(row, np.float32) for key, row in enumerate(pieces, 1)}
    return make_pool(TALK, Views(), rows, near)


@pytest.fixture
def talk(memory: Memory) -> Memory:
    """Thirty turns on a garden, enough to judge by."""
    memory.remember(
        [
            {"id": f"g{n}", "name": "Ann", "content": f"In the garden we planted bed number {n}"}
            for n in range(30)
        ]
    )
    return memory


def test_what_the_wrong_one_said_is_a_sign_against() -> None:
    assert told("What is Bob's cat called?")["covered_of_speaker"] > 0
    assert told("What is Alice's cat called?")["covered_of_speaker"] < 0
    assert told("What is the cat called?")["covered_of_speaker"] == 0


def test_every_packaged_gate_knows_every_sign_and_counts_the_wrong_speaker_against() -> None:
    names = set(told("Who?"))

    assert {name: set(gate.weights) == names for name, gate in gates().items()} == dict.fromkeys(
        gates(), True
    )
    assert min(gate.weights["covered_of_speaker"] for gate in gates().values()) > 0


def test_a_chance_lies_between_never_and_ever() -> None:
    gate = Gate({"x": 2.0}, -1.0)

    assert gate.chance({"x": 0.5}) == 0.5
    assert 0 < gate.chance({"x": -10.0}) < 0.01 < 0.99 < gate.chance({"x": 10.0}) < 1


@pytest.mark.parametrize(
    ("ability", "expected"), [("late", [0.9, 0.1]), ("dense", [0.6, 0.8]), ("words", [0.0, 0.0])]
)
def test_nearness_is_measured_by_what_there_is(ability: Ability, expected: list[float]) -> None:
    vector = np.array([1.0, 0.0], dtype=np.float32)
    asked = Asked("cat?", analyse("cat?", START), ("cat",), vector, vector[None])
    pool = pool_of([[0.9], [0.1]], [[0.6, 0.8], [0.8, -0.6]])

    near = alike(asked, pool, ability)

    assert near.tolist() == pytest.approx(expected, abs=1e-6)


def test_below_the_least_relevance_there_is_no_answer_and_the_trace_says_why(talk: Memory) -> None:
    found = talk.recall("Which planet has rings?", min_relevance=0.99)

    assert (found.text, found.items, found.trace.tiers) == ("", (), ())
    assert found.trace.gate == "nothing relevant: below 0.990"
    assert "chance of an answer 0." in found.explain()


def test_without_a_least_relevance_there_is_always_an_answer(talk: Memory) -> None:
    assert talk.recall("Which planet has rings?").items


def test_a_question_on_what_was_said_is_likelier_answered_than_one_on_what_was_not(talk: Memory) -> None:
    inside = talk.recall("What did Ann plant in the garden?").trace.relevance
    outside = talk.recall("Which planet has rings?").trace.relevance

    assert inside is not None
    assert outside is not None
    assert inside > outside


def test_of_a_small_memory_nothing_is_said_and_nothing_withheld(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    found = memory.recall("Which planet has rings?", min_relevance=1)

    assert found.trace.relevance is None
    assert found.source_ids == ("e1",)


@pytest.mark.parametrize("chance", [-0.1, 1.5])
def test_what_is_no_chance_is_refused(talk: Memory, chance: float) -> None:
    with pytest.raises(InvalidInputError, match="min_relevance"):
        talk.recall("cat", min_relevance=chance)
