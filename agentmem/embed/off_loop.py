"""Embeds beside the event loop. Knows nothing of how the loop is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from agentmem.contracts import Embedder, TextKind, Vectors
from agentmem.embed.cache import CachedEmbedder
from agentmem.embed.late import Embedded

T = TypeVar("T")


class InThread(Protocol):
    """Computes in a thread and waits for it."""

    def __call__(self, act: Callable[[], T], /) -> T:
        """What `act` returns; what it raises is raised here."""


class OffLoopEmbedder(CachedEmbedder):
    """A cached embedder that computes where `in_thread` takes it."""

    def __init__(self, inner: Embedder, in_thread: InThread) -> None:
        super().__init__(inner)
        self._in_thread = in_thread

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        cached = super().embed
        return self._in_thread(lambda: cached(texts, kind))

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        cached = super().embed_pieces
        return self._in_thread(lambda: cached(texts, kind))
