"""Embeds beside the event loop. Knows nothing of how the loop is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentmem.contracts import Embedder, TextKind, Vectors
from agentmem.embed.cache import CachedEmbedder


class OffLoopEmbedder(CachedEmbedder):
    """A cached embedder that computes where `in_thread` takes it."""

    def __init__(self, inner: Embedder, in_thread: Callable[[Callable[[], Vectors]], Vectors]) -> None:
        super().__init__(inner)
        self._in_thread = in_thread

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        cached = super().embed
        return self._in_thread(lambda: cached(texts, kind))
