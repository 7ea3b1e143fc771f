"""Evidence leads on by names, titles, dates and rare words that the question does not hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentmem.contracts import StoredPassage
from agentmem.read.leads import TOO_OFTEN, leads


def said(text: str) -> StoredPassage:
    at = datetime(2024, 6, 1, tzinfo=UTC)
    return StoredPassage(1, "event", "e1", "s1", 1, "Nora", text, None, "message", at, ("e1",))


def words_of(text: str, known: set[str], often: dict[str, int]) -> list[str]:
    return [lead.words for lead in leads([(said(text), 1.0)], known, lambda term: often.get(term, 1))]


@pytest.mark.parametrize(
    ("text", "words", "term"),
    [
        ("My new boss is called Marta Lindqvist.", "Marta Lindqvist", "lindqvist"),
        ('I am reading "The Salt Road" at last.', "The Salt Road", "salt"),
        ("The surgery is on 14 June, they say.", "14 June", "14"),
        ("We have moved to Velmoor.", "Velmoor", "velmoor"),
        ("I bought a theorbo there.", "theorbo", "theorbo"),
    ],
    ids=["name", "title", "date", "place", "rare word"],
)
def test_what_stands_elsewhere_too_leads_on(text: str, words: str, term: str) -> None:
    assert words_of(text, set(), {term: 3}) == [words]


def test_what_stands_nowhere_else_leads_nowhere() -> None:
    assert words_of("My new boss is called Marta Lindqvist.", set(), {}) == []


def test_what_stands_everywhere_leads_nowhere() -> None:
    assert words_of("We have moved to Velmoor.", set(), {"velmoor": TOO_OFTEN + 1}) == []


def test_what_the_question_holds_already_is_no_lead() -> None:
    assert words_of("We have moved to Velmoor.", {"velmoor"}, {"velmoor": 3}) == []


def test_a_day_told_from_the_day_of_saying_is_no_lead() -> None:
    assert words_of("It was yesterday.", set(), {"yesterdai": 3}) == []


def test_a_name_comes_before_a_plain_word_as_rare() -> None:
    assert words_of("Marta collects typewriters.", set(), {"marta": 3, "typewrit": 3})[0] == "Marta"


def test_unlikely_evidence_leads_on_by_names_at_most() -> None:
    evidence = [(said("Marta collects typewriters."), 0.1)]

    found = leads(evidence, set(), lambda term: 3)

    assert [lead.words for lead in found] == ["Marta"]
