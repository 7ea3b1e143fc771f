"""Retention falls over days, and grows more slowly lost the better recalls were spaced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.retention import (
    FIRST_STABILITY_DAYS,
    LONGEST_STABILITY_DAYS,
    Strength,
    kv_tier_of,
    precision_of,
    retention,
    strengthened,
)

START = datetime(2023, 5, 8, tzinfo=UTC)
FRESH = Strength(FIRST_STABILITY_DAYS, 0, START)


def days(*numbers: float) -> list[datetime]:
    return [START + timedelta(days=number) for number in numbers]


def held(elapsed: float, stability: float = 30.0, evidence: float = 0.0) -> float:
    return float(retention(np.array([elapsed]), np.array([stability]), np.array([evidence]))[0])


def test_retention_is_one_at_first_and_a_third_after_its_stability() -> None:
    assert held(0) == 1.0
    assert held(30) == pytest.approx(0.3679, abs=1e-4)
    assert held(-5) == 1.0


def test_what_more_rests_on_is_held_longer() -> None:
    assert held(60) < held(60, evidence=1) < held(60, evidence=5)


def test_spaced_recalls_strengthen_and_massed_ones_do_not() -> None:
    massed = strengthened(FRESH, [START + timedelta(seconds=5 * n) for n in range(12)])
    spaced = strengthened(FRESH, days(10, 20, 30))

    assert massed.stability_days == pytest.approx(30.0, rel=0.001)
    assert spaced.stability_days > 80
    assert (massed.recalls, spaced.recalls) == (12, 3)


@given(gaps=st.lists(st.floats(0, 400), max_size=20))
def test_no_recall_ever_weakens_and_stability_has_an_end(gaps: list[float]) -> None:
    moments = [START + timedelta(days=float(day)) for day in np.cumsum(gaps)] if gaps else []

    after = strengthened(FRESH, moments)

    assert FRESH.stability_days <= after.stability_days <= LONGEST_STABILITY_DAYS
    assert after.last_at == max(moments, default=START)


def test_recalls_out_of_order_count_as_in_order() -> None:
    assert strengthened(FRESH, days(20, 10)) == strengthened(FRESH, days(10, 20))


@pytest.mark.parametrize(
    ("r", "precision", "tier"),
    [
        (1.0, "float32", "device"),
        (0.5, "float32", "device"),
        (0.49, "int8", "host"),
        (0.2, "int8", "host"),
        (0.19, "int4", "disk"),
        (0.05, "int4", "disk"),
        (0.049, "binary", "text"),
        (0.0, "binary", "text"),
    ],
)
def test_retention_decides_precision_and_kv_tier_at_documented_borders(
    r: float, precision: str, tier: str
) -> None:
    assert (precision_of(r), kv_tier_of(r)) == (precision, tier)
