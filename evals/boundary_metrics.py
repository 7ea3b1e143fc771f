"""How well the places where a sequence is cut match the true ones. Knows places, not texts.

A boundary is the place of the first item of a segment; 0, where everything begins, is none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from itertools import accumulate


def pk(true: Collection[int], found: Collection[int], length: int, k: int) -> float:
    """How often two items `k` apart are wrongly held to be in one segment, or in two; 0 is perfect.

    Beeferman, Berger and Lafferty 1999.
    """
    return _share_of_windows(true, found, length, k, lambda a, b: (a > 0) != (b > 0))


def window_diff(true: Collection[int], found: Collection[int], length: int, k: int) -> float:
    """How often a window of `k` gaps holds another number of boundaries than it should; 0 is perfect.

    Pevzner and Hearst 2002; unlike `pk` it counts each boundary too many.
    """
    return _share_of_windows(true, found, length, k, lambda a, b: a != b)


def half_a_segment(true: Collection[int], length: int) -> int:
    """The `k` that both papers use: half the mean length of the true segments."""
    return max(1, round(length / (len(true) + 1) / 2))


def _share_of_windows(
    true: Collection[int], found: Collection[int], length: int, k: int, wrong: Callable[[int, int], bool]
) -> float:
    before_true, before_found = _counts(true, length), _counts(found, length)
    windows = range(length - k)
    errors = sum(
        wrong(before_true[i + k] - before_true[i], before_found[i + k] - before_found[i]) for i in windows
    )
    return errors / len(windows) if windows else 0.0


def _counts(boundaries: Collection[int], length: int) -> list[int]:
    """Per item how many boundaries are at it or before."""
    return list(accumulate(int(place in boundaries) for place in range(length)))


def f1_near(true: Collection[int], found: Collection[int], tolerance: int) -> float:
    """F1 of boundaries found within so many items of a true one, each true one found once."""
    if not true and not found:
        return 1.0
    left = sorted(found)
    hits = 0
    for place in sorted(true):
        near = next((other for other in left if abs(other - place) <= tolerance), None)
        if near is not None:
            left.remove(near)
            hits += 1
    return 2 * hits / (len(true) + len(found))
