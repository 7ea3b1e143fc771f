"""Where missing evidence was lost, by the earliest stage."""

from __future__ import annotations

import pytest
from agentmem.evals.misses import miss

WANTED = {"a": "the red boat", "b": "the blue kite"}
RANKED = ["a", *(f"other-{place}" for place in range(20)), "b"]


def test_nothing_is_missing_where_all_words_are_in_the_context() -> None:
    assert miss(WANTED, {"a", "b"}, RANKED, "the red boat\nthe  blue kite") is None


@pytest.mark.parametrize(
    ("stored", "ranked", "cause"),
    [
        ({"a"}, RANKED, "not stored"),
        ({"a", "b"}, ["a"], "not ranked in 100"),
        ({"a", "b"}, RANKED, "ranked below 10"),
        ({"a", "b"}, ["a", "b"], "not packed"),
    ],
)
def test_a_miss_names_the_stage_that_lost_it(stored: set[str], ranked: list[str], cause: str) -> None:
    assert miss(WANTED, stored, ranked, "the red boat") == cause


def test_of_several_misses_the_earliest_stage_is_named() -> None:
    assert miss(WANTED, {"b"}, ["b"], "") == "not stored"
