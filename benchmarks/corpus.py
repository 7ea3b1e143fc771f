"""A synthetic conversation of any length, with vectors made beforehand so that no model is timed.

Words follow Zipf's law over a vocabulary of 20,000, turns have 8 to 50 words, and two speakers take turns: the
posting lists are as uneven as real ones. Vectors are noisy members of 500 clusters, 384 dims, unit length.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from agentmem.contracts import TextKind, Vectors

DIMS = 384
_VOCABULARY = 20_000
_CLUSTERS = 500
_START = datetime(2023, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Corpus:
    """Messages ready for `remember`, questions, and a vector for each text."""

    messages: list[dict[str, Any]]
    vectors: Vectors
    questions: list[str]
    question_vectors: Vectors


def blocks(size: int, block: int, questions: int) -> Iterator[Corpus]:
    """`size` messages a block at a time, so that no more than a block is held; `questions` about each block."""
    for number, start in enumerate(range(0, size, block)):
        yield make(min(block, size - start), questions, seed=number, first=start)


def make(size: int, questions: int, seed: int = 0, first: int = 0) -> Corpus:
    """`size` messages in sessions of 25, and `questions` of six words from one message each.

    Corpora of several seeds are parts of one: the same words and clusters, numbered on from `first`.
    """
    rng = np.random.default_rng(seed)
    words = np.array([_word(i) for i in range(_VOCABULARY)])
    weights = 1.0 / np.arange(1, _VOCABULARY + 1)
    weights /= weights.sum()
    lengths = rng.integers(8, 51, size=size)
    stream = rng.choice(words, size=int(lengths.sum()), p=weights)
    ends = np.cumsum(lengths)
    messages = [
        {
            "id": f"m{first + i}",
            "name": "Alice" if i % 2 else "Bob",
            "content": " ".join(stream[ends[i] - lengths[i] : ends[i]]),
            "at": _START + timedelta(minutes=first + i),
            "session": f"s{(first + i) // 25}",
        }
        for i in range(size)
    ]
    centres = np.random.default_rng(_CLUSTERS).standard_normal((_CLUSTERS, DIMS), dtype=np.float32)
    vectors = _unit(
        centres[rng.integers(0, _CLUSTERS, size)] + rng.standard_normal((size, DIMS), dtype=np.float32)
    )
    asked = rng.integers(0, size, questions)
    texts = [
        f"What did {messages[i]['name']} say about "
        + " ".join(rng.choice(str(messages[i]["content"]).split(), size=6))
        for i in asked
    ]
    near = _unit(vectors[asked] + 0.05 * rng.standard_normal((questions, DIMS), dtype=np.float32))
    return Corpus(messages, vectors, texts, near)


def _word(number: int) -> str:
    letters = "etaoinshrdlucmfwypvbgkjqxz"
    text = ""
    number += 26
    while number:
        number, letter = divmod(number, 26)
        text += letters[letter]
    return text + "o"


def _unit(rows: Vectors) -> Vectors:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


class ReadyEmbedder:
    """Looks vectors up instead of computing them; texts are matched by their end, past speaker and date."""

    name = "ready"
    dims = DIMS

    def __init__(self, corpus: Corpus) -> None:
        self.take(corpus)

    def take(self, corpus: Corpus) -> None:
        """Know this corpus instead."""
        self._rows = {str(m["content"]): v for m, v in zip(corpus.messages, corpus.vectors, strict=True)}
        self._rows.update(zip(corpus.questions, corpus.question_vectors, strict=True))

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), DIMS]`."""
        return np.stack([self._rows[text if kind == "query" else text.partition("): ")[2]] for text in texts])
