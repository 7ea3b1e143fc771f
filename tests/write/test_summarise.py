"""Titles and summaries out of an episode's own words."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agentmem.types import Event
from agentmem.write.summarise import describe

AT = datetime(2023, 5, 8, tzinfo=UTC)


def events(*contents: str) -> list[Event]:
    return [
        Event(f"e{seq}", (), "s", seq, "user", "Anna", content, AT, AT, "", 1)
        for seq, content in enumerate(contents)
    ]


def test_a_summary_is_what_the_episode_keeps_coming_back_to() -> None:
    told = events(
        "Hey! How are you?",
        "I called the adoption agency about the home visit.",
        "Great! What did the adoption agency say?",
        "They said the home visit of the agency is on Friday. The weather was nasty.",
        "Lunch was fine.",
    )

    title, summary = describe(told)

    assert "agency" in title
    assert "I called the adoption agency about the home visit." in summary
    assert "Lunch" not in summary


def test_a_summary_says_nothing_twice() -> None:
    told = events(
        *["The adoption agency called about the home visit today."] * 3, "We painted the kitchen walls blue."
    )

    _, summary = describe(told)

    assert summary.count("agency") == 1


def test_a_short_episode_is_titled_with_its_opening() -> None:
    assert describe(events("See you at ten")) == ("See you at ten", "Anna: See you at ten")


def test_an_episode_without_words_is_still_described() -> None:
    assert describe(events("?!")) == ("?!", "?!")


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=8))
def test_whatever_was_said_title_and_summary_stay_short(contents: list[str]) -> None:
    title, summary = describe(events(*contents))

    assert len(title) <= 80
    assert len(summary) <= 600
