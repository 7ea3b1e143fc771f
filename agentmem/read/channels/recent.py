"""The recent window: what was said last, verbatim, whatever the question."""

from __future__ import annotations

from collections.abc import Sequence

from agentmem.contracts import Query, Scored, Store

WINDOW = 8


class RecentChannel:
    """The last `WINDOW` events, newest first."""

    name = "recent"

    def __init__(self, store: Store) -> None:
        self._store = store

    def propose(self, query: Query, k: int) -> Sequence[Scored]:
        """At most `k` passages of the window, newest first."""
        return self._store.recent(query.namespace, min(k, WINDOW), query.at)
