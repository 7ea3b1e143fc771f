"""Weighs features into one score, with weights that a command fitted. Knows nothing of where features come from.

A conditional logit (McFadden 1974): within one question's pool, the chance of a passage is the softmax of its
score. `agentmem eval fit` makes `weights.json`; the file says from which data, when, and how well it did on
conversations that it had not seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentmem.read.features import Ability, Column
from agentmem.read.gate import Gate

# set by hand: what holds now matters to an agent, but questions for the present state are too few in LoCoMo to fit
PRIORS: Mapping[str, float] = {"newest_now": 1.0, "newest_present": 0.3}


@dataclass(frozen=True, slots=True)
class Combiner:
    """One fitted set of weights, by feature name."""

    ability: Ability
    weights: Mapping[str, float]

    def score(self, columns: Mapping[str, Column]) -> Column:
        """Scores `[N]`, higher is better; a column without a weight counts nothing."""
        weights = self._used(columns)
        matrix = np.stack([columns[name] for name in weights], axis=1)
        scores: NDArray[np.float64] = matrix @ np.array(list(weights.values()))
        return scores

    def parts(self, columns: Mapping[str, Column], place: int, most: int) -> dict[str, float]:
        """What each feature adds to the score at a place, next to the pool's average; the `most` that add most."""
        added = {
            name: weight * float(columns[name][place] - columns[name].mean())
            for name, weight in self._used(columns).items()
        }
        return dict(sorted(added.items(), key=lambda part: -abs(part[1]))[:most])

    def _used(self, columns: Mapping[str, Column]) -> dict[str, float]:
        return {name: weight for name, weight in {**self.weights, **PRIORS}.items() if name in columns}


@cache
def gates() -> Mapping[str, Gate]:
    """The packaged gates, by what the embedder can do."""
    return {
        name: Gate(entry["gate"]["weights"], entry["gate"]["bias"])
        for name, entry in _packaged()["sets"].items()
    }


@cache
def combiners() -> Mapping[str, Combiner]:
    """The packaged weights, by what the embedder can do."""
    return {name: Combiner(name, entry["weights"]) for name, entry in _packaged()["sets"].items()}


@cache
def _packaged() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(Path(__file__).with_name("weights.json").read_text(encoding="utf-8"))
    return data


def ability(embedder: str, columns: Mapping[str, Column]) -> Ability:
    """Which set of weights serves: what was fitted with hashed words must not weigh meaning, nor the reverse."""
    if "dense" not in columns:
        return "words"
    if embedder.startswith("hash"):
        return "hashed"
    return "late" if "late" in columns else "dense"
