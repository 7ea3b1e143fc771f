"""Captions give way below the best of a ranking, and nothing that was said does."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.contracts import StoredPassage
from agentmem.read.candidates import Candidate
from agentmem.read.captions import shortened, without_captions
from agentmem.read.layout import line

AT = datetime(2024, 5, 1, tzinfo=UTC)


def candidate(place: int, content: str) -> Candidate:
    passage = StoredPassage(
        key=place,
        owner="event",
        owner_id=f"e{place}",
        seq=place,
        kind="message",
        session="s1",
        speaker="Anna",
        at=AT,
        content=content,
        span=None,
        source_ids=(f"e{place}",),
    )
    return Candidate(passage, -float(place), {}, passage.source_ids)


def test_only_below_the_best_and_only_captions_that_the_question_has_no_word_of_give_way() -> None:
    shown = "Look!\n[image: a red bicycle]"
    ranked = [candidate(place, shown) for place in range(12)] + [
        candidate(12, "Look!\n[image: two sleeping dogs]")
    ]

    kept = shortened(ranked, {"dog"})

    assert [entry.brief for entry in kept] == [False] * 10 + [True, True, False]
    assert [entry.passage for entry in kept] == [entry.passage for entry in ranked]


def test_a_brief_line_keeps_what_was_said_the_mark_and_the_path() -> None:
    entry = candidate(0, "Look at this:\n[image: a red bicycle](<photos/bike.jpg>)\nNice?")

    assert line(entry.passage, brief=True) == "Anna: Look at this:\n[image](<photos/bike.jpg>)\nNice?"


@pytest.mark.parametrize(
    "text", ["[image: a red bicycle]", " [image: a][image: b]\n", "no image", "[image: ", ""]
)
def test_a_text_that_says_nothing_else_keeps_its_captions(text: str) -> None:
    assert without_captions(text) == text


@given(before=st.text(), caption=st.text(min_size=1), after=st.text())
def test_words_outside_of_captions_stay(before: str, caption: str, after: str) -> None:
    short = without_captions(f"{before}[image: {caption}]{after}")

    assert len(short) <= len(f"{before}[image: {caption}]{after}")
    assert short.startswith(before.partition("[image: ")[0])
    assert short.endswith(after.rpartition("]")[2])


def test_a_context_under_pressure_holds_more_turns_for_it() -> None:
    caption = "a photo of a group of people who stand in front of a large old building with many windows"
    turns = [
        {"content": f"We saw the town of number {n}.\n[image: {caption}]", "name": "Anna", "at": "2024-05-01"}
        for n in range(40)
    ]
    with Memory("sqlite://", embedder="hash-64") as memory:
        memory.remember(turns)

        found = memory.recall("Which town did Anna see?", budget_tokens=600)

    assert found.text.count(caption) == 10
    assert found.text.count("We saw the town") == len(found.items) > 20
    assert all(caption in item.text for item in found.items)
