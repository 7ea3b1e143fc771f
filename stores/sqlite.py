"""The embedded store: one SQLite file, with FAISS indexes beside it as a cache."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import Connection, distinct, func, insert, inspect, select, text

from agentmem.clock import from_micros
from agentmem.config import store_url
from agentmem.contracts import Passage, PreparedEvent, Scored, Selection, StoredPassage, Vectors
from agentmem.errors import (
    ArchiveError,
    EmbedderMismatchError,
    InvalidInputError,
    NotADatabaseError,
    ReadOnlyStoreError,
)
from agentmem.types import ArchiveReport, Event, ForgetReport, HistoryEntry, Namespace, Note, Stats

from . import exchange, forget, log, migrate, namespaces, notes, records, reindex, schema, vectors
from .database import APPLICATION_ID, Database
from .faiss_index import VectorIndexes
from .lexical import LexicalSearch
from .namespaces import NamespaceRow

_STORE_ID = "store_id"
_OURS = {"alembic_version", "meta", "namespaces"}


def open_sqlite(url: str) -> SqliteStore:
    """The store at `sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for memory."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.split("+")[0] != "sqlite":
        raise InvalidInputError(f"not a SQLite URL: {url!r}; write sqlite:///agent.db")
    path = unquote(rest.partition("?")[0]).removeprefix("/")
    return SqliteStore(None if path in ("", ":memory:") else Path(path))


class SqliteStore:
    """Implements `agentmem.contracts.Store` on SQLite."""

    def __init__(self, path: Path | None) -> None:
        self._database = Database(path)
        self._lexical = LexicalSearch()
        try:
            self._migrate()
        except BaseException:
            self._database.close()
            raise
        folder = None if path is None else path.with_name(path.name + ".index")
        self._indexes = VectorIndexes(folder, self.meta(_STORE_ID) or "")
        with self._database.read() as connection:
            active = vectors.active_embedder(connection)
        self._embedder = None if active is None else (active[0], active[2])
        self._written: set[Namespace] = set()

    def _migrate(self) -> None:
        with self._database.read() as connection:
            tables = inspect(connection).get_table_names()
            # another application may well use Alembic, too
            if tables and not set(tables) >= _OURS:
                raise NotADatabaseError(
                    f"{self._database.path} is another application's SQLite database; give another file name"
                )
            if migrate.current_revision(connection) == migrate.HEAD:
                return
        with self._database.write() as connection:
            migrate.upgrade(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            if connection.execute(select(schema.meta).where(schema.meta.c.key == _STORE_ID)).first() is None:
                connection.execute(insert(schema.meta).values(key=_STORE_ID, value=uuid.uuid4().hex))

    @property
    def url(self) -> str:
        return "sqlite://" if self._database.path is None else store_url(self._database.path)

    @property
    def path(self) -> Path | None:
        """The file; None in memory."""
        return self._database.path

    @contextmanager
    def _in(self, namespace: Namespace) -> Iterator[tuple[Connection, NamespaceRow | None]]:
        with self._database.read() as connection:
            yield connection, namespaces.find(connection, namespace)

    # -- meta -------------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        with self._database.read() as connection:
            if key == "embedder":
                active = vectors.active_embedder(connection)
                return None if active is None else active[1]
            value: str | None = connection.execute(
                select(schema.meta.c.value).where(schema.meta.c.key == key)
            ).scalar_one_or_none()
            return value

    def bind_embedder(self, name: str, dims: int) -> None:
        with self._database.read() as connection:
            bound = vectors.active_embedder(connection) is not None
            if bound:
                key = vectors.bind(connection, name, dims)
        if not bound:
            with self._database.write() as connection:
                key = vectors.bind(connection, name, dims)
        self._embedder = (key, dims)

    def namespaces(self, prefix: Namespace = ()) -> list[Namespace]:
        with self._database.read() as connection:
            return namespaces.below(connection, prefix)

    # -- writing ----------------------------------------------------------------------------------------

    def known(self, namespace: Namespace, events: Sequence[tuple[str | None, str]]) -> list[str | None]:
        with self._in(namespace) as (connection, row):
            return [None] * len(events) if row is None else log.known(connection, row.pk, events)

    def append(self, namespace: Namespace, events: Sequence[PreparedEvent]) -> list[tuple[str, bool]]:
        self._written.add(namespace)
        with self._database.write() as connection:
            return log.append(
                connection, namespace, self._usable(connection, events), self._embedder_pk(connection)
            )

    @staticmethod
    def _usable(connection: Connection, events: Sequence[PreparedEvent]) -> list[PreparedEvent]:
        """The events, without vectors that an embedder made from which the store has moved on meanwhile."""
        active = vectors.active_embedder(connection)
        name = "" if active is None else active[1]
        return [
            event if event.embedder in ("", name) else replace(event, vectors=None, embedder="")
            for event in events
        ]

    def add_note(self, note: Note, passage: Passage, vector: Vectors | None) -> None:
        with self._database.write() as connection:
            notes.add(connection, note, passage, vector, self._embedder_pk(connection))

    def _embedder_pk(self, connection: Connection) -> int | None:
        """The key of our embedder. Raises `EmbedderMismatchError` where another process has changed it."""
        if self._embedder is None:
            return None
        active = vectors.active_embedder(connection)
        if active is not None and active[0] != self._embedder[0]:
            columns = schema.embedders.c
            ours = connection.execute(
                select(columns.name).where(columns.pk == self._embedder[0])
            ).scalar_one()
            raise EmbedderMismatchError(active[1], active[2], ours, self._embedder[1])
        return self._embedder[0]

    def forget(
        self, namespace: Namespace, selection: Selection, *, at: datetime, dry_run: bool
    ) -> ForgetReport:
        if dry_run:
            with self._in(namespace) as (connection, row):
                if row is None:
                    return ForgetReport((), (), True)
                return forget.forget(connection, row.pk, selection, at, dry_run=True)
        with self._database.write() as connection:
            row = namespaces.find(connection, namespace)
            if row is None:
                return ForgetReport((), (), False)
            report = forget.forget(connection, row.pk, selection, at, dry_run=False)
        if report.event_ids or report.memory_ids:
            self._indexes.drop(row.pk)
            self._database.checkpoint()
        return report

    # -- reading ----------------------------------------------------------------------------------------

    def events(
        self,
        namespace: Namespace,
        *,
        ids: Sequence[str] | None = None,
        session: str | None = None,
        after_seq: int = -1,
        limit: int | None = None,
        newest: bool = False,
    ) -> list[Event]:
        with self._in(namespace) as (connection, row):
            if row is None:
                return []
            return log.read(
                connection,
                row.pk,
                namespace,
                ids=ids,
                session=session,
                after_seq=after_seq,
                limit=limit,
                newest=newest,
            )

    def note(self, namespace: Namespace, note_id: str) -> Note | None:
        with self._in(namespace) as (connection, row):
            found = [] if row is None else notes.read(connection, row.pk, namespace, note_id)
            return found[0] if found else None

    def notes(self, namespace: Namespace) -> list[Note]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else notes.read(connection, row.pk, namespace)

    def history(self, namespace: Namespace, record_id: str) -> list[HistoryEntry]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else notes.history(connection, row.pk, record_id)

    def nearest(self, namespace: Namespace, vector: Vectors, k: int) -> list[Scored]:
        with self._in(namespace) as (connection, row):
            if row is None or self._embedder is None or self._embedder_pk(connection) is None:
                return []
            return self._indexes.search(connection, row, self._embedder, vector, k)

    def match(self, namespace: Namespace, terms: Sequence[str], k: int) -> list[Scored]:
        with self._in(namespace) as (connection, row):
            return [] if row is None or not terms else self._lexical.match(connection, row, terms, k)

    def recent(self, namespace: Namespace, k: int, until: datetime | None = None) -> list[Scored]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else records.recent(connection, row.pk, k, until)

    def passages(self, namespace: Namespace, keys: Sequence[int]) -> dict[int, StoredPassage]:
        with self._in(namespace) as (connection, row):
            return {} if row is None else records.passages_by_key(connection, row.pk, keys)

    def neighbours(self, namespace: Namespace, seqs: Sequence[int]) -> list[StoredPassage]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else records.passages_by_seq(connection, row.pk, seqs)

    # -- vectors ----------------------------------------------------------------------------------------

    def unembedded(self, namespace: Namespace | None, limit: int) -> list[tuple[int, str]]:
        with self._database.read() as connection:
            return reindex.unembedded(connection, namespace, limit)

    def add_vectors(self, keys: Sequence[int], rows: Vectors) -> None:
        with self._database.write() as connection:
            reindex.add_vectors(connection, self._embedder_pk(connection), keys, rows)

    def replace_vectors(self, name: str, dims: int, batches: Iterator[tuple[list[int], Vectors]]) -> int:
        count, key = reindex.replace_vectors(self._database, name, dims, batches)
        self._embedder = (key, dims)
        return count

    def passage_texts(self, batch: int) -> Iterator[list[tuple[int, str]]]:
        return reindex.passage_texts(self._database, batch)

    # -- the whole --------------------------------------------------------------------------------------

    def stats(self, namespace: Namespace) -> Stats:
        events, found = schema.events.c, schema.vectors.c
        with self._in(namespace) as (connection, row):
            active = vectors.active_embedder(connection)
            pk = -1 if row is None else row.pk
            total, sessions, tokens, first, last = connection.execute(
                select(
                    func.count(),
                    func.count(distinct(events.session)),
                    func.coalesce(func.sum(events.token_count), 0),
                    func.min(events.occurred_at),
                    func.max(events.occurred_at),
                ).where(events.namespace_pk == pk)
            ).one()
            memories = connection.execute(
                select(func.count()).select_from(schema.memories).where(schema.memories.c.namespace_pk == pk)
            ).scalar_one()
            embedded = connection.execute(
                select(func.count())
                .select_from(schema.vectors)
                .where(found.namespace_pk == pk, found.embedder_pk == (-1 if active is None else active[0]))
            ).scalar_one()
        return Stats(
            namespace=namespace,
            events=total,
            sessions=sessions,
            memories=memories,
            passages=0 if row is None else row.passages,
            vectors=embedded,
            tokens=tokens,
            first_at=None if first is None else from_micros(first),
            last_at=None if last is None else from_micros(last),
            embedder="" if active is None else active[1],
            dims=0 if active is None else active[2],
            store_bytes=self._database.size_bytes(),
            url=self.url,
        )

    def export(self, path: Path, namespace: Namespace | None) -> ArchiveReport:
        if self.path is not None and path.resolve() == self.path.resolve():
            raise ArchiveError(f"{path} is the database itself; give the export another file name")
        with self._database.read() as connection:
            return exchange.export(connection, path, namespace)

    def restore(self, path: Path) -> ArchiveReport:
        report, self._embedder = exchange.restore(self._database, path)
        return report

    def check(self) -> list[str]:
        """What SQLite's own integrity check finds wrong; empty when all is well."""
        with self._database.read() as connection:
            found: list[Any] = list(connection.execute(text("PRAGMA quick_check")).scalars())
            return [str(line) for line in found if line != "ok"]

    def close(self) -> None:
        try:
            for namespace in self._written if self.path is not None else ():
                with self._in(namespace) as (connection, row):
                    if row is not None and self._embedder is not None:
                        self._indexes.follow(connection, row, self._embedder)
            self._indexes.save()
            if self.path is not None:
                self._database.checkpoint()
        except ReadOnlyStoreError:
            pass
        finally:
            self._database.close()
