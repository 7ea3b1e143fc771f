"""Messages as the one text whose keys and values are kept, and which events make an episode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from agentmem.types import Event, NewEvent
from agentmem.write.messages import read_messages

MARK = "kv_episode"
"""Metadata of events that were remembered together: the id of their episode."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What goes to the text memory, what the model reads, and the episode's id where it is not the event's."""

    messages: list[NewEvent]
    text: str
    episode: str | None


def prepared(messages: Any, session: str, role: str) -> Prepared:
    """Read messages; several get a common mark, made from their content so that the same call makes the same."""
    events = read_messages(messages, session, role)
    text = written(events)
    if len(events) < 2:
        return Prepared(events, text, None)
    parts = "".join(
        f"{len(part)}:{part}" for event in events for part in (event.session, event.id or "", event.content)
    )
    episode = "kv-" + sha256(parts.encode()).hexdigest()[:32]
    marked = [replace(event, metadata={**event.metadata, MARK: episode}) for event in events]
    return Prepared(marked, text, episode)


def written(events: Sequence[Event | NewEvent]) -> str:
    """One message is its own words; several are lines with speakers."""
    if len(events) == 1:
        return events[0].content
    return "\n".join(f"{event.name or event.role}: {event.content}" for event in events)


def episode_of(event: Event) -> str:
    """The id of the episode that an event belongs to: its own, where it was remembered alone."""
    return str(event.metadata.get(MARK, event.id))
