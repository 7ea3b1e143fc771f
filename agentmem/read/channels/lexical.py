"""Passages that share rare words with the question. Finds names and numbers; blind to paraphrase."""

from __future__ import annotations

from collections.abc import Sequence

from agentmem.contracts import Query, Scored, Store


class LexicalChannel:
    """BM25 over stemmed terms, speaker and date among them."""

    name = "lexical"

    def __init__(self, store: Store) -> None:
        self._store = store

    def propose(self, query: Query, k: int) -> Sequence[Scored]:
        """At most `k` passages, best first; none where the question has only stop words."""
        return self._store.match(query.namespace, query.terms, k)
