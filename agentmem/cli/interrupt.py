"""Ctrl-C while storing: the batch in hand is finished first, a second Ctrl-C stops at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupt:
    """Holds a Ctrl-C back while `holding`, and lets it through at the end of that."""

    def __init__(self) -> None:
        self._holding = False
        self._asked = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take over Ctrl-C, unless it is ignored or this is not the main thread."""
        old: Any = signal.getsignal(signal.SIGINT)
        if threading.current_thread() is not threading.main_thread() or old in (signal.SIG_IGN, None):
            yield
            return
        signal.signal(signal.SIGINT, self._on)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, old)

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Finish what is inside, then raise `KeyboardInterrupt` if it was asked for."""
        self._holding = True
        try:
            yield
        finally:
            self._holding = False
        if self._asked:
            self._asked = False
            raise KeyboardInterrupt

    def _on(self, _signal: int, _frame: FrameType | None) -> None:
        if not self._holding or self._asked:
            raise KeyboardInterrupt
        self._asked = True
