"""What is measured: agentmem through its public API, and the plain baselines it must beat.

The baselines see what agentmem sees (speaker, date, words) and pack greedily in rank order under the same tokenizer.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Protocol

import numpy as np

from agentmem.clock import day_text
from agentmem.contracts import Embedder, Tokenizer, Vectors
from agentmem.memory import Memory
from agentmem.terms import terms

from .task import Conversation, Packed, Turn

DEPTH = 100
_EVERYTHING = 10_000_000


class System(Protocol):
    """A memory under test, fresh for each conversation."""

    def ingest(self, conversation: Conversation) -> None:
        """Store every turn."""

    def rank(self, question: str) -> list[str]:
        """Ids of turns, best first, at most `DEPTH`."""

    def pack(self, question: str, budget_tokens: int) -> Packed:
        """A context within the budget."""

    def size_bytes(self) -> int:
        """Bytes on disk; 0 for a system that keeps nothing there."""

    def close(self) -> None:
        """Release it."""


Maker = Callable[[Embedder, Tokenizer, Path], System]


class AgentMem:
    """agentmem as a user has it: one file per conversation."""

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        self._path = folder / "memory.db"
        self._memory = Memory(self._path, embedder=embedder, tokenizer=tokenizer)

    def ingest(self, conversation: Conversation) -> None:
        self._memory.remember(
            [
                {"id": t.id, "name": t.speaker, "content": t.content, "at": t.at, "session": t.session}
                for t in conversation.turns
            ]
        )

    def rank(self, question: str) -> list[str]:
        return list(self._memory.recall(question, budget_tokens=_EVERYTHING, k=DEPTH).source_ids)

    def pack(self, question: str, budget_tokens: int) -> Packed:
        start = perf_counter()
        found = self._memory.recall(question, budget_tokens=budget_tokens)
        return Packed(found.text, found.tokens, perf_counter() - start, found.trace.embed_seconds)

    def size_bytes(self) -> int:
        return self._memory.stats().store_bytes

    def close(self) -> None:
        self._memory.close()


class Baseline(ABC):
    """Ranks all turns by a score; subclasses say which."""

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        self._embedder = embedder
        self._tokenizer = tokenizer
        self._turns: tuple[Turn, ...] = ()

    def ingest(self, conversation: Conversation) -> None:
        self._turns = conversation.turns
        self._index([line(turn) for turn in self._turns])

    @abstractmethod
    def _index(self, texts: Sequence[str]) -> None:
        """Take in one text per turn."""

    @abstractmethod
    def _order(self, question: str) -> list[int]:
        """Places of turns, best first."""

    def rank(self, question: str) -> list[str]:
        return [self._turns[place].id for place in self._order(question)[:DEPTH]]

    def pack(self, question: str, budget_tokens: int) -> Packed:
        start = perf_counter()
        chosen: list[str] = []
        spent = 0
        for place in self._order(question)[:DEPTH]:
            text = line(self._turns[place])
            cost = self._tokenizer.count(text + "\n")
            if spent + cost <= budget_tokens:
                chosen.append(text)
                spent += cost
        return Packed("\n".join(chosen), spent, perf_counter() - start, 0.0)

    def size_bytes(self) -> int:
        return 0

    def close(self) -> None:
        self._turns = ()


def line(turn: Turn) -> str:
    """A turn as a baseline indexes and packs it."""
    return f"{turn.speaker} ({day_text(turn.at)}): {turn.content}"


class Bm25(Baseline):
    """BM25 (k1 1.2, b 0.75) over stemmed terms of speaker, date and words."""

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
            for rank, place in enumerate(part._order(question)[:DEPTH], 1):
                scores[place] += 1 / (60 + rank)
        return sorted(scores, key=lambda place: (-scores[place], place))


SYSTEMS: Mapping[str, Maker] = {
    "agentmem": AgentMem,
    "bm25": Bm25,
    "dense": Dense,
    "dense-bare": DenseBare,
    "rrf": RankFusion,
}
