"""Episodes in host memory, the least recently used put away first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock

from agentmem.kv.episode import EpisodeKV


class Shelf:
    """Holds at most `size_bytes` of episodes; safe between threads."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._held: OrderedDict[Hashable, EpisodeKV] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Hashable, load: Callable[[], EpisodeKV]) -> EpisodeKV:
        """The episode under `key`, read with `load` where it is not here."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        found = load()
        with self._lock:
            if key not in self._held:
                self._held[key] = found
                self._bytes += found.size_bytes
            while self._bytes > self.size_bytes:
                self._bytes -= self._held.popitem(last=False)[1].size_bytes
        return found
