"""What an export holds of a store, and how it is taken in again. The file format is `archive`'s."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from agentmem.clock import from_micros
from agentmem.config import check_namespace
from agentmem.contracts import PreparedEvent, Vectors
from agentmem.errors import AgentMemError, ArchiveError, DuplicateIdError, NamespaceError
from agentmem.faults import point
from agentmem.types import ArchiveReport, Event, Namespace, NewEvent, Note
from agentmem.versions import version_key
from agentmem.write.passages import event_passages, note_passage

from . import archive, lines, log, namespaces, notes, schema, vectors
from .chunks import chunks
from .parts import Database
from .records import sources_of, to_event, to_note

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
V = schema.vectors.c
_BATCH = 1000


def export(connection: Connection, path: Path, namespace: Namespace | None) -> ArchiveReport:
    """Write a namespace and those below it, or everything, from one snapshot."""
    chosen = namespaces.below(connection, namespace or ())
    rows = {name: row.pk for name in chosen if (row := namespaces.find(connection, name)) is not None}
    active = vectors.active_embedder(connection)
    embedder_pk, dims = (None, 0) if active is None else (active[0], active[2])
    header = {"embedder": None if active is None else active[1], "dims": dims}
    counts = archive.Counts(
        len(rows),
        sum(_count(connection, schema.events, pk) for pk in rows.values()),
        sum(_count(connection, schema.memories, pk) for pk in rows.values()),
    )
    vector_keys: list[int] = []

    def records() -> Iterator[Mapping[str, Any]]:
        for name, pk in rows.items():
            yield {"type": "namespace", "path": name}
            for record, keys in _event_records(connection, name, pk, embedder_pk):
                vector_keys.extend(keys)
                yield record
            for record, keys in _note_records(connection, name, pk, embedder_pk):
                vector_keys.extend(keys)
                yield record
            yield from _change_records(connection, pk)

    def batches() -> Iterator[Vectors]:
        for chunk in chunks(vector_keys):
            keys, data = vectors.of_passages(connection, embedder_pk or 0, chunk, max(dims, 1))
            place = {int(key): i for i, key in enumerate(keys)}
            yield data[[place[key] for key in chunk]]

    return archive.write(path, header, records(), batches, counts)


def _count(connection: Connection, table: Any, namespace_pk: int) -> int:
    statement = select(func.count()).select_from(table).where(table.c.namespace_pk == namespace_pk)
    return int(connection.execute(statement).scalar_one())


def _vector_keys(
    connection: Connection, owner: Any, pks: list[int], embedder_pk: int | None
) -> dict[int, list[int]]:
    """Per owner the keys of its passages, if every one has a vector; else an empty list."""
    found: dict[int, list[int | None]] = {pk: [] for pk in pks}
    for chunk in chunks(pks):
        rows = connection.execute(
            select(owner, V.passage_pk)
            .select_from(schema.passages)
            .outerjoin(schema.vectors, (V.passage_pk == P.pk) & (V.embedder_pk == embedder_pk))
            .where(owner.in_(chunk))
            .order_by(P.pk)
        )
        for owner_pk, key in rows:
            found[owner_pk].append(key)
    return {
        pk: [key for key in keys if key is not None] if None not in keys else [] for pk, keys in found.items()
    }


def _event_records(
    connection: Connection, name: Namespace, pk: int, embedder_pk: int | None
) -> Iterator[tuple[Mapping[str, Any], list[int]]]:
    last = -1
    while rows := connection.execute(
        select(schema.events).where(E.namespace_pk == pk, E.seq > last).order_by(E.seq).limit(_BATCH)
    ).all():
        last = rows[-1].seq
        keys = _vector_keys(connection, P.event_pk, [row.pk for row in rows], embedder_pk)
        for row in rows:
            event = to_event(row, name)
            yield {"type": "event", **_fields(event), "vectors": len(keys[row.pk])}, keys[row.pk]


def _note_records(
    connection: Connection, name: Namespace, pk: int, embedder_pk: int | None
) -> Iterator[tuple[Mapping[str, Any], list[int]]]:
    rows = connection.execute(select(schema.memories).where(M.namespace_pk == pk).order_by(M.pk)).all()
    sources = sources_of(connection, [row.pk for row in rows])
    keys = _vector_keys(connection, P.memory_pk, [row.pk for row in rows], embedder_pk)
    for row in rows:
        note = to_note(row, name, sources[row.pk])
        yield {"type": "note", **_fields(note), "vectors": len(keys[row.pk])}, keys[row.pk]


def _change_records(connection: Connection, pk: int) -> Iterator[Mapping[str, Any]]:
    columns = schema.changes.c
    for row in connection.execute(
        select(schema.changes).where(columns.namespace_pk == pk).order_by(columns.pk)
    ):
        yield {
            "type": "change",
            "id": row.record_id,
            "action": row.action,
            "at": from_micros(row.at),
            "detail": row.detail,
        }


def _fields(value: Event | Note) -> dict[str, Any]:
    names = value.__dataclass_fields__
    return {name: getattr(value, name) for name in names if name not in ("namespace", "seq")}


def restore(database: Database, path: Path) -> tuple[ArchiveReport, tuple[int, int] | None]:
    """Take in an export, all or nothing; what is already here stays. Returns the embedder in use, too.

    Vectors are taken where the store has the same embedder or none yet; else they are made anew later.
    """
    reader = archive.Reader(path)
    point("restore.checked")
    try:
        name, dims = reader.manifest["embedder"], int(reader.manifest["dims"])
        with database.write() as connection:
            active = vectors.active_embedder(connection)
            if active is None and name is not None:
                vectors.bind(connection, name, dims)
                active = vectors.active_embedder(connection)
            usable = active is not None and active[1:] == (name, dims)
            counts = _Restorer(connection, reader, active[0] if active and usable else None, dims).run()
            point("restore.taken")
        point("restore.committed")
        embedder = None if active is None else (active[0], active[2])
        report = ArchiveReport(
            str(path), counts.namespaces, counts.events, counts.memories, path.stat().st_size
        )
        return report, embedder
    except AgentMemError as error:
        if not isinstance(error, NamespaceError):
            raise
        raise ArchiveError(f"{path} is damaged, nothing was taken from it: {error!r}") from error
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ArchiveError(f"{path} is damaged, nothing was taken from it: {error!r}") from error
    finally:
        reader.close()


class _Restorer:
    """Reads records in order, with the stream of vectors beside them."""

    def __init__(
        self, connection: Connection, reader: archive.Reader, embedder_pk: int | None, dims: int
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._embedder_pk = embedder_pk
        self._vectors = self._rows(dims)
        self._namespace: Namespace = ()
        self._events: list[PreparedEvent] = []
        self._lines: dict[tuple[int, str], datetime] = {}
        self._counts = [0, 0, 0]

    def _rows(self, dims: int) -> Iterator[Vectors]:
        for batch in self._reader.vectors(max(dims, 1), _BATCH):
            yield from batch

    def run(self) -> archive.Counts:
        take = {
            "namespace": self._take_namespace,
            "event": self._take_event,
            "note": self._take_note,
            "change": self._take_change,
        }
        for record in self._reader.records():
            kind = record.pop("type")
            if kind != "event":
                self._flush()
            take[kind](record)
            if len(self._events) >= _BATCH:
                self._flush()
        self._flush()
        self._settle()
        return archive.Counts(*self._counts)

    def _take_vectors(self, count: int) -> Vectors | None:
        rows = list(itertools.islice(self._vectors, count))
        if len(rows) < count:
            raise ValueError("vectors are missing")
        return np.stack(rows) if rows and self._embedder_pk is not None else None

    def _take_namespace(self, record: dict[str, Any]) -> None:
        self._namespace = check_namespace(record["path"])
        namespaces.find_or_add(self._connection, self._namespace)
        self._counts[0] += 1

    def _take_event(self, record: dict[str, Any]) -> None:
        occurred_at = datetime.fromisoformat(record["occurred_at"])
        event = NewEvent(
            record["id"],
            record["session"],
            record["role"],
            record["name"],
            record["content"],
            occurred_at,
            record["metadata"],
        )
        passages = event_passages(event.name or event.role, occurred_at, event.content)
        rows = self._take_vectors(record["vectors"])
        if rows is not None and len(rows) != len(passages):
            rows = None
        recorded_at = datetime.fromisoformat(record["recorded_at"])
        self._events.append(
            PreparedEvent(
                event, record["content_hash"], record["token_count"], recorded_at, occurred_at, passages, rows
            )
        )

    def _flush(self) -> None:
        if self._events:
            outcome = log.append(self._connection, self._namespace, self._events, self._embedder_pk)
            self._counts[1] += sum(new for _, new in outcome)
            point("restore.events_taken")
            self._events = []

    def _take_note(self, record: dict[str, Any]) -> None:
        rows = self._take_vectors(record.pop("vectors"))
        # exports from before lines of versions say neither
        record.setdefault("stated_to", record["valid_to"])
        record.setdefault("exclusive", version_key(record["subject"], record["predicate"]) is not None)
        for field in ("valid_from", "valid_to", "recorded_at", "superseded_at", "stated_to"):
            record[field] = None if record[field] is None else datetime.fromisoformat(record[field])
        record["source_ids"] = tuple(record["source_ids"])
        note = Note(namespace=self._namespace, **record)
        try:
            with self._connection.begin_nested():
                pk = notes.add(
                    self._connection,
                    note,
                    note_passage(note),
                    None if rows is None else rows[0],
                    self._embedder_pk,
                )
            self._noted(pk, note)
            self._counts[2] += 1
            point("restore.note_taken")
        except DuplicateIdError:
            return

    def _noted(self, namespace_pk: int, note: Note) -> None:
        key = lines.key_of(self._connection, namespace_pk, note.id)
        if key is not None:
            at = self._lines.get((namespace_pk, key), note.recorded_at)
            self._lines[namespace_pk, key] = max(at, note.recorded_at)

    def _settle(self) -> None:
        """Lines are settled once all their versions are here, or each would look changed in between."""
        for (namespace_pk, key), at in self._lines.items():
            lines.settle(self._connection, namespace_pk, key, at)

    def _take_change(self, record: dict[str, Any]) -> None:
        row = namespaces.find_or_add(self._connection, self._namespace)
        at = datetime.fromisoformat(record["at"])
        entries = notes.changes_of(self._connection, row.pk, [record["id"]])
        if not any(entry.action == record["action"] and entry.at == at for entry in entries):
            notes.record(self._connection, row.pk, [record["id"]], record["action"], at, record["detail"])
