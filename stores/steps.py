"""Tells how far a long work has come, not more often than anyone can look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
Tell = Callable[[int, int], None]
_EVERY = 256


class Steps:
    """Counts steps towards `total` and tells `(done, total)`; the last of them is always told."""

    def __init__(self, tell: Tell | None, total: int) -> None:
        self._tell = tell
        self._done = 0
        self._total = total

    def counted(self, values: Iterable[T]) -> Iterator[T]:
        """The same values, each a step once it is done with."""
        for value in values:
            yield value
            self.advance(1)

    def advance(self, count: int) -> None:
        """So many steps are done."""
        told = self._done // _EVERY
        self._done = min(self._done + count, self._total)
        if self._tell is not None and (self._done // _EVERY != told or self._done == self._total):
            self._tell(self._done, self._total)
