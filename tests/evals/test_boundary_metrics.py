"""Pk, WindowDiff and F1 within a tolerance, on sequences small enough to count by hand."""

from __future__ import annotations

import pytest
from agentmem.evals.boundary_metrics import f1_near, half_a_segment, pk, window_diff
from hypothesis import given
from hypothesis import strategies as st

PLACES = st.sets(st.integers(1, 29))


def test_a_boundary_that_is_missed_spoils_every_window_it_lies_in() -> None:
    # windows of items (0, 2) … (7, 9); the boundary before item 5 lies in those that begin at 3 and 4
    assert pk({5}, set(), 10, 2) == 2 / 8
    assert window_diff({5}, set(), 10, 2) == 2 / 8


def test_only_window_diff_counts_a_boundary_too_many_beside_a_true_one() -> None:
    # the window of items (4, 6) holds both; Pk minds those that begin at 5 only
    assert pk({5}, {5, 6}, 10, 2) == 1 / 8
    assert window_diff({5}, {5, 6}, 10, 2) == 2 / 8


def test_half_a_segment_is_half_the_mean_length() -> None:
    assert half_a_segment({10, 20}, 30) == 5
    assert half_a_segment(set(), 1) == 1


@pytest.mark.parametrize(
    ("found", "value"),
    [({10}, 1.0), ({8}, 1.0), ({12}, 1.0), ({13}, 0.0), (set(), 0.0), ({9, 11}, 2 / 3)],
    ids=["exact", "two before", "two after", "three after", "none", "two for one"],
)
def test_a_true_boundary_is_found_once_within_the_tolerance(found: set[int], value: float) -> None:
    assert f1_near({10}, found, 2) == pytest.approx(value)


@given(true=PLACES, k=st.integers(1, 8))
def test_what_is_true_scores_best(true: set[int], k: int) -> None:
    assert (pk(true, true, 30, k), window_diff(true, true, 30, k), f1_near(true, true, 2)) == (0.0, 0.0, 1.0)


@given(true=PLACES, found=PLACES, k=st.integers(1, 8))
def test_window_diff_is_never_kinder_than_pk(true: set[int], found: set[int], k: int) -> None:
    assert 0 <= pk(true, found, 30, k) <= window_diff(true, found, 30, k) <= 1
