"""Remembers what was recalled until there is a good moment to write it down.

A recall must not wait for the write lock, so it only leaves a note in memory here. The notes are written by the next
write that comes along after a minute, by `maintain` and by `close`; a crash loses at most those not yet written,
which costs strength and never a word.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta

from agentmem.contracts import Store
from agentmem.errors import AgentMemError, ReadOnlyStoreError
from agentmem.types import Namespace

logger = logging.getLogger("agentmem")

# recalls of one event closer than this are one: massed repeats add no strength, and would only take memory
_APART = timedelta(minutes=1)
_EVERY = timedelta(minutes=1)
# far more than a session recalls; beyond it the oldest are let go
_MOST_EVENTS = 50_000


class RecallLog:
    """What was recalled since it was last written down. Safe to share between threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[Namespace, dict[str, list[datetime]]] = {}
        self._events = 0
        self._since: datetime | None = None
        self._lock = threading.Lock()

    def add(self, namespace: Namespace, event_ids: Sequence[str], at: datetime) -> None:
        """Take note that these were recalled; touches no disk."""
        with self._lock:
            self._since = self._since or at
            noted = self._waiting.setdefault(namespace, {})
            for id_ in event_ids:
                moments = noted.get(id_)
                if moments is None:
                    if self._events >= _MOST_EVENTS:
                        return
                    self._events += 1
                    noted[id_] = [at]
                elif at - moments[-1] >= _APART:
                    moments.append(at)

    def after_write(self, now: datetime) -> None:
        """Write the notes if the oldest has waited for a minute."""
        if self._since is not None and now - self._since >= _EVERY:
            self.flush()

    def flush(self) -> None:
        """Write all notes. Never raises: what could not be written waits for the next time."""
        with self._lock:
            taken, self._waiting = self._waiting, {}
            self._events, self._since = 0, None
        for namespace, noted in taken.items():
            try:
                self._store.recalled(namespace, noted)
            except ReadOnlyStoreError:
                return
            except AgentMemError as error:
                logger.warning("could not write down what was recalled: %s", error)
                return
