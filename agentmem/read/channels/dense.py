"""Passages whose vectors are near the question's. Finds paraphrases; blind to rare names."""

from __future__ import annotations

from collections.abc import Sequence

from agentmem.contracts import Query, Scored, Store


class DenseChannel:
    """Cosine similarity of embeddings."""

    name = "dense"

    def __init__(self, store: Store) -> None:
        self._store = store

    def propose(self, query: Query, k: int) -> Sequence[Scored]:
        """At most `k` passages, nearest first; none where the question has no vector."""
        if query.vector is None:
            return []
        return self._store.nearest(query.namespace, query.vector, k, embedder=query.embedder)
