"""Which turns are looked at beside what was found."""

from __future__ import annotations

from datetime import UTC, datetime

from agentmem.contracts import StoredPassage
from agentmem.read.candidates import Candidate, next_to


def found(seq: int) -> Candidate:
    at = datetime(2023, 5, 8, tzinfo=UTC)
    passage = StoredPassage(seq + 9, "event", f"e{seq}", "s1", seq, "Ann", "Hello.", None, "event", at, ())
    return Candidate(passage, 0.0, {})


def test_the_first_bring_two_turns_on_either_side_and_the_others_one() -> None:
    assert next_to([found(10), found(20)], 1) == [8, 9, 11, 12, 19, 21]


def test_what_was_found_itself_is_not_brought_again() -> None:
    assert next_to([found(10), found(12)], 1) == [8, 9, 11, 13]


def test_a_note_has_no_turns_beside_it() -> None:
    assert next_to([found(-1), found(5)], 1) == [3, 4, 6, 7]
