"""The cache: the same text once, nothing mixed up, nothing kept of what was forgotten or was nonsense."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors
from agentmem.embed.cache import CachedEmbedder
from agentmem.embed.hashing import HashEmbedder
from agentmem.embed.late import Embedded
from agentmem.embed.safe import embed_pieces_or_none


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


class Piecewise(CountingEmbedder):
    """One that gives word pieces, too."""

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        return Embedded(self.embed(texts, kind), [self.embed(text.split()) for text in texts])


def test_the_pieces_of_a_question_reach_the_model_once_until_cleared() -> None:
    inner = Piecewise()
    cached = CachedEmbedder(inner)

    first = cached.embed_pieces(["who"], "query")
    again = cached.embed_pieces(["who"], "query")
    cached.clear()
    cached.embed_pieces(["who"], "query")

    assert first is again
    assert inner.asked == ["query:who", "document:who"] * 2


def test_an_embedder_without_pieces_gives_none(inner: CountingEmbedder) -> None:
    made = CachedEmbedder(inner).embed_pieces(["a"])

    assert made.pieces is None
    assert made.rows.shape == (1, 16)


def test_pieces_of_the_wrong_shape_are_left_out_and_the_rows_kept() -> None:
    class Wrong(CountingEmbedder):
        def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
            return Embedded(self.embed(texts, kind), [np.ones((2, 3), dtype=np.float32)] * len(texts))

    made = embed_pieces_or_none(Wrong(), ["a"])

    assert made is not None
    assert made.pieces is None
    assert made.rows.shape == (1, 16)


def test_places_that_are_not_one_a_piece_are_left_out_and_the_pieces_kept() -> None:
    class Wrong(Piecewise):
        def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
            return super().embed_pieces(texts, kind)._replace(spans=[[(0, 1), (1, 2)]] * len(texts))

    made = embed_pieces_or_none(Wrong(), ["a"])

    assert made is not None
    assert made.spans is None
    assert made.pieces is not None


def test_words_stored_before_there_were_pieces_get_them_by_a_reindex(database: Path) -> None:
    with Memory(database, embedder="hash-16") as memory:
        memory.remember({"id": "e1", "content": "a cat sleeps"})
    with Memory(database, embedder=Piecewise()) as memory:
        store, name = memory.core.store, memory.current_namespace
        keys = [hit.passage for hit in store.recent(name, 1)]
        before = store.near_pieces(name, keys, np.eye(16, dtype=np.float32))

        memory.reindex()

        assert before == {}
        assert list(store.near_pieces(name, keys, np.eye(16, dtype=np.float32))) == keys
