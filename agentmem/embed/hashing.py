"""An embedder without weights: hashed words, word pairs and character n-grams.

It finds shared words and word parts, not meaning; use it where nothing better is installed.
Feature hashing after Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning".
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from agentmem.contracts import TextKind, Vectors
from agentmem.errors import InvalidInputError
from agentmem.terms import fold, terms

_MAX_DIMS = 65_536
_GRAM_SIZES = (3, 4)
_GRAM_WEIGHT = 0.35
_PAIR_WEIGHT = 0.5


@lru_cache(maxsize=262_144)
def _slot(feature: str, dims: int) -> tuple[int, float]:
    digest = int.from_bytes(blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return (digest >> 1) % dims, 1.0 if digest & 1 else -1.0


class HashEmbedder:
    """Deterministic, dependency-free vectors; `dims` sets the collision rate."""

    def __init__(self, dims: int = 512) -> None:
        if not 1 <= dims <= _MAX_DIMS:
            raise InvalidInputError(f"a hash embedder has 1 to {_MAX_DIMS} dims, not {dims}")
        self._dims = dims

    @property
    def name(self) -> str:
        return f"hash-{self._dims}"

    @property
    def dims(self) -> int:
        return self._dims

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), dims]`; a text without a single word gets a fixed unit vector."""
        rows = np.zeros((len(texts), self._dims), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature, weight in self._features(text).items():
                slot, sign = _slot(feature, self._dims)
                row[slot] += sign * weight
            if not row.any():
                row[0] = 1.0
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows

    @staticmethod
    def _features(text: str) -> dict[str, float]:
        words = terms(text) or tuple(fold(text).split())
        weights: dict[str, float] = {}
        for word in words:
            weights[f"w:{word}"] = 1.0
            padded = f"<{word}>"
            for size in _GRAM_SIZES:
                for start in range(len(padded) - size + 1):
                    weights[f"g:{padded[start : start + size]}"] = _GRAM_WEIGHT
        for first, second in itertools.pairwise(words):
            weights[f"p:{first} {second}"] = _PAIR_WEIGHT
        return weights
