"""The fit of a conditional logit."""

from __future__ import annotations

import numpy as np
import pytest
from agentmem.evals import logit


def groups(seed: int = 0) -> list[logit.Group]:
    random = np.random.default_rng(seed)
    made = []
    for _ in range(200):
        rows = random.standard_normal((20, 3))
        chance = np.exp(rows @ np.array([2.0, -1.0, 0.0]))
        chosen = random.choice(20, p=chance / chance.sum())
        made.append(logit.Group(rows, np.arange(20) == chosen))
    return made


def test_the_weights_that_made_the_choices_are_found() -> None:
    weights = logit.fit(groups(), ridge=0.01)

    assert weights == pytest.approx([2.0, -1.0, 0.0], abs=0.25)


def test_a_stronger_ridge_holds_the_weights_smaller() -> None:
    loose, tight = logit.fit(groups(), 0.01), logit.fit(groups(), 300.0)

    assert np.abs(tight).sum() < 0.7 * np.abs(loose).sum()


def test_what_is_added_to_a_whole_column_of_a_question_changes_nothing() -> None:
    moved = [logit.Group(group.rows + place % 7, group.evidence) for place, group in enumerate(groups())]

    # the spread that the ridge is measured in does change, so none is asked for here
    assert logit.fit(moved, 0.0) == pytest.approx(logit.fit(groups(), 0.0), abs=0.01)


def test_a_question_without_evidence_teaches_nothing() -> None:
    silent = logit.Group(np.ones((5, 3)), np.zeros(5, dtype=bool))

    assert logit.fit([*groups(), silent], 1.0).tolist() == logit.fit(groups(), 1.0).tolist()


def test_no_weight_falls_below_its_floor() -> None:
    weights = logit.fit(groups(), 0.01, np.array([-np.inf, 0.05, -np.inf]))

    assert weights[0] > 1
    assert weights[1] == pytest.approx(0.05)
