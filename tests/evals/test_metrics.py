"""Evidence metrics: hand-computed values and bounds."""

from __future__ import annotations

import math

import pytest
from agentmem.evals import metrics
from hypothesis import given
from hypothesis import strategies as st

IDS = st.lists(st.sampled_from("abcdefghij"), unique=True)
EVIDENCE = st.lists(st.sampled_from("abcdefghij"), unique=True, min_size=1)


def test_recall_is_the_share_of_evidence_among_the_first_k() -> None:
    assert metrics.recall_at(["x", "a", "y", "b"], ["a", "b", "c", "d"], 3) == 0.25


def test_all_at_k_needs_every_piece_of_evidence() -> None:
    assert metrics.all_at(["a", "b", "c"], ["a", "c"], 3) == 1.0
    assert metrics.all_at(["a", "b", "c"], ["a", "c"], 2) == 0.0


def test_ndcg_of_one_hit_in_second_place() -> None:
    assert metrics.ndcg_at(["x", "a"], ["a"], 10) == pytest.approx(1 / math.log2(3))


def test_reciprocal_rank_counts_from_the_first_evidence() -> None:
    assert metrics.reciprocal_rank(["x", "y", "b", "a"], ["a", "b"]) == pytest.approx(1 / 3)


def test_reciprocal_rank_without_evidence_is_zero() -> None:
    assert metrics.reciprocal_rank(["x"], ["a"]) == 0.0


def test_verbatim_looks_past_white_space_but_not_past_a_missing_word() -> None:
    assert metrics.verbatim("Alice:  I adopted\na cat.", ["I adopted a cat."]) == 1.0
    assert metrics.verbatim("Alice: I adopted cat.", ["I adopted a cat."]) == 0.0


def test_the_mean_comes_with_an_interval_around_it() -> None:
    found = metrics.mean([0.0, 1.0, 1.0, 0.0, 1.0])

    assert found.value == pytest.approx(0.6)
    assert found.low < 0.6 < found.high
    assert found.n == 5


@given(IDS, EVIDENCE)
def test_every_metric_of_a_ranking_is_between_zero_and_one(ranked: list[str], evidence: list[str]) -> None:
    assert all(0.0 <= value <= 1.0 for value in metrics.of_ranking(ranked, evidence).values())


@given(IDS, EVIDENCE, st.integers(1, 10))
def test_recall_never_falls_as_k_grows(ranked: list[str], evidence: list[str], k: int) -> None:
    assert metrics.recall_at(ranked, evidence, k) <= metrics.recall_at(ranked, evidence, k + 1)


@given(EVIDENCE)
def test_evidence_in_front_is_a_perfect_ranking(evidence: list[str]) -> None:
    found = metrics.of_ranking(evidence, evidence)

    assert found["all@10"] == found["mrr"] == found["recall@10"] == 1.0
    assert found["ndcg@10"] == pytest.approx(1.0)
