"""`agentmem.contracts.Store` over any SQL database: what is the same for all, in SQLAlchemy Core.

The database, lexical search and vector search are parts handed in; the work is in functions over a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, select

from agentmem.contracts import Passage, PreparedEvent, Scored, Selection, StoredPassage, Vectors
from agentmem.errors import (
    EmbedderMismatchError,
    InvalidInputError,
    ReadOnlyStoreError,
    StoreUnreachableError,
)
from agentmem.faults import point
from agentmem.types import ArchiveReport, Event, ForgetReport, HistoryEntry, Namespace, Note, Stats

from . import (
    check,
    counts,
    export,
    forget,
    latent_rows,
    lines,
    log,
    namespaces,
    notes,
    pieces,
    records,
    reindex,
    restore,
    schema,
    vectors,
)
from .blobs import Blobs, blobs_at
from .latents import SqlLatents
from .lifecycle_rows import LifecycleRows
from .parts import Database, LexicalSearch, VectorSearch

LATENTS_PLACE = "latents_place"


class SqlStore(LifecycleRows):
    """Implements `agentmem.contracts.Store`."""

    def __init__(self, database: Database, lexical: LexicalSearch, indexes: VectorSearch) -> None:
        self._database = database
        self._lexical = lexical
        self._indexes = indexes
        with self._database.read() as connection:
            active = vectors.active_embedder(connection)
        self._embedder = None if active is None else (active[0], active[2])
        self._written: set[Namespace] = set()
        self._latents: SqlLatents | None = None
        self._closed = False

    @property
    def url(self) -> str:
        return self._database.url

    @property
    def database(self) -> Database:
        """What it lives in, for tables of other parts."""
        return self._database

    def meta(self, key: str) -> str | None:
        with self._database.read() as connection:
            if key == "embedder":
                active = vectors.active_embedder(connection)
                return None if active is None else active[1]
            return counts.meta(connection, key)

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

    def known(self, namespace: Namespace, events: Sequence[tuple[str | None, str]]) -> list[str | None]:
        with self._in(namespace) as (connection, row):
            return [None] * len(events) if row is None else log.known(connection, row.pk, events)

    def append(self, namespace: Namespace, events: Sequence[PreparedEvent]) -> list[tuple[str, bool]]:
        self._written.add(namespace)
        with self._database.write(namespace) as connection:
            outcome = log.append(
                connection, namespace, self._usable(connection, events), self._embedder_pk(connection)
            )
        point("remember.committed")
        return outcome

    @staticmethod
    def _usable(connection: Connection, events: Sequence[PreparedEvent]) -> list[PreparedEvent]:
        """The events, without vectors that an embedder made from which the store has moved on meanwhile."""
        active = vectors.active_embedder(connection)
        name = "" if active is None else active[1]
        return [
            event if event.embedder in ("", name) else replace(event, vectors=None, embedder="")
            for event in events
        ]

    def add_note(
        self,
        note: Note,
        passage: Passage,
        vector: Vectors | None,
        *,
        embedder: str = "",
        confirm: bool = False,
        pieces: Vectors | None = None,
    ) -> str:
        with self._database.write(note.namespace) as connection:
            active = vectors.active_embedder(connection)
            if active is not None and embedder not in ("", active[1]):
                vector = None
            found = notes.confirm(connection, note) if confirm else None
            if found is None:
                notes.write(connection, note, passage, vector, self._embedder_pk(connection), pieces)
        point("note.committed")
        return found or note.id

    def _embedder_pk(self, connection: Connection, maker: str = "") -> int | None:
        embedder = self._in_use(connection, maker)
        return None if embedder is None else embedder[0]

    def _in_use(self, connection: Connection, maker: str = "") -> tuple[int, int] | None:
        """The key and dims of our embedder; None in a store without one.

        Raises:
            EmbedderMismatchError: another process has changed it, or `maker` is named and is another one.
        """
        ours = self._embedder
        active = vectors.active_embedder(connection)
        if ours is None or active is None:
            return ours
        if maker not in ("", active[1]):
            raise EmbedderMismatchError(active[1], active[2], maker)
        if active[0] != ours[0]:
            columns = schema.embedders.c
            name = connection.execute(select(columns.name).where(columns.pk == ours[0])).scalar_one()
            raise EmbedderMismatchError(active[1], active[2], name)
        return ours

    def forget(
        self, namespace: Namespace, selection: Selection, *, at: datetime, dry_run: bool, vacuum: bool = False
    ) -> ForgetReport:
        if dry_run:
            with self._in(namespace) as (connection, row):
                if row is None:
                    return ForgetReport((), (), True)
                return forget.forget(connection, row.pk, selection, at, dry_run=True)
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            report = ForgetReport((), (), False)
            if row is not None:
                report = forget.forget(connection, row.pk, selection, at, dry_run=False)
        point("forget.committed")
        forgot = bool(report.event_ids or report.memory_ids)
        if row is not None and forgot:
            self._indexes.drop(row.pk)
            point("forget.index_dropped")
        self._remove_latent_files()
        point("forget.latent_files_removed")
        if forgot or vacuum:
            self._database.tidy(vacuum=vacuum)
            point("forget.tidied")
        return report

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

    def notes(self, namespace: Namespace, *, at: datetime | None = None) -> list[Note]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else notes.read(connection, row.pk, namespace, at=at)

    def history(self, namespace: Namespace, record_id: str) -> list[HistoryEntry]:
        with self._in(namespace) as (connection, row):
            return [] if row is None else notes.history(connection, row.pk, record_id)

    def nearest(self, namespace: Namespace, vector: Vectors, k: int, *, embedder: str = "") -> list[Scored]:
        with self._in(namespace) as (connection, row):
            ours = self._in_use(connection, embedder)
            if ours is None or row is None:
                return []
            return self._indexes.search(connection, row, ours, vector, k)

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

    def vectors_of(
        self, namespace: Namespace, keys: Sequence[int], *, embedder: str = ""
    ) -> dict[int, Vectors]:
        with self._in(namespace) as (connection, row):
            ours = self._in_use(connection, embedder)
            if ours is None or row is None:
                return {}
            found, rows = vectors.of_passages(connection, ours[0], keys, ours[1], row.pk)
        return dict(zip(found.tolist(), rows, strict=True))

    def near_pieces(
        self, namespace: Namespace, keys: Sequence[int], query: Vectors, *, embedder: str = ""
    ) -> dict[int, Vectors]:
        with self._in(namespace) as (connection, row):
            ours = self._in_use(connection, embedder)
            if ours is None or row is None:
                return {}
            return pieces.near(connection, row.pk, ours, keys, query)

    def without_pieces(self, after: int, limit: int) -> list[tuple[int, str]]:
        ours = self._embedder
        return [] if ours is None else reindex.without_pieces(self._database, ours[0], after, limit)

    def add_pieces(self, keys: Sequence[int], found: Sequence[Vectors], *, embedder: str) -> None:
        with self._database.write() as connection:
            reindex.add_pieces(connection, embedder, keys, found)
        point("embed.pieces_committed")

    def unembedded(self, namespace: Namespace | None, limit: int) -> list[tuple[int, str]]:
        with self._database.read(namespace) as connection:
            return reindex.unembedded(connection, namespace, limit)

    def add_vectors(self, keys: Sequence[int], rows: Vectors, *, embedder: str = "") -> None:
        with self._database.write() as connection:
            reindex.add_vectors(connection, self._embedder_pk(connection, embedder), keys, rows)
            point("embed.marked")
        point("embed.committed")

    def replace_vectors(self, name: str, dims: int, batches: Iterator[tuple[list[int], Vectors]]) -> int:
        count, key = reindex.replace_vectors(self._database, name, dims, batches)
        self._embedder = (key, dims)
        self._indexes.keep_only(key)
        point("reindex.old_indexes_dropped")
        return count

    def passage_texts(self, batch: int, *, lacking: str) -> Iterator[list[tuple[int, str]]]:
        return reindex.passage_texts(self._database, batch, lacking)

    def count_lacking(self, embedder: str) -> int:
        with self._database.read() as connection:
            return reindex.count_lacking(connection, embedder)

    def stats(self, namespace: Namespace) -> Stats:
        with self._in(namespace) as (connection, row):
            found = counts.stats(connection, namespace, row)
        return replace(found, store_bytes=self._database.size_bytes(), url=self.url)

    def export(
        self, path: Path, namespace: Namespace | None, *, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveReport:
        with self._database.read() as connection:
            latents = self.latents() if latent_rows.any_kept(connection) else None
            return export.export(connection, path, namespace, latents, progress)

    def restore(self, path: Path, *, progress: Callable[[int, int], None] | None = None) -> ArchiveReport:
        latents = None if self._blobs() is None else self.latents()
        report, self._embedder = restore.restore(self._database, path, latents, progress)
        return report

    def latents(self, place: str | None = None) -> SqlLatents:
        """The tensors kept for this store; `place` (a folder, or a URL for fsspec) is remembered from then on."""
        if self._latents is None or place is not None:
            if place is not None:
                self._keep_latents_at(place)
            blobs = self._blobs()
            if blobs is None:
                raise InvalidInputError(
                    f"say where the latents of {self.url} go: latents(place=...), a folder or a URL"
                )
            self._latents = SqlLatents(self._database, blobs)
        return self._latents

    def _keep_latents_at(self, place: str) -> None:
        """Remember a place that can be used, and has the files of what is kept already.

        Raises:
            InvalidInputError: some files are not there.
        """
        blobs, now = blobs_at(place), self._blobs()
        if now is not None and now.url != blobs.url:
            with self._database.read() as connection:
                files = latent_rows.used_files(connection)
            absent = sum(not blobs.has(file) for file in files)
            if absent:
                raise InvalidInputError(
                    f"{absent} of {len(files)} files of latents are not at {blobs.url}: copy them there from "
                    f"{now.url} first"
                )
        with self._database.write() as connection:
            counts.set_meta(connection, LATENTS_PLACE, place)

    def _blobs(self) -> Blobs | None:
        """Where latents are kept; None where that was never said and does not go without saying."""
        with self._database.read() as connection:
            chosen = counts.meta(connection, LATENTS_PLACE)
        return self._own_blobs() if chosen is None else blobs_at(chosen)

    def _own_blobs(self) -> Blobs | None:
        """Where latents are kept unless told otherwise."""
        return None

    def _remove_latent_files(self) -> None:
        with self._database.read() as connection:
            waiting = bool(latent_rows.given_up(connection))
        if waiting:
            self.latents().tidy()

    def check(self, *, deep: bool = False) -> list[str]:
        found = self._database.faults()
        if found or not deep:
            return found
        with self._database.read() as connection:
            return [
                *check.faults(connection),
                *lines.faults(connection),
                *self._lexical.faults(connection),
            ]

    def _with_kept_index(self) -> set[Namespace]:
        """The namespaces whose vector index is kept for the next process; there may be very many others."""
        kept_from = self._indexes.kept_from()
        if kept_from is None or not self._written:
            return set()
        with self._database.read() as connection:
            return namespaces.holding(connection, kept_from)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            for namespace in self._written & self._with_kept_index():
                with self._in(namespace) as (connection, row):
                    if row is not None and self._embedder is not None:
                        self._indexes.follow(connection, row, self._embedder)
            self._written.clear()
            point("close.followed")
            self._indexes.save()
            point("close.saved")
            self._database.tidy()
            point("close.tidied")
        except (ReadOnlyStoreError, StoreUnreachableError):
            # what is kept here can be made again
            pass
        finally:
            self._database.close()
