"""TextTiling (Hearst 1997) over turns: the classic way to find where a text changes its topic, without a model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, pstdev


@dataclass(frozen=True, slots=True)
class Tiling:
    """`block` turns are compared on each side of a gap; curves are smoothed over `smoothing` gaps each way; a valley
    deeper than mean + `sigmas` standard deviations of all depths is a boundary. Hearst's cutoffs are -1 and -1/2.
    Boundaries are more than `apart` gaps apart (three in the paper).
    """

    block: int = 6
    smoothing: int = 1
    sigmas: float = -0.5
    apart: int = 3


def likenesses(turns: Sequence[Mapping[str, int]], block: int) -> list[float]:
    """Per gap the cosine between the blocks beside it; a turn is given as the counts of its terms."""
    return [_likeness(turns, place, block) for place in range(1, len(turns))]


def boundaries(likeness: Sequence[float], tiling: Tiling) -> set[int]:
    """The places of the first turns of segments, from the likeness at each gap."""
    if len(likeness) < 2:
        return set()
    scores = _smooth(likeness, tiling.smoothing)
    depths = [_climb(scores, place, -1) + _climb(scores, place, 1) for place in range(len(scores))]
    cutoff = max(fmean(depths) + tiling.sigmas * pstdev(depths), 0.0)
    found: set[int] = set()
    for depth, place in sorted(((depth, place) for place, depth in enumerate(depths, 1)), reverse=True):
        if depth > cutoff and all(abs(place - other) > tiling.apart for other in found):
            found.add(place)
    return found


def _likeness(turns: Sequence[Mapping[str, int]], place: int, block: int) -> float:
    left, right = _sum(turns[max(0, place - block) : place]), _sum(turns[place : place + block])
    shared = sum(count * right[term] for term, count in left.items() if term in right)
    norm = sqrt(sum(n * n for n in left.values()) * sum(n * n for n in right.values()))
    return shared / norm if norm else 0.0


def _sum(turns: Sequence[Mapping[str, int]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for turn in turns:
        counts.update(turn)
    return counts


def _smooth(scores: Sequence[float], reach: int) -> list[float]:
    return [fmean(scores[max(0, place - reach) : place + reach + 1]) for place in range(len(scores))]


def _climb(scores: Sequence[float], place: int, step: int) -> float:
    """How far the curve rises from here to the next peak on one side."""
    peak = scores[place]
    at = place + step
    while 0 <= at < len(scores) and scores[at] >= peak:
        peak = scores[at]
        at += step
    return peak - scores[place]
