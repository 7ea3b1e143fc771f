"""Cuts a sequence into pieces, for statements with a limit on bound parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

# below SQLite's oldest limit on bound parameters
CHUNK = 900


def chunks(values: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Consecutive pieces of at most `size`; nothing for an empty sequence."""
    for start in range(0, len(values), size):
        yield values[start : start + size]
