"""How well questions without an answer are told."""

from __future__ import annotations

import numpy as np
import pytest
from agentmem.evals.chances import Judged
from agentmem.evals.relevance import ADVERSARIAL, figures


def judged() -> Judged:
    chances = np.array([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    answerable = np.array([False, True, True, True, True, False])
    return Judged(chances, answerable, np.array([ADVERSARIAL, 4, 4, 4, 4, ADVERSARIAL]))


def test_the_calibration_error_is_the_mean_gap() -> None:
    found = figures(judged(), floor=0.5)

    assert found["ece"] == pytest.approx((2 * 0.45 + 4 * 0.2) / 6, abs=1e-4)
    assert found["withheld_adversarial"] == 0.5
    assert "auroc_strangers" not in found
