"""The plain baselines that agentmem must beat: BM25, dense and their fusion over all turns, in memory.

They see what agentmem sees (speaker, date, words) through the same embedder.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import ClassVar

import numpy as np

from agentmem.contracts import Embedder, Tokenizer, Vectors
from agentmem.terms import terms

from .packing import fill, line, line_counter
from .task import Conversation, Packed, Turn

_FUSED_DEPTH = 100


class Baseline(ABC):
    """Ranks all turns by a score; subclasses say which."""

    embeds: ClassVar[bool] = True

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        self._embedder = embedder
        self._count = line_counter(tokenizer)
        self._turns: tuple[Turn, ...] = ()

    def ingest(self, conversation: Conversation) -> None:
        self._turns = conversation.turns
        self._lines = [line(turn) for turn in self._turns]
        self._index(self._lines)

    @abstractmethod
    def _index(self, texts: Sequence[str]) -> None:
        """Take in one text per turn."""

    @abstractmethod
    def _order(self, question: str) -> list[int]:
        """Places of turns, best first."""

    def stored(self) -> set[str]:
        return {turn.id for turn in self._turns}

    def rank(self, question: str, k: int) -> list[str]:
        return [self._turns[place].id for place in self._order(question)[:k]]

    def pack(self, question: str, budget_tokens: int) -> Packed:
        start = perf_counter()
        text, tokens = fill(
            [self._lines[place] for place in self._order(question)], budget_tokens, self._count
        )
        return Packed(text, tokens, perf_counter() - start)

    def close(self) -> None:
        self._turns = ()


class Bm25(Baseline):
    """BM25 (k1 1.2, b 0.75) over stemmed terms of speaker, date and words."""

    embeds: ClassVar[bool] = False

    def _index(self, texts: Sequence[str]) -> None:
        self._bags = [Counter(terms(text)) for text in texts]
        self._lengths = np.array([max(sum(bag.values()), 1) for bag in self._bags])
        self._postings: Mapping[str, list[tuple[int, int]]] = defaultdict(list)
        for place, bag in enumerate(self._bags):
            for term, count in bag.items():
                self._postings[term].append((place, count))

    def _order(self, question: str) -> list[int]:
        scores = np.zeros(len(self._bags))
        norm = 1.2 * (0.25 + 0.75 * self._lengths / self._lengths.mean())
        for term in terms(question):
            found = self._postings.get(term, [])
            idf = math.log1p((len(self._bags) - len(found) + 0.5) / (len(found) + 0.5))
            for place, count in found:
                scores[place] += idf * count * 2.2 / (count + norm[place])
        return [int(place) for place in np.argsort(-scores, kind="stable") if scores[place] > 0]


class Dense(Baseline):
    """Cosine of embeddings of speaker, date and words."""

    def _index(self, texts: Sequence[str]) -> None:
        self._rows: Vectors = self._embedder.embed(texts)

    def _order(self, question: str) -> list[int]:
        scores = self._rows @ self._embedder.embed([question], "query")[0]
        return [int(place) for place in np.argsort(-scores, kind="stable")]


class DenseBare(Dense):
    """Cosine of embeddings of the words alone."""

    def _index(self, texts: Sequence[str]) -> None:
        super()._index([turn.content for turn in self._turns])


class RankFusion(Baseline):
    """Reciprocal rank fusion (60) of BM25 and dense."""

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        super().__init__(embedder, tokenizer, folder)
        self._parts = (Bm25(embedder, tokenizer, folder), Dense(embedder, tokenizer, folder))

    def _index(self, texts: Sequence[str]) -> None:
        for part in self._parts:
            part._index(texts)

    def _order(self, question: str) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        for part in self._parts:
            for rank, place in enumerate(part._order(question)[:_FUSED_DEPTH], 1):
                scores[place] += 1 / (60 + rank)
        return sorted(scores, key=lambda place: (-scores[place], place))
