"""Texts become the same terms by every road."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentmem.terms import STOP_WORDS, terms

TEXTS = st.text(max_size=80)


@given(st.text(st.characters(max_codepoint=127), max_size=80))
def test_plain_text_has_the_terms_it_has_beside_other_scripts(text: str) -> None:
    # the letter takes the text off the quick road for ASCII, and has a term of its own
    beside = terms(f"{text} ж")

    assert beside == (*terms(text), "ж")


@given(TEXTS, TEXTS)
def test_no_term_reaches_across_a_colon_and_a_space(heading: str, said: str) -> None:
    together = terms(f"{heading}: {said}")

    assert together == terms(f"{heading}: ") + terms(said)


def test_words_are_lowered_stemmed_and_rid_of_stop_words() -> None:
    found = terms("The CATS_were running, at 5 o'clock!")

    assert found == ("cat", "run", "5", "o", "clock")
    assert STOP_WORDS.isdisjoint(found)


def test_a_text_longer_than_what_is_remembered_gives_all_its_terms() -> None:
    found = terms("dogs " * 400)

    assert found == ("dog",) * 400
