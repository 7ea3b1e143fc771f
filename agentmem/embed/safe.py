"""Vectors where the embedder gives them. A failure is told, not raised: words must never wait for vectors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import numpy as np

from agentmem.contracts import Embedder, TextKind, Vectors
from agentmem.embed.late import Embedded, LateEmbedder

logger = logging.getLogger("agentmem")
T = TypeVar("T")


def embed_or_none(embedder: Embedder, texts: Sequence[str], kind: TextKind = "document") -> Vectors | None:
    """Unit rows `[len(texts), dims]`, or None where the embedder fails or returns nonsense."""
    found = _made(lambda: embedder.embed(texts, kind))
    return None if found is None else _checked(embedder, texts, found)


def embed_pieces_or_none(
    embedder: Embedder, texts: Sequence[str], kind: TextKind = "document"
) -> Embedded | None:
    """As `embed_or_none`, with the word pieces of each text where the embedder gives sensible ones."""
    if not hasattr(embedder, "embed_pieces"):
        rows = embed_or_none(embedder, texts, kind)
        return None if rows is None else Embedded(rows, None)
    late = cast(LateEmbedder, embedder)
    found = _made(lambda: late.embed_pieces(texts, kind))
    if found is None:
        return None
    rows = _checked(embedder, texts, found.rows)
    if rows is None:
        return None
    sensible = (
        found.pieces is not None
        and len(found.pieces) == len(texts)
        and all(
            piece.ndim == 2 and piece.shape[1] == embedder.dims and np.isfinite(piece).all()
            for piece in found.pieces
        )
    )
    if found.pieces is None or not sensible:
        return Embedded(rows, None)
    placed = found.spans is not None and [len(spans) for spans in found.spans] == [
        len(piece) for piece in found.pieces
    ]
    return Embedded(rows, found.pieces, found.spans if placed else None)


def _made(embed: Callable[[], T]) -> T | None:
    try:
        return embed()
    except Exception as error:  # whatever a third party's model raises, the words are stored
        logger.warning("embedding failed, going on with words alone: %s", error)
        return None


def _checked(embedder: Embedder, texts: Sequence[str], made: Vectors) -> Vectors | None:
    try:
        rows = np.asarray(made, dtype=np.float32)
    except (TypeError, ValueError):
        rows = np.empty(0, dtype=np.float32)
    if rows.shape != (len(texts), embedder.dims) or not np.isfinite(rows).all():
        logger.warning(
            "the embedder %s returned %s where (%d, %d) finite numbers were due; going on with words alone",
            embedder.name,
            rows.shape,
            len(texts),
            embedder.dims,
        )
        return None
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    # an all-zero row stays zero: it is near nothing
    unit: Vectors = np.ascontiguousarray(rows / np.where(norms > 0, norms, 1), dtype=np.float32)
    return unit
