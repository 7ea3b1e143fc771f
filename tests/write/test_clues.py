"""What is ruled out quickly is never what the slow pattern would have found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentmem.write import dates, segment
from agentmem.write.clues import may_match

_PARTS = (
    "Long time no see", "how are you", "HOW'S IT GOING", "good to hear", "Great to see", "since we last met",
    "what's new", "what up", "goodbye", "Bye", "take care", "talk to you soon", "chat later", "see ya", "catch up",
    "later!",
    "good night", "have a lovely", "until next time", "stay in touch", "keep in touch", "yesterday", "ago", "last week",
    "this", "next\tyear", "May", "December", "tonight", "tomorrow", "today", "in", "two", "2023", " ", " ", "ſ", ".",
)  # fmt: skip
TEXTS = st.lists(st.sampled_from(_PARTS) | st.text(max_size=4), max_size=6).map("".join)


@given(TEXTS)
def test_a_text_ruled_out_names_no_reunion(text: str) -> None:
    assert may_match(text, segment._REUNION_CLUES) or segment._REUNION.search(text) is None


@given(TEXTS)
def test_a_text_ruled_out_names_no_farewell(text: str) -> None:
    assert may_match(text, segment._FAREWELL_CLUES) or segment._FAREWELL.search(text) is None


@given(TEXTS)
def test_a_text_ruled_out_names_no_date(text: str) -> None:
    ruled_out = dates._DIGIT.search(text) is None and not may_match(text, dates._CLUES)

    assert not ruled_out or dates._HINT.search(text) is None


def test_a_clue_is_found_in_any_case() -> None:
    assert may_match("See YOU", ("see y",))
    assert not may_match("nothing of it", ("see y",))


def test_a_text_beyond_ascii_is_never_ruled_out() -> None:
    assert may_match("ſee you", ("see y",))
