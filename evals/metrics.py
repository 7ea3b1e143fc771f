"""Evidence metrics of one question, and their means with intervals. Knows ids and texts, not systems.

All are in [0, 1]; `ranked` is best first, `evidence` the ids that answer the question.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

CUTS = (1, 5, 10, 20)
BUDGETS = (250, 500, 1000, 2000)
_RESAMPLES = 1000


def recall_at(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Share of the evidence among the first `k`."""
    return len(set(ranked[:k]) & set(evidence)) / len(set(evidence))


def all_at(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """1 if all the evidence is among the first `k`."""
    return float(set(evidence) <= set(ranked[:k]))


def ndcg_at(ranked: Sequence[str], evidence: Collection[str], k: int) -> float:
    """Normalised discounted cumulative gain (Järvelin and Kekäläinen 2002), binary relevance."""
    wanted = set(evidence)
    gain = sum(1 / math.log2(place + 1) for place, id_ in enumerate(ranked[:k], 1) if id_ in wanted)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, min(k, len(wanted)) + 1))
    return gain / ideal


def reciprocal_rank(ranked: Sequence[str], evidence: Collection[str]) -> float:
    """1 / the place of the first evidence; 0 if there is none."""
    wanted = set(evidence)
    return next((1 / place for place, id_ in enumerate(ranked, 1) if id_ in wanted), 0.0)


def quoted(text: str, words: Sequence[str]) -> list[bool]:
    """Which turns have their own words in the text, white space aside."""
    flat = " ".join(text.split())
    return [" ".join(turn.split()) in flat for turn in words]


def verbatim(text: str, words: Sequence[str]) -> float:
    """Share of the evidence turns whose own words are in the text."""
    return sum(quoted(text, words)) / len(words)


def of_ranking(ranked: Sequence[str], evidence: Collection[str]) -> dict[str, float]:
    """Every metric that needs only the ranking."""
    return {
        **{f"recall@{k}": recall_at(ranked, evidence, k) for k in CUTS},
        "all@10": all_at(ranked, evidence, 10),
        "ndcg@10": ndcg_at(ranked, evidence, 10),
        "mrr": reciprocal_rank(ranked, evidence),
    }


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % bootstrap interval over questions."""

    value: float
    low: float
    high: float
    n: int


def mean(values: Sequence[float], seed: int = 0) -> Mean:
    """The mean of at least one value; percentile bootstrap, the same for the same values."""
    array = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(array), (_RESAMPLES, len(array)))
    low, high = np.percentile(array[picks].mean(axis=1), [2.5, 97.5])
    return Mean(float(array.mean()), float(low), float(high), len(array))


def means(rows: Sequence[Mapping[str, float]]) -> dict[str, Mean]:
    """The mean of each metric over questions."""
    return {name: mean([row[name] for row in rows]) for name in (rows[0] if rows else ())}


def percentiles_ms(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile in milliseconds."""
    p50, p95 = np.percentile(np.asarray(seconds) * 1e3, [50, 95])
    return float(p50), float(p95)
