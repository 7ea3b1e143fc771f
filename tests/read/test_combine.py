"""Weights from the packaged file."""

from __future__ import annotations

import numpy as np
import pytest

from agentmem.read.combine import Combiner, ability, combiners


def test_a_score_is_the_weighed_sum_of_the_columns_that_are_there() -> None:
    combiner = Combiner("words", {"covered": 2.0, "speaks": 0.5, "absent": 9.0})

    scores = combiner.score({"covered": np.array([0.0, 1.0]), "speaks": np.array([1.0, 1.0])})

    assert scores.tolist() == [0.5, 2.5]


@pytest.mark.parametrize(
    ("embedder", "columns", "expected"),
    [
        ("all-MiniLM-L6-v2", {"dense", "late"}, "late"),
        ("all-MiniLM-L6-v2", {"dense"}, "dense"),
        ("hash-512", {"dense"}, "hashed"),
        ("all-MiniLM-L6-v2", set(), "words"),
    ],
)
def test_the_weights_suit_what_the_embedder_can_do(embedder: str, columns: set[str], expected: str) -> None:
    assert ability(embedder, {name: np.zeros(1) for name in columns}) == expected


@pytest.mark.parametrize("name", ["late", "dense", "hashed", "words"])
def test_the_packaged_weights_count_shared_words_for_and_questions_against(name: str) -> None:
    weights = combiners()[name].weights  # type: ignore[index]

    assert weights["covered_after_question"] > 0 > weights["asks"]
