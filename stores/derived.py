"""The half of a SQL store that follows the events: names, relations, episodes, and how far they go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection

from agentmem.contracts import EventMentions, Mention, Progress
from agentmem.faults import point
from agentmem.types import Edge, Entity, Namespace

from . import entities, graph, namespaces, progress
from .namespaces import NamespaceRow
from .parts import Database


class DerivedRows:
    """The methods of `agentmem.contracts.Store` on what is derived from events."""

    _database: Database

    @contextmanager
    def _in(self, namespace: Namespace) -> Iterator[tuple[Connection, NamespaceRow | None]]:
        with self._database.read(namespace) as connection:
            yield connection, namespaces.find(connection, namespace)

    def progress(self, namespace: Namespace) -> Progress:
        with self._in(namespace) as (connection, row):
            return Progress(0, 0, 0) if row is None else progress.read(connection, row)

    def add_mentions(
        self, namespace: Namespace, events: Sequence[EventMentions], *, since: int, until: int
    ) -> bool:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            if row is None or progress.read(connection, row).extracted != since:
                return False
            graph.extend(connection, row.pk, events)
            point("derive.extended")
            progress.extracted(connection, row, until)
            point("derive.counted")
        point("derive.committed")
        return True

    def entities(
        self, namespace: Namespace, names: Sequence[str] | None = None, limit: int | None = None
    ) -> list[Entity]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else entities.entities(connection, row.pk, names, limit)

    def mentions_of(
        self, namespace: Namespace, nodes: Sequence[int], limit: int | None = None
    ) -> list[Mention]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else entities.mentions_of(connection, row.pk, nodes, limit)

    def mentions_in(self, namespace: Namespace, passages: Sequence[int]) -> list[Mention]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else entities.mentions_in(connection, row.pk, passages)

    def edges(self, namespace: Namespace, nodes: Sequence[int] | None = None) -> list[Edge]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else entities.edges(connection, row.pk, nodes)
