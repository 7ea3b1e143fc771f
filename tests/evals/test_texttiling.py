"""TextTiling on turns whose words change once, and on turns that tell nothing."""

from __future__ import annotations

from collections import Counter

from agentmem.evals.texttiling import Tiling, boundaries, likenesses

GARDEN, ENGINE = Counter(["garden", "rose", "water"]), Counter(["engine", "oil", "wheel"])
TURNS = [GARDEN] * 6 + [ENGINE] * 6


def test_likeness_falls_where_the_words_change() -> None:
    likeness = likenesses(TURNS, 2)

    assert [round(value, 6) for value in likeness] == [1, 1, 1, 1, 0.707107, 0, 0.707107, 1, 1, 1, 1]


def test_the_one_change_of_words_is_the_one_boundary() -> None:
    assert boundaries(likenesses(TURNS, 2), Tiling(block=2, smoothing=1)) == {6}


def test_turns_that_are_all_alike_or_say_nothing_have_no_boundary() -> None:
    assert boundaries(likenesses([GARDEN] * 9, 3), Tiling()) == set()
    assert boundaries(likenesses([Counter()] * 9, 3), Tiling()) == set()
    assert boundaries([], Tiling()) == set()


def test_of_two_valleys_close_by_the_deeper_is_taken() -> None:
    likeness = [1, 1, 0, 1, 0.2, 1, 1]

    assert boundaries(likeness, Tiling(smoothing=0, sigmas=0, apart=1)) == {3, 5}
    assert boundaries(likeness, Tiling(smoothing=0, sigmas=0, apart=3)) == {3}
