"""The cache: the same text once, nothing mixed up, nothing kept of what was forgotten or was nonsense."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.cache import CachedEmbedder
from agentmem.embed.hashing import HashEmbedder


class CountingEmbedder(HashEmbedder):
    """A `HashEmbedder` that tells what it was asked."""

    def __init__(self, dims: int = 16) -> None:
        super().__init__(dims)
        self.asked: list[str] = []
        self.nonsense = False

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        self.asked.extend(f"{kind}:{text}" for text in texts)
        rows = super().embed(texts, kind)
        return np.full_like(rows, np.inf) if self.nonsense else rows


@pytest.fixture
def inner() -> CountingEmbedder:
    return CountingEmbedder()


def test_a_text_reaches_the_model_once(inner: CountingEmbedder) -> None:
    cached = CachedEmbedder(inner)

    first = cached.embed(["a", "b", "a"])
    second = cached.embed(["b", "a", "c"])

    assert inner.asked == ["document:a", "document:b", "document:c"]
    assert first[[1, 0]].tolist() == second[[0, 1]].tolist()


def test_a_question_is_not_a_document(inner: CountingEmbedder) -> None:
    cached = CachedEmbedder(inner)

    cached.embed(["a"], "document")
    cached.embed(["a"], "query")

    assert inner.asked == ["document:a", "query:a"]


def test_the_least_recently_used_goes_first(inner: CountingEmbedder) -> None:
    cached = CachedEmbedder(inner, max_bytes=2 * (16 * 4 + 400))

    cached.embed(["a"])
    cached.embed(["b"])
    cached.embed(["a"])
    cached.embed(["c"])
    cached.embed(["a"])
    cached.embed(["b"])

    assert inner.asked == ["document:a", "document:b", "document:c", "document:b"]


def test_no_texts_are_no_rows(inner: CountingEmbedder) -> None:
    assert CachedEmbedder(inner).embed([]).shape == (0, 16)


def test_nonsense_is_not_kept(inner: CountingEmbedder) -> None:
    cached = CachedEmbedder(inner)
    inner.nonsense = True
    cached.embed(["a"])
    inner.nonsense = False

    assert np.isfinite(cached.embed(["a"])).all()


def test_a_caller_cannot_change_what_is_cached(inner: CountingEmbedder) -> None:
    cached = CachedEmbedder(inner)
    cached.embed(["a"])[0, 0] = 99.0
    cached.embed(["a"])[0, 0] = 99.0

    assert cached.embed(["a"])[0].tolist() == HashEmbedder(16).embed(["a"])[0].tolist()


def test_forgetting_empties_the_cache(inner: CountingEmbedder) -> None:
    with Memory("sqlite://", embedder=inner) as memory:
        memory.remember({"id": "e1", "content": "secret"})

        memory.forget(ids=["e1"])

        assert len(memory._core.embedder._rows) == 0
