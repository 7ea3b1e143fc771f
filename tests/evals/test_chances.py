"""How far chances can be believed."""

from __future__ import annotations

import numpy as np
from agentmem.evals.chances import Judged, auroc, reliability


def test_auroc_is_the_chance_that_the_right_one_stands_higher() -> None:
    positive = np.array([True, True, False, False])

    assert auroc(np.array([0.9, 0.8, 0.2, 0.1]), positive) == 1.0
    assert auroc(np.array([0.1, 0.2, 0.8, 0.9]), positive) == 0.0
    assert auroc(np.array([0.5, 0.5, 0.5, 0.5]), positive) == 0.5
    assert auroc(np.array([0.9, 0.3, 0.5, 0.1]), positive) == 0.75


def test_reliability_sets_the_chance_told_beside_the_share_that_had_an_answer() -> None:
    chances = np.array([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    answerable = np.array([False, True, True, True, True, False])

    found = reliability(Judged(chances, answerable, np.zeros(6, dtype=np.int64)))

    assert found == [
        {"questions": 2, "chance": 0.05, "answerable": 0.5},
        {"questions": 4, "chance": 0.95, "answerable": 0.75},
    ]
