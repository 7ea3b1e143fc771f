"""The words of episodes in a text memory: stored, those that answer a query, and all that belong to one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from agentmem.errors import (
    InvalidInputError,
    ReadOnlyStoreError,
    RecordNotFoundError,
    StoreBusyError,
    StoreFullError,
)
from agentmem.kv.text_memory import TextMemory
from agentmem.kv.transcript import Prepared, episode_of
from agentmem.types import Event

UNKEPT = (InvalidInputError, ReadOnlyStoreError, StoreBusyError, StoreFullError)
"""Why what a recall made of words may not be kept: they were forgotten meanwhile, or the store takes nothing now."""


class Words:
    """Writes episodes into a text memory and reads them; what was forgotten meanwhile is passed over."""

    def __init__(self, memory: TextMemory) -> None:
        self._memory = memory

    def remember(self, ready: Prepared) -> tuple[str, list[Event]]:
        """Store messages that were read; the id of the episode they make, and its events.

        Raises:
            InvalidInputError: as `Memory.remember`, or recall itself had made all of it: nothing is stored.
            DuplicateIdError: an id already holds different content.
        """
        receipt = self._memory.remember(ready.messages)
        if not receipt.event_ids:
            raise InvalidInputError("every message was text that recall itself had made; nothing was stored")
        return ready.episode or receipt.event_ids[0], self.find(receipt.event_ids)

    def find(self, ids: Sequence[str]) -> list[Event]:
        """Events by id, in order; notes are passed over."""
        found = []
        for id in ids:
            with suppress(RecordNotFoundError):
                record = self._memory.get(id)
                found += [record] if isinstance(record, Event) else []
        return sorted(found, key=lambda event: event.seq)

    def recalled(self, query: str, *, budget_tokens: int, episodes: int) -> dict[str, Event]:
        """At most so many episodes that answer a query, in the order they happened, each with one of its events."""
        recall = self._memory.recall(query, budget_tokens=max(200, budget_tokens), k=4 * episodes)
        ids = tuple(dict.fromkeys(id for item in recall.items for id in item.source_ids))
        found = {event.id: event for event in self.find(ids)}
        wanted: dict[str, Event] = {}
        for id in ids:
            if id in found:
                wanted.setdefault(episode_of(found[id]), found[id])
        best = list(wanted)[:episodes]
        return {id: wanted[id] for id in sorted(best, key=lambda id: wanted[id].seq)}

    def members(self, id: str, one: Event) -> list[Event]:
        """All events of an episode of which one is known."""
        if one.id == id:
            return [one]
        return [event for event in self._memory.events(session=one.session) if episode_of(event) == id]
