"""BM25 with a namespace's own statistics: what the lexical indexes of all databases share, so that they rank alike.

Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework", with idf = ln(1 + (N-n+.5)/(n+.5)).
"""

from __future__ import annotations

import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from .namespaces import NamespaceRow

K1 = 1.2
B = 0.75
# beyond this many postings common terms only re-score what rarer ones proposed
MAX_POSTINGS = 10_000
# where every term is that common, so many of the newest passages with the rarest are scored; those that have another
# of the terms, too, if there are enough of them
NEWEST = 1_000
# so many proposals are scored in full, however few are asked for
HEAD = 200
# a sum of floats depends on its order, which is each database's own: what is equal but for that is a tie
DECIMALS = 9
_KEEP = 50_000


def weights(
    wanted: Mapping[str, int], frequencies: Mapping[str, int], namespace: NamespaceRow
) -> dict[str, float]:
    """Per term its count in the query times its idf."""
    return {
        term: wanted[term] * math.log1p((namespace.passages - n + 0.5) / (n + 0.5))
        for term, n in frequencies.items()
    }


def mean_length(namespace: NamespaceRow) -> float:
    """Terms in an average passage, at least 1."""
    return max(namespace.terms / max(namespace.passages, 1), 1.0)


def score(words: Sequence[str], weight_of: Mapping[str, float], mean: float) -> float:
    """BM25 of a passage of these terms."""
    norm = K1 * (1 - B + B * len(words) / mean)
    counts = Counter(word for word in words if word in weight_of)
    total = sum(weight_of[word] * n * (K1 + 1) / (n + norm) for word, n in counts.items())
    return round(total, DECIMALS)


def affordable(frequencies: Mapping[str, int]) -> list[str]:
    """The rarest terms within the limit of postings to read; none where every term is beyond it."""
    ordered = by_rarity(frequencies)
    postings = accumulate(frequencies[term] for term in ordered)
    return [term for term, total in zip(ordered, postings, strict=True) if total <= MAX_POSTINGS]


def by_rarity(frequencies: Mapping[str, int]) -> list[str]:
    """The terms, rarest first."""
    return sorted(frequencies, key=lambda term: (frequencies[term], term))


class Frequencies:
    """In how many passages of a namespace each term is; keeps those of common terms between calls."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, str], tuple[int, int]] = {}
        self._lock = threading.Lock()

    def of(
        self, namespace: NamespaceRow, terms: Sequence[str], count: Callable[[list[str]], Mapping[str, int]]
    ) -> dict[str, int]:
        """Per term that occurs its number of passages; `count` is asked for those not known."""
        with self._lock:
            # counting a common term reads its whole posting list; a count one part in ten old serves as well
            known = {
                term: found[0]
                for term in terms
                if (found := self._kept.get((namespace.pk, term))) is not None
                and found[1] <= namespace.passages <= found[1] * 1.1
            }
        missing = [term for term in terms if term not in known]
        if missing:
            fresh = count(missing)
            known.update(fresh)
            self._keep(namespace, fresh)
        return {term: min(n, namespace.passages) for term, n in known.items() if n}

    def _keep(self, namespace: NamespaceRow, fresh: Mapping[str, int]) -> None:
        with self._lock:
            if len(self._kept) > _KEEP:
                self._kept.clear()
            self._kept.update(
                ((namespace.pk, term), (n, namespace.passages))
                for term, n in fresh.items()
                if n > MAX_POSTINGS // 10
            )
