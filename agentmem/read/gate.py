"""Whether memory holds an answer at all, as a calibrated probability. Knows signs and weights, not stores.

A logistic regression over how well the best candidates fit the question in absolute terms, how far they lead the rest,
and whether what fits was said by the one the question is about: a question about the wrong person finds words just as
alike, said by another. `agentmem eval fit` fits it beside the weights of retrieval.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agentmem.read.features import Ability, Asked, Column, Columns, late_weights
from agentmem.read.pool import Pool

# of fewer passages the best is no better than chance, so nothing is said about them
LEAST_POOL = 20
_NEAR_PLACES = 5
_FAR_PLACES = 20


@dataclass(frozen=True, slots=True)
class Gate:
    """One fitted logistic regression."""

    weights: Mapping[str, float]
    bias: float

    def chance(self, signs: Mapping[str, float]) -> float:
        """The probability that memory holds evidence."""
        logit = self.bias + sum(weight * signs[name] for name, weight in self.weights.items())
        return float(1 / (1 + np.exp(-logit)))


def alike(asked: Asked, pool: Pool, ability: Ability) -> Column:
    """How near each passage is to the question `[N]`, by the finest measure that this ability has."""
    if ability == "late" and pool.pieces is not None:
        return np.asarray(pool.pieces @ late_weights(pool.pieces), dtype=np.float64)
    if ability != "words" and asked.vector is not None and pool.vectors is not None:
        return np.asarray(pool.vectors @ asked.vector, dtype=np.float64)
    return np.zeros(len(pool))


def signs(asked: Asked, near: Column, columns: Columns, scores: Column) -> dict[str, float]:
    """What tells of an answer, by name, from nearness `[N]`, features, and scores `[N]` in logits."""
    order = np.argsort(-scores, kind="stable")
    best, ranked = order[0], scores[order]
    covered, speaks = columns["covered"], columns["speaks"] > 0
    kind = asked.analysis.kind
    return {
        "alike_best": float(near.max()),
        "alike_top": float(near[best]),
        "covered_best": float(covered.max()),
        "covered_top": float(covered[best]),
        "lead_next": float(ranked[0] - ranked[min(1, len(ranked) - 1)]),
        "lead_near": float(ranked[0] - ranked[1 : 1 + _NEAR_PLACES].mean()) if len(ranked) > 1 else 0.0,
        "lead_far": float(ranked[0] - ranked[min(_FAR_PLACES, len(ranked) - 1)]),
        "lead_all": float(ranked[0] - ranked.mean()),
        "speaks_top": float(speaks[best]),
        "other_top": float(columns["other_speaks"][best]),
        "alike_of_speaker": _gap(near, speaks),
        "covered_of_speaker": _gap(covered, speaks),
        "mentioned_top": float(columns["mentioned"][best]),
        "asks_when": float(kind == "when"),
        "asks_yes_no": float(kind == "yes-no"),
        "dated": float(bool(asked.analysis.spans)),
        "terms": float(np.log1p(len(asked.terms))),
    }


def _gap(values: Column, speaks: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    """How much better the best of the speaker asked about is than the best of all others; 0 where none is named."""
    if speaks.all() or not speaks.any():
        return 0.0
    return float(values[speaks].max() - values[~speaks].max())
