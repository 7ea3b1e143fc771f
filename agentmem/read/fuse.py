"""Makes one ranking of several. Knows ranks, not texts.

Weighted reciprocal rank fusion: Cormack, Clarke and Buettcher 2009, "Reciprocal Rank Fusion outperforms
Condorcet and individual rank learning methods"; score = sum of weight / (RANK_OFFSET + rank).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentmem.contracts import Scored

RANK_OFFSET = 60.0
WEIGHTS: Mapping[str, float] = {"dense": 1.0, "lexical": 1.0, "recent": 0.1}


@dataclass(slots=True)
class Fused:
    """A passage with its fused score and its 1-based rank in each channel that proposed it."""

    passage: int
    score: float = 0.0
    ranks: dict[str, int] = field(default_factory=dict)


def fuse(proposals: Mapping[str, Sequence[Scored]], weights: Mapping[str, float] = WEIGHTS) -> list[Fused]:
    """Every proposed passage, best first; ties go to the older passage, so the order is stable."""
    fused: dict[int, Fused] = {}
    for channel, hits in proposals.items():
        for rank, hit in enumerate(hits, 1):
            entry = fused.setdefault(hit.passage, Fused(hit.passage))
            entry.score += weights.get(channel, 1.0) / (RANK_OFFSET + rank)
            entry.ranks[channel] = rank
    return sorted(fused.values(), key=lambda entry: (-entry.score, entry.passage))
