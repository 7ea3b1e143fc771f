"""What an embedder gives that compares word by word: the contract and its result. Does nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from agentmem.contracts import Embedder, TextKind, Vectors

# where in its text a piece begins and ends
Span = tuple[int, int]


class Embedded(NamedTuple):
    """Unit rows `[n, dims]`, and per text the unit vectors `[T, dims]` of its word pieces; None without any.

    `spans` say where in its text each piece stands; None where the embedder cannot tell.
    """

    rows: Vectors
    pieces: list[Vectors] | None
    spans: list[list[Span]] | None = None


class LateEmbedder(Embedder, Protocol):
    """An embedder that also gives a vector for each word piece, so that recall can compare word by word."""

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        """`embed(texts, kind)` with pieces: of a document those of content words, of a query all. Raises as it does."""
