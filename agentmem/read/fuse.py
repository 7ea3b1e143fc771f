"""Makes one ranking of several channels'. Knows scores and ranks, not texts.

Channels whose scores mean something are put on one scale and added: a score counts in standard deviations
above the hundredth place. (Weighted reciprocal rank, Cormack, Clarke and Buettcher 2009, throws away how far
the first hit is ahead of the second; what that costs is in `docs/results.md`.) A channel that only orders, such
as the recent window, adds its reciprocal rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from agentmem.contracts import Scored

WEIGHTS: Mapping[str, float] = {"dense": 1.0, "lexical": 1.0}
# a score is measured against the first so many of its channel
SCALE_DEPTH = 100
ORDER_WEIGHTS: Mapping[str, float] = {"recent": 0.2}


@dataclass(slots=True)
class Fused:
    """A passage with its fused score and its 1-based rank in each channel that proposed it."""

    passage: int
    score: float = 0.0
    ranks: dict[str, int] = field(default_factory=dict)


def fuse(proposals: Mapping[str, Sequence[Scored]]) -> list[Fused]:
    """Every passage proposed, best first; `proposals` are by channel, best first.

    Ties go to the better rank, then to the older passage, so the order is stable. How deep a channel was asked
    changes nothing in the order of what it had proposed before.
    """
    fused: dict[int, Fused] = {}
    for channel, hits in proposals.items():
        for rank, (hit, share) in enumerate(zip(hits, _shares(channel, hits), strict=True), 1):
            entry = fused.setdefault(hit.passage, Fused(hit.passage))
            entry.score += share
            entry.ranks[channel] = rank
    return sorted(fused.values(), key=lambda entry: (-entry.score, min(entry.ranks.values()), entry.passage))


def _shares(channel: str, hits: Sequence[Scored]) -> list[float]:
    if channel in ORDER_WEIGHTS:
        return [ORDER_WEIGHTS[channel] / rank for rank in range(1, len(hits) + 1)]
    scores = np.array([hit.score for hit in hits])
    # places the channel left empty count as score zero
    scale = np.zeros(SCALE_DEPTH)
    scale[: len(hits)] = scores[:SCALE_DEPTH]
    spread = float(scale.std())
    if spread == 0.0:
        return [0.0] * len(hits)
    scaled = WEIGHTS.get(channel, 1.0) * np.maximum(scores - scale.min(), 0.0) / spread
    return [float(share) for share in scaled]
