"""Fits a conditional logit: within each question, evidence against what is not evidence. Knows only numbers.

Each piece of evidence is set against the question's non-evidence alone, so that several do not compete with each
other; a question counts by the square root of how many it has. Weights are held small by a ridge in units of each
column's standard deviation. Axes: `N` rows over all questions, `F` features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Marks = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Group:
    """One question: its rows `[n, F]` and which of them are evidence `[n]`."""

    rows: Matrix
    evidence: Marks


def fit(groups: Sequence[Group], ridge: float, floors: Matrix | None = None) -> Matrix:
    """Weights `[F]`, none below its floor; groups without evidence, or with nothing else, teach nothing."""
    from scipy.optimize import minimize

    useful = [group for group in groups if group.evidence.any() and not group.evidence.all()]
    rows = np.concatenate([group.rows for group in useful])
    scale = rows.std(axis=0) + 1e-9
    loss = _Loss(rows / scale, useful, ridge)
    least = np.full(rows.shape[1], -np.inf) if floors is None else floors * scale
    found = minimize(
        loss,
        np.maximum(least, 0.0),
        jac=True,
        method="L-BFGS-B",
        bounds=[(low, None) for low in least],
        options={"maxiter": 300},
    )
    weights: Matrix = found.x / scale
    return weights


class _Loss:
    def __init__(self, rows: Matrix, groups: Sequence[Group], ridge: float) -> None:
        sizes = np.array([len(group.evidence) for group in groups])
        self._rows = rows
        self._ridge = ridge
        self._starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        self._group = np.repeat(np.arange(len(sizes)), sizes)
        self._is = np.concatenate([group.evidence for group in groups]).astype(np.float64)
        per_group = np.add.reduceat(self._is, self._starts)
        self._weight = self._is / np.sqrt(per_group)[self._group] / len(groups)
        self._count = len(groups)

    def __call__(self, weights: Matrix) -> tuple[float, Matrix]:
        scores = self._rows @ weights
        scores = scores - np.maximum.reduceat(scores, self._starts)[self._group]
        raised = np.exp(scores)
        others = np.add.reduceat(raised * (1 - self._is), self._starts)[self._group]
        whole = raised + others
        value = float((self._weight * (np.log(whole) - scores)).sum())
        share = np.add.reduceat(self._weight / whole, self._starts)[self._group]
        slope = self._weight * (raised / whole - 1) + (1 - self._is) * raised * share
        penalty = self._ridge / self._count
        return value + penalty * float(weights @ weights) / 2, self._rows.T @ slope + penalty * weights
