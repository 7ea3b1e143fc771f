"""How well something is still held, and what that means for where its vectors and its KV are kept.

Retention R = exp(-t / S): t days since it was last recalled (or recorded), S its stability in days. Knows nothing of
tables, vectors or caches, and nothing here ever deletes: a low retention makes memory cheaper to keep, not harder to
reach.

Sources: Ebbinghaus 1885 for the curve; Cepeda et al. 2006, "Distributed practice in verbal recall tasks", for spacing;
SuperMemo and FSRS (Ye et al. 2022) for stability that grows the more, the more was about to be lost.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Precision

KVTier = Literal["device", "host", "disk", "text"]
Floats = NDArray[np.float64]

FIRST_STABILITY_DAYS = 30.0
LONGEST_STABILITY_DAYS = 3650.0
# a recall at the very edge of forgetting multiplies stability by 1 + this
_GAIN = 2.0
_DAY_S = 86_400.0
# at and above these, in order, the finest first; below the last, the last form
THRESHOLDS = (0.5, 0.2, 0.05)
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
KV_TIERS: tuple[KVTier, ...] = get_args(KVTier)


@dataclass(frozen=True, slots=True)
class Strength:
    """What recalls have made of an event: its stability, how often and when last it was recalled."""

    stability_days: float
    recalls: int
    last_at: datetime


def retention(elapsed_days: Floats, stability_days: Floats, evidence: Floats) -> Floats:
    """R in `(0, 1]` per row `[n]`; each doubling of the memories that rest on it adds to stability."""
    held: Floats = np.exp(-np.maximum(elapsed_days, 0.0) / (stability_days * (1.0 + np.log1p(evidence))))
    return held


def strengthened(strength: Strength, moments: Iterable[datetime]) -> Strength:
    """The strength after recalls at these moments.

    Each recall multiplies stability by 1 + 2 (1 - R): one right after another finds R = 1 and adds nothing, so a
    burst counts as one; one when half was forgotten doubles it.
    """
    for moment in sorted(moments):
        elapsed_days = max((moment - strength.last_at).total_seconds() / _DAY_S, 0.0)
        lost = 1.0 - math.exp(-elapsed_days / strength.stability_days)
        grown = strength.stability_days * (1.0 + _GAIN * lost)
        strength = Strength(
            min(grown, LONGEST_STABILITY_DAYS), strength.recalls + 1, max(moment, strength.last_at)
        )
    return strength


def level(held: Floats) -> NDArray[np.int64]:
    """How far down each is, `[n]`: 0 is kept finest and nearest, 3 coarsest and furthest."""
    return np.digitize(-held, [-limit for limit in THRESHOLDS], right=True)


def precision_of(held: float) -> Precision:
    """The precision in which vectors of this retention are kept."""
    return PRECISIONS[int(level(np.array([held]))[0])]


def kv_tier_of(held: float) -> KVTier:
    """The tier in which an episode's KV of this retention is kept; `text` is none: it is computed anew."""
    return KV_TIERS[int(level(np.array([held]))[0])]
