"""What a question asks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.read.query import analyse, named

AT = datetime(2023, 7, 19, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("When did Caroline go?", "when"),
        ("In what year was it?", "when"),
        ("Who painted it?", "who"),
        ("To whom did she write?", "who"),
        ("Where does he live?", "where"),
        ("Why did she leave?", "why"),
        ("How many dogs has he?", "how many"),
        ("How did it end?", "how"),
        ("Which book did she read?", "what"),
        ("Would John move abroad?", "yes-no"),
        ("Can you remind me where I parked?", "where"),
        ("Last year, where did she go?", "where"),
        ("Tell the story of the cat.", "statement"),
    ],
)
def test_the_kind_of_question_is_told(text: str, kind: str) -> None:
    assert analyse(text, AT).kind == kind


@pytest.mark.parametrize(
    "text",
    [
        "What activities does Melanie partake in?",
        "How many times did I visit the museum?",
        "In what order did the trips happen?",
        "List all the books that Tim read.",
        "Which countries has James visited?",
        "What LGBTQ+ events has Caroline been to?",
        "What kind of programming-related events has John hosted?",
        "What people has Maria met while volunteering?",
        "Summarise how my opinion evolved over time.",
    ],
)
def test_a_list_an_order_or_a_count_is_broad(text: str) -> None:
    assert analyse(text, AT).broad


@pytest.mark.parametrize(
    "text", ["What is the cat called?", "When did she move?", "Who is Sam's boss?", "Was it this bus?"]
)
def test_a_question_for_one_thing_is_not_broad(text: str) -> None:
    assert not analyse(text, AT).broad


@pytest.mark.parametrize(
    ("text", "tense", "now"),
    [
        ("Where did she live?", "past", False),
        ("Where does she live now?", "present", True),
        ("What will he study?", "future", False),
        ("What is his current job?", "present", True),
    ],
)
def test_the_tense_is_told(text: str, tense: str, now: bool) -> None:
    found = analyse(text, AT)

    assert (found.tense, found.asks_now) == (tense, now)


def test_names_and_quotations_are_phrases() -> None:
    assert analyse('Did Tim read "Dune" in New York?', AT).phrases == ("Dune", "Tim", "New York")


def test_speakers_are_named_in_the_order_of_the_question() -> None:
    assert named("Did Tim tell Ann's story?", {"Ann", "Tim", "Bo"}) == ("Tim", "Ann")


def test_part_of_a_word_names_nobody() -> None:
    assert named("What a timely annotation!", {"Ann", "Tim"}) == ()


def test_a_first_name_names_the_one_who_is_called_by_both() -> None:
    assert named("What did Caroline say?", {"Caroline Smith"}) == ("Caroline Smith",)


def test_i_is_the_user_and_you_are_the_assistant() -> None:
    assert named("What did I say?", {"user", "assistant"}) == ("user",)
    assert named("What did you suggest to me?", {"user", "assistant"}) == ("assistant", "user")


@given(st.text(min_size=1, max_size=80))
def test_any_text_is_a_question(text: str) -> None:
    assert analyse(text, AT).kind
