"""What a message names: names, places, quotations, addresses; and what it does not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.write.extract import entity_key, mentions

SAID_AT = datetime(2023, 5, 8, tzinfo=UTC)


def found(content: str, speaker: str | None = None) -> dict[str, str]:
    return {item.surface: item.kind for item in mentions(content, speaker=speaker, said_at=SAID_AT)}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("I met Caroline Smith at work", {"Caroline Smith": "name"}),
        ("She studied at the University of Texas", {"University of Texas": "name"}),
        ("We flew to New York", {"New York": "place"}),
        ("They live in São Paulo", {"São Paulo": "place"}),
        ("я был в Москва с Анна Каренина", {"Москва": "name", "Анна Каренина": "name"}),
        ("I love Oscar's dog", {"Oscar": "name"}),
        ("Thanks, Mel! You rock", {"Mel": "name"}),
        ("I joined the LGBTQ group", {"LGBTQ": "name"}),
        ('She read "Charlotte\'s Web" to me', {"Charlotte's Web": "quoted"}),
        ("write to a.b@example.org or @carol", {"a.b@example.org": "email", "@carol": "handle"}),
        ("see https://example.org/a?b=1.", {"https://example.org/a?b=1": "url"}),
        ("I ran on 7 May 2022", {"2022-05-07": "date"}),
    ],
)
def test_a_name_is_found_with_its_kind(content: str, expected: dict[str, str]) -> None:
    names = found(content)

    assert expected.items() <= names.items()


@pytest.mark.parametrize(
    "content",
    [
        "That was great. Wow! I'm glad, and I think so",
        "yes",
        "",
        "Absolutely! How are you? OK",
        "See you on Monday",
    ],
)
def test_capitals_that_open_sentences_are_no_names(content: str) -> None:
    assert found(content) == {}


def test_a_lone_word_at_the_start_of_a_sentence_is_a_weak_mention() -> None:
    assert found("Bread is good. We like Bread") == {"Bread": "name"}
    assert found("Bread is good.") == {"Bread": "initial"}


def test_the_speaker_is_named_once_before_all_else() -> None:
    named = mentions("I, Caroline, met Bob", speaker="Caroline", said_at=SAID_AT)

    assert [(item.surface, item.kind, item.start) for item in named] == [
        ("Caroline", "speaker", -1),
        ("Bob", "name", 17),
    ]


@pytest.mark.parametrize(
    "name", ["Zoë  Müller", "ZOË MÜLLER", "Zoe Muller", "zoë\u00a0müller", "Zoe\u0308 Müller"]
)
def test_spellings_of_one_name_have_one_key(name: str) -> None:
    assert entity_key(name) == "zoe muller"


@given(st.text(max_size=200), st.none() | st.text(max_size=10))
def test_whatever_the_text_each_entity_comes_once_where_it_stands(content: str, speaker: str | None) -> None:
    named = mentions(content, speaker=speaker, said_at=SAID_AT)

    assert len({item.key for item in named}) == len(named)
    assert all(item.key and -1 <= item.start < max(len(content), 1) for item in named)
