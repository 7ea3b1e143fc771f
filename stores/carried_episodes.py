"""Episodes in an export: as they are, with their lives and a model's words, and how far they follow the events.

They fit a namespace that takes the same events at the same positions. One that holds others already makes episodes
of its own, and only what begins at the same event takes up its life.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from agentmem.clock import to_micros
from agentmem.contracts import Progress
from agentmem.types import Episode, Namespace
from agentmem.write.extract import mentions_of

from . import episodes, graph, log, progress
from .namespaces import NamespaceRow

_BATCH = 500
_TIMES = ("started_at", "ended_at", "last_recalled_at")


def records(connection: Connection, name: Namespace, row: NamespaceRow) -> Iterator[Mapping[str, Any]]:
    """A namespace's episodes in order, then how far they go."""
    for episode in episodes.read(connection, row.pk, name):
        fields = {field: getattr(episode, field) for field in episode.__dataclass_fields__}
        del fields["namespace"]
        yield {"type": "episode", **fields}
    stands = progress.read(connection, row)
    yield {"type": "derived", "derived": stands.derived, "open": stands.open, "state": stands.state}


def to_episode(name: Namespace, record: dict[str, Any]) -> Episode:
    """An episode from its record."""
    for field in _TIMES:
        record[field] = None if record[field] is None else datetime.fromisoformat(record[field])
    return Episode(namespace=name, **record)


def take(
    connection: Connection, name: Namespace, row: NamespaceRow, found: list[Episode], stands: dict[str, Any]
) -> int:
    """Enter the episodes of a namespace that got its first events just now, and what those name."""
    until = Progress(int(stands["derived"]), int(stands["open"]), row.next_seq, dict(stands["state"]))
    if not 0 <= until.open <= until.derived <= row.next_seq:
        raise ValueError("what is derived goes beyond the events")
    if not episodes.add(connection, row.pk, found):
        raise ValueError("an episode is not what its events are")
    last = -1
    while events := log.read(
        connection, row.pk, name, ids=None, session=None, after_seq=last, limit=_BATCH, newest=False
    ):
        last = events[-1].seq
        graph.extend(
            connection, row.pk, list(mentions_of(event for event in events if event.seq < until.derived))
        )
    progress.write(connection, row.pk, until)
    return len(found)


def take_lives(connection: Connection, row: NamespaceRow, found: list[Episode]) -> None:
    """Let the episodes that are made of these events later take up the lives they had."""
    lives = {
        episode.id: [
            episode.strength,
            episode.stability_days,
            episode.recalls,
            None if episode.last_recalled_at is None else to_micros(episode.last_recalled_at),
        ]
        for episode in found
    }
    for episode in episodes.read(connection, row.pk, (), ids=list(lives)):
        del lives[episode.id]
    if lives:
        stands = progress.read(connection, row)
        state = {**stands.state, "lives": {**lives, **stands.state.get("lives", {})}}
        progress.write(connection, row.pk, Progress(stands.derived, stands.open, stands.next, state))
