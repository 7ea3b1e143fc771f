"""Fits chances, and says how far they can be believed. Knows features as numbers only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RIDGE = 3.0
BINS = 10
Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Judged:
    """Held-out chances `[n]`, which questions have an answer `[n]`, and the category of each `[n]`."""

    chances: Row
    answerable: NDArray[np.bool_]
    category: NDArray[np.int64]


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
