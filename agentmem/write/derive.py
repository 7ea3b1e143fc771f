"""Follows the log: what is derived from events is brought up to date, never before they are acknowledged.

Each call makes good what the ones before it left: a write reads the names of earlier events once enough wait, a
recall of all that wait, and so does closing. What a crash or a full disk cut short is taken up there, too. No model
is called; a failure costs nothing but freshness.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from agentmem.contracts import EventMentions, Store
from agentmem.errors import ReadOnlyStoreError
from agentmem.types import Event, Namespace
from agentmem.write.extract import mentions

logger = logging.getLogger("agentmem")

BATCH = 512
# so many events may wait before a write stops for them
_WAITING = 64
# a recall waits for no more than this; what is left goes to the next call
_PER_RECALL = 4096
_NAMESPACES_AT_CLOSE = 64


class Deriver:
    """Keeps what is derived in step with the events of one store. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[Namespace, int] = {}
        self._lock = threading.Lock()

    def wrote(self, namespace: Namespace, count: int) -> None:
        """Take note that so many events were stored."""
        if count:
            self._waiting[namespace] = self._waiting.get(namespace, 0) + count

    def before_write(self, namespace: Namespace) -> None:
        """Catch up if much was written since the last time."""
        if self._waiting.get(namespace, 0) >= _WAITING:
            self.follow(namespace)

    def before_recall(self, namespace: Namespace) -> None:
        """Catch up, within what a reader can wait for."""
        self.follow(namespace, _PER_RECALL)

    def before_close(self) -> None:
        """Catch up where this process wrote; many namespaces are left to their next readers."""
        for namespace in list(self._waiting)[:_NAMESPACES_AT_CLOSE]:
            self.follow(namespace)

    def follow(self, namespace: Namespace, limit: int | None = None) -> None:
        """Bring a namespace up to date, at most `limit` events further. Never raises."""
        with self._lock:
            try:
                done = self._follow(namespace, limit)
            except ReadOnlyStoreError:
                return
            except Exception as error:
                # events are safe and found without what is derived from them; the next call tries again
                logger.warning("could not bring episodes and entities up to date: %r", error)
                return
            if done:
                self._waiting.pop(namespace, None)

    def _follow(self, namespace: Namespace, limit: int | None) -> bool:
        taken = 0
        while limit is None or taken < limit:
            progress = self._store.progress(namespace)
            if progress.extracted >= progress.next:
                return True
            events = self._store.events(namespace, after_seq=progress.extracted - 1, limit=BATCH)
            until = events[-1].seq + 1 if len(events) == BATCH else progress.next
            self._store.add_mentions(namespace, _mentions(events), since=progress.extracted, until=until)
            taken += max(len(events), 1)
        return False


def _mentions(events: Sequence[Event]) -> list[EventMentions]:
    return [
        EventMentions(event.seq, mentions(event.content, speaker=event.name, said_at=event.occurred_at))
        for event in events
    ]
