"""Vectors where the embedder gives them. A failure is told, not raised: words must never wait for vectors."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from agentmem.contracts import Embedder, TextKind, Vectors

logger = logging.getLogger("agentmem")


def embed_or_none(embedder: Embedder, texts: Sequence[str], kind: TextKind = "document") -> Vectors | None:
    """Unit rows `[len(texts), dims]`, or None where the embedder fails or returns nonsense."""
    try:
        rows = np.asarray(embedder.embed(texts, kind), dtype=np.float32)
    except Exception as error:  # whatever a third party's model raises, the words are stored
        logger.warning("embedding failed, going on with words alone: %s", error)
        return None
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
