"""How well chances are told."""

from __future__ import annotations

import numpy as np
import pytest
from agentmem.evals.gating import ADVERSARIAL, Judged, auroc, figures, reliability


def judged() -> Judged:
    chances = np.array([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    answerable = np.array([False, True, True, True, True, False])
    return Judged(chances, answerable, np.array([ADVERSARIAL, 4, 4, 4, 4, ADVERSARIAL]))


def test_auroc_is_the_chance_that_the_right_one_stands_higher() -> None:
    positive = np.array([True, True, False, False])

    assert auroc(np.array([0.9, 0.8, 0.2, 0.1]), positive) == 1.0
    assert auroc(np.array([0.1, 0.2, 0.8, 0.9]), positive) == 0.0
    assert auroc(np.array([0.5, 0.5, 0.5, 0.5]), positive) == 0.5
    assert auroc(np.array([0.9, 0.3, 0.5, 0.1]), positive) == 0.75


def test_reliability_sets_the_chance_told_beside_the_share_that_had_an_answer() -> None:
    assert reliability(judged()) == [
        {"questions": 2, "chance": 0.05, "answerable": 0.5},
        {"questions": 4, "chance": 0.95, "answerable": 0.75},
    ]


def test_the_calibration_error_is_the_mean_gap() -> None:
    found = figures(judged(), floor=0.5)

    assert found["ece"] == pytest.approx((2 * 0.45 + 4 * 0.2) / 6, abs=1e-4)
    assert found["withheld_adversarial"] == 0.5
    assert "auroc_strangers" not in found
