"""Terms of a question against terms of passages, within one pool. Knows nothing of databases.

BM25 (Robertson and Zaragoza 2009) with the pool's own document frequencies: the store's index proposed the pool, this
looks closer. Axes: `N` passages, `Q` distinct terms of the question.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from agentmem.terms import terms

K1 = 1.2
B = 0.75


def occurrences(
    wanted: Sequence[str], texts: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often each of these distinct terms occurs in each text of terms `[N, Q]`, and how many terms it has `[N]`."""
    counts, lengths = np.zeros((len(texts), len(wanted))), np.zeros(len(texts))
    places = {term: place for place, term in enumerate(wanted)}
    sought = frozenset(places)
    for row, text in enumerate(texts):
        words = text.split()
        lengths[row] = len(words)
        # most terms are in few passages
        for term in sought.intersection(words):
            counts[row, places[term]] = words.count(term)
    return counts, lengths


class Matches:
    """How often each term of a question occurs in each passage `[N, Q]`, and how many terms each has `[N]`."""

    def __init__(self, counts: NDArray[np.float64], lengths: NDArray[np.float64]) -> None:
        self.counts = counts
        self.present = (counts > 0).astype(np.float64)
        self._lengths = lengths
        found = self.present.sum(axis=0)
        self._rarity = np.log1p((len(counts) - found + 0.5) / (found + 0.5))

    def bm25(self, also: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """BM25 `[N]`; with `also` `[N]` each passage is read together with the one at that place, if it is not -1."""
        counts, lengths = self.counts, self._lengths
        if also is not None:
            there = also >= 0
            counts = counts + np.where(there[:, None], counts[np.maximum(also, 0)], 0.0)
            lengths = lengths + np.where(there, lengths[np.maximum(also, 0)], 0.0)
        norm = K1 * (1 - B + B * lengths / max(lengths.mean(), 1.0))
        scores: NDArray[np.float64] = (counts * (K1 + 1) / (counts + norm[:, None])) @ self._rarity
        return scores

    def covered(self, present: NDArray[np.floating]) -> NDArray[np.float64]:
        """The share of the question's weight in the terms marked in `[N, Q]`."""
        share: NDArray[np.float64] = present @ self._rarity / max(float(self._rarity.sum()), 1e-9)
        return share


@lru_cache(maxsize=4096)
def terms_of(name: str) -> tuple[str, ...]:
    """The terms of a name."""
    return terms(name)
