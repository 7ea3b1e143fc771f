"""Fits the gate on relevance (`read/gate.py`), and says how well it tells the questions that memory can answer.

Each conversation is judged by a gate fitted on the others. Questions without an answer are LoCoMo's adversarial ones
and, as strangers, questions of the other conversations asked about this one's speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agentmem.read.combine import Combiner
from agentmem.read.features import Ability
from agentmem.read.gate import signs

from .chances import Judged, auroc, calibration_error, chance, fit, reliability
from .lessons import Lesson

ADVERSARIAL, STRANGER = 5, 0
# so many of the questions that have an answer may be answered with nothing
_MAY_BE_LOST = 0.005


def judge(learned: Sequence[Lesson], combiner: Combiner, ability: Ability) -> tuple[dict[str, Any], Judged]:
    """The gate fitted on all lessons as JSON, and how it does on conversations that it has not seen."""
    named = [
        signs(lesson.asked, lesson.alike[ability], lesson.columns, combiner.score(lesson.columns))
        for lesson in learned
    ]
    names = tuple(named[0])
    rows = np.array([[found[name] for name in names] for found in named])
    category = np.array([lesson.question.category for lesson in learned])
    answerable = ~np.isin(category, (ADVERSARIAL, STRANGER))
    conversation = np.array([lesson.conversation for lesson in learned])
    chances = np.zeros(len(learned))
    for held_out in sorted(set(conversation)):
        ours = conversation == held_out
        weights, bias = fit(rows[~ours], answerable[~ours])
        chances[ours] = chance(rows[ours] @ weights + bias)
    weights, bias = fit(rows, answerable)
    floor = float(np.quantile(chances[answerable], _MAY_BE_LOST))
    judged = Judged(chances, answerable, category)
    gate = {
        "held_out": figures(judged, floor),
        "floor": round(floor, 4),
        "bias": round(bias, 5),
        "weights": {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)},
    }
    return gate, judged


def figures(judged: Judged, floor: float) -> dict[str, Any]:
    """AUROC per kind of unanswerable question, expected calibration error, and the table of reliability."""
    found: dict[str, Any] = {
        "ece": round(calibration_error(judged), 4),
        "reliability": reliability(judged),
    }
    for name, category in (("adversarial", ADVERSARIAL), ("strangers", STRANGER)):
        of = judged.answerable | (judged.category == category)
        without = judged.chances[judged.category == category]
        if len(without):
            found[f"auroc_{name}"] = round(auroc(judged.chances[of], judged.answerable[of]), 4)
            found[f"withheld_{name}"] = round(float((without < floor).mean()), 4)
    return found
