"""Fits the gate, and says how well it tells questions that memory can answer from those it cannot.

Each conversation is judged by a gate fitted on the others. Questions without an answer are LoCoMo's adversarial ones
and, as strangers, questions of the other conversations asked about this one's speakers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentmem.read.combine import Combiner
from agentmem.read.features import Ability
from agentmem.read.gate import signs

from .lessons import Lesson

ADVERSARIAL, STRANGER = 5, 0
RIDGE = 3.0
BINS = 10
# so many of the questions that have an answer may be answered with nothing
_MAY_BE_LOST = 0.005
Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Held-out chances `[n]`, which questions have an answer `[n]`, and the category of each `[n]`."""

    chances: Row
    answerable: NDArray[np.bool_]
    category: NDArray[np.int64]


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


def calibration_error(judged: Judged) -> float:
    """Expected calibration error (ECE): how far chances are from what came true, by tenths of chance."""
    far = sum(abs(row["chance"] - row["answerable"]) * row["questions"] for row in reliability(judged))
    return far / len(judged.chances)


def reliability(judged: Judged) -> list[dict[str, float]]:
    """Per tenth of chance: how many questions, their mean chance, and the share of them that has an answer."""
    places = np.minimum((judged.chances * BINS).astype(int), BINS - 1)
    return [
        {
            "questions": int((places == place).sum()),
            "chance": round(float(judged.chances[places == place].mean()), 4),
            "answerable": round(float(judged.answerable[places == place].mean()), 4),
        }
        for place in range(BINS)
        if (places == place).any()
    ]


def auroc(chances: Row, positive: NDArray[np.bool_]) -> float:
    """The chance that a positive outranks a negative; ties count half. Needs one of each."""
    order = np.sort(chances)
    ranks = (np.searchsorted(order, chances, "left") + np.searchsorted(order, chances, "right") + 1) / 2
    count = int(positive.sum())
    above = ranks[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(chances) - count)))


def chance(logits: Row) -> Row:
    """The logistic of each logit."""
    found: Row = 1 / (1 + np.exp(-logits))
    return found


def fit(rows: Row, positive: NDArray[np.bool_]) -> tuple[Row, float]:
    """Weights `[F]` and bias of a ridge logistic regression, in the rows' own units."""
    from scipy.optimize import minimize

    mean, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    unit = np.column_stack([(rows - mean) / scale, np.ones(len(rows))])
    held = np.append(np.full(rows.shape[1], RIDGE), 0.0)

    def loss(weights: Row) -> tuple[float, Row]:
        logits = unit @ weights
        value = np.logaddexp(0, np.where(positive, -logits, logits)).sum() + (held * weights) @ weights / 2
        return float(value), unit.T @ (chance(logits) - positive) + held * weights

    found = minimize(loss, np.zeros(unit.shape[1]), jac=True, method="L-BFGS-B").x
    weights = found[:-1] / scale
    return weights, float(found[-1] - weights @ mean)
