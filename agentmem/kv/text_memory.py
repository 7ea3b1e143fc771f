"""What `KVMemory` asks of a text memory; `agentmem.Memory` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from agentmem.latents import LatentStore
from agentmem.types import Episode, Event, Namespace, Note, Recall, Receipt


class TextMemory(Protocol):
    """The words, what recalls them, and the files kept beside them. Errors are those of `agentmem.Memory`."""

    @property
    def current_namespace(self) -> Namespace:
        """Whose memory this is."""

    def remember(self, messages: Any, *, session: str = ..., role: str = ...) -> Receipt:
        """Store messages; durable and recallable when it returns."""

    def recall(self, query: str, *, budget_tokens: int = ..., k: int | None = ...) -> Recall:
        """The best evidence for a question."""

    def get(self, id: str) -> Event | Note | Episode:
        """The event, note or episode with this id."""

    def events(self, *, session: str | None = ...) -> Sequence[Event]:
        """Events in order."""

    def latents(self) -> LatentStore:
        """The tensors kept for events."""
