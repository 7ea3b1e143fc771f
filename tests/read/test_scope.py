"""Which tiers a question is read from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from agentmem import Memory
from agentmem.contracts import StoredPassage
from agentmem.read.candidates import Candidate
from agentmem.read.query import analyse
from agentmem.read.scope import chances, decide
from agentmem.types import Tier

NOW = datetime(2023, 5, 8, tzinfo=UTC)


def candidate(key: int, score: float, at: datetime = NOW) -> Candidate:
    passage = StoredPassage(
        key, "event", f"e{key}", "s1", key, "Ann", "words", None, "event", at, (f"e{key}",)
    )
    return Candidate(passage, score, {}, (f"e{key}",))


RANKED = [candidate(1, 9.0, datetime(2021, 1, 1, tzinfo=UTC)), candidate(2, 8.0), candidate(3, 0.0)]
TIERS: Mapping[int, Tier] = {1: "episode", 2: "window", 3: "semantic"}


def tiers_of(question: str) -> tuple[Tier, ...]:
    return decide(question, analyse(question, NOW), RANKED, TIERS).tiers


def test_the_chances_of_a_tier_are_those_of_what_is_in_it() -> None:
    found = chances(
        [candidate(1, 2.0), candidate(2, 2.0), candidate(3, 2.0)],
        {1: "window", 2: "episode", 3: "episode"},
        "",
    )

    assert found == pytest.approx({"window": 1 / 3, "episode": 2 / 3})


def test_a_tier_that_hardly_holds_the_evidence_is_not_read() -> None:
    assert tiers_of("Where does Ann live?") == ("window", "episode")


@pytest.mark.parametrize(
    "question",
    ["What did I just say?", "Say that again please", "make it shorter", "what was your last answer?"],
)
def test_a_question_about_what_was_just_said_is_read_from_the_window_alone(question: str) -> None:
    assert tiers_of(question) == ("window",)


def test_where_there_is_no_window_such_a_question_is_read_from_the_rest() -> None:
    question = "What did I just say?"

    gate = decide(question, analyse(question, NOW), RANKED[:1], TIERS)

    assert gate.tiers == ("episode",)


def test_a_time_before_the_window_speaks_against_it() -> None:
    now = decide("Where is Ann?", analyse("Where is Ann?", NOW), RANKED, TIERS).chances["window"]
    question = "Where was Ann in January 2021?"

    then = decide(question, analyse(question, NOW), RANKED, TIERS)

    assert then.chances["window"] < now / 5
    assert then.why.endswith("; about long ago")


def test_small_talk_is_answered_with_nothing_and_is_not_embedded(memory: Memory) -> None:
    memory.remember("I adopted a cat called Miso.")

    found = memory.recall("thanks, you're the best!", gate=True)

    assert (found.text, found.items, found.trace.tiers) == ("", (), ())
    assert found.trace.gate == f"small talk: chance that it needs memory {found.trace.need:.2f}"
    assert memory.recall("thanks, you're the best!").source_ids != ()


def test_small_talk_is_streamed_as_nothing(memory: Memory) -> None:
    memory.remember("I adopted a cat called Miso.")

    chunks = list(memory.recall_stream("thanks!", gate=True))

    assert [(chunk.text, chunk.items) for chunk in chunks] == [("", ())]


def test_a_question_is_answered_as_ever_and_the_trace_tells_the_chances(memory: Memory) -> None:
    memory.remember({"id": "cat", "content": "I adopted a cat called Miso."})

    found = memory.recall("What is the cat called?", gate=True)

    assert found.source_ids == ("cat",)
    assert found.trace.tiers == ("window",)
    assert found.trace.scope == {"window": 1.0}
    assert found.trace.gate == "chance of the evidence in window 1.000"
