"""The half of a SQL store that follows the events: names, relations, episodes, and how far they go."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection

from agentmem.contracts import EventMentions, Mention, Progress
from agentmem.faults import point
from agentmem.types import Edge, Entity, Episode, Namespace, Tier

from . import entities, episodes, graph, namespaces, progress, rebuild, scope
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

    def advance(
        self,
        namespace: Namespace,
        mentions: Sequence[EventMentions],
        found: Sequence[Episode],
        *,
        since: Progress,
        until: Progress,
    ) -> bool:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            if row is None:
                return False
            now = progress.read(connection, row)
            if (now.derived, now.open) != (since.derived, since.open):
                return False
            if not episodes.add(connection, row.pk, found, now.state.get("lives", {})):
                return False
            point("derive.episodes_added")
            graph.extend(connection, row.pk, mentions)
            point("derive.extended")
            progress.write(connection, row.pk, until)
            point("derive.counted")
        point("derive.committed")
        return True

    def replace_episodes(self, namespace: Namespace, old: Sequence[Episode], new: Sequence[Episode]) -> bool:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            return row is not None and episodes.replace(connection, row.pk, old, new)

    def episodes(
        self,
        namespace: Namespace,
        *,
        ids: Sequence[str] | None = None,
        session: str | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Episode]:
        with self._in(namespace) as (connection, row):
            if row is None:
                return []
            return episodes.read(
                connection, row.pk, namespace, ids=ids, session=session, after_seq=after_seq, limit=limit
            )

    def episode_of(self, namespace: Namespace, seqs: Sequence[int]) -> dict[int, str]:
        with self._in(namespace) as (connection, row):
            return {} if row is None else episodes.of(connection, row.pk, seqs)

    def in_scope(
        self,
        namespace: Namespace,
        *,
        tiers: Collection[Tier],
        at: datetime | None,
        now: datetime,
        limit: int,
    ) -> list[int] | None:
        with self._in(namespace) as (connection, row):
            return [] if row is None else scope.in_scope(connection, row.pk, tiers, at, now, limit)

    def rebuild(self, namespace: Namespace) -> int:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            count = 0 if row is None else rebuild.rebuild(connection, row.pk)
            point("rebuild.restarted")
        point("rebuild.committed")
        return count

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
