"""Calls something at an interval, in a thread of its own that ends when told to. Knows nothing of stores."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future

from agentmem.errors import AgentMemError, InvalidInputError

logger = logging.getLogger("agentmem")

_DEFAULT_MINUTES = 5.0


class Sweeper:
    """One background thread at most."""

    def __init__(self, sweep: Callable[[], int], interval_minutes: float | None) -> None:
        self._sweep = sweep
        self._minutes = _check(interval_minutes)
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._future: Future[None] = Future()

    def start(self, interval_minutes: float | None) -> Future[None]:
        """Begin, unless it has; the future is done once it has ended."""
        seconds = 60 * (_check(interval_minutes) or self._minutes or _DEFAULT_MINUTES)
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._ended = threading.Event()
                self._future = Future()
                self._thread = threading.Thread(
                    target=self._loop,
                    args=(seconds, self._ended, self._future),
                    daemon=True,
                    name="agentmem-sweep",
                )
                self._thread.start()
            return self._future

    def stop(self, timeout: float | None = None) -> bool:
        """End it; True where it has ended within `timeout` seconds."""
        self._ended.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(timeout)
        return not thread.is_alive()

    def _loop(self, seconds: float, ended: threading.Event, future: Future[None]) -> None:
        while not ended.wait(seconds):
            try:
                self._sweep()
            except AgentMemError as error:
                # a busy or full disk passes; what has expired stays hidden meanwhile
                logger.warning("could not remove expired items: %s", error)
        future.set_result(None)


def _check(minutes: float | None) -> float | None:
    if minutes is not None and (isinstance(minutes, bool) or not minutes > 0):
        raise InvalidInputError(f"a sweep interval is a positive number of minutes, not {minutes!r}")
    return minutes
