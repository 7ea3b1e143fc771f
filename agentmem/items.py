"""Items: JSON values under a namespace and a key, replaced and deleted in place, found by words and vectors.

Unlike events, which are append-only, an item is whatever was put last. These are the operations an item store
runs and what it answers; nothing here does anything, and nothing here knows a framework.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from agentmem.contracts import Vectors
from agentmem.types import Namespace


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item read back. `score` is None where nothing was asked, or nothing matched."""

    namespace: Namespace
    key: str
    value: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    score: float | None = None


@dataclass(frozen=True, slots=True)
class GetItem:
    """Read one item; `refresh` starts its time to live anew."""

    namespace: Namespace
    key: str
    refresh: bool = True


@dataclass(frozen=True, slots=True)
class SearchItems:
    """Read the items at and below `prefix` that pass `filter`.

    With `terms` or a `vector` (unit, `[dims]`) the best come first and what matches nothing comes last; without,
    they come in the order in which their keys were first put. Pages are stable and together complete.
    """

    prefix: Namespace
    filter: Mapping[str, Any] | None = None
    limit: int = 10
    offset: int = 0
    terms: tuple[str, ...] = ()
    vector: Vectors | None = None
    refresh: bool = True


@dataclass(frozen=True, slots=True)
class IndexedText:
    """One text an item is found by: its terms and, where an embedder is used, its unit vector `[dims]`."""

    terms: tuple[str, ...]
    vector: Vectors | None = None


@dataclass(frozen=True, slots=True)
class PutItem:
    """Replace an item, or delete it where `value` (JSON text of an object) is None."""

    namespace: Namespace
    key: str
    value: str | None
    texts: tuple[IndexedText, ...] = ()
    ttl_s: float | None = None


@dataclass(frozen=True, slots=True)
class ListNamespaces:
    """Read the namespaces that hold items, sorted; `*` in a condition's path stands for one part."""

    conditions: tuple[tuple[Literal["prefix", "suffix"], Namespace], ...] = ()
    max_depth: int | None = None
    limit: int = 100
    offset: int = 0


ItemOp = GetItem | SearchItems | PutItem | ListNamespaces
ItemAnswer = StoredItem | list[StoredItem] | list[Namespace] | None


class ItemStore(Protocol):
    """Where items live. Safe to call from several threads, and several processes may open one store."""

    def run(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        """Answer the operations in order, all or nothing.

        Reads see the state before the writes of the same call; of several puts of one key the last counts. What
        has expired by `now` is never seen.
        """

    async def arun(self, ops: Sequence[ItemOp], now: datetime) -> list[ItemAnswer]:
        """`run` without holding up the event loop."""

    def bind(self, dims: int, embedder: str = "") -> None:
        """Record what the items' vectors are. Raises `EmbedderMismatchError` where others are stored."""

    def sweep(self, now: datetime) -> int:
        """Remove what has expired; returns how many."""

    def close(self) -> None:
        """Release what is its own; the store it is of stays open."""
