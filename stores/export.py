"""What an export holds of a store, read from one snapshot. The file format is `archive`'s."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from agentmem.clock import SystemClock, from_micros, to_micros
from agentmem.faults import point
from agentmem.types import ArchiveReport, Event, Namespace, Note

from . import (
    archive,
    carried_episodes,
    carried_items,
    carried_latents,
    carried_vectors,
    namespaces,
    recalls,
    schema,
)
from .carried_vectors import Place
from .latents import SqlLatents
from .records import sources_of, to_event, to_note
from .steps import Steps, Tell

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
V = schema.vectors.c
_BATCH = 1000
_Life = tuple[float, int, int]


def export(
    connection: Connection,
    path: Path,
    namespace: Namespace | None,
    latents: SqlLatents | None,
    tell: Tell | None,
) -> ArchiveReport:
    """Write a namespace and those below it, or everything.

    Args:
        latents: who reads them, where the store has any.
        tell: is told `(done, total)` steps.
    """
    rows = {
        name: row
        for name in namespaces.below(connection, namespace or ())
        if (row := namespaces.find(connection, name))
    }
    outgoing = carried_items.Outgoing(connection, namespace or (), to_micros(SystemClock().now()))
    total = sum(_count(connection, row.pk) for row in rows.values()) + outgoing.count
    with archive.writing(path) as out:
        exporter = _Exporter(connection, out, Steps(tell, total))
        if latents is not None:
            exporter.take_latents(latents, list(rows))
        exporter.run(rows, outgoing)
    counts = exporter.counts
    return ArchiveReport(
        str(path), size_bytes=path.stat().st_size, left_out=tuple(exporter.left_out), **asdict(counts)
    )


def _count(connection: Connection, namespace_pk: int) -> int:
    """How many steps a namespace is: its events, notes and vectors."""
    return sum(
        int(
            connection.execute(
                select(func.count()).select_from(table).where(table.c.namespace_pk == namespace_pk)
            ).scalar_one()
        )
        for table in (schema.events, schema.memories, schema.vectors)
    )


class _Exporter:
    """Writes records in order, and gathers which vectors go with them."""

    def __init__(self, connection: Connection, out: archive.Writer, steps: Steps) -> None:
        self._connection = connection
        self._out = out
        self._steps = steps
        self._vectors = carried_vectors.Outgoing(connection)
        self._latents: dict[Namespace, list[Mapping[str, Any]]] = {}
        self.counts = archive.Counts()
        self.left_out: list[str] = []

    def take_latents(self, latents: SqlLatents, chosen: Sequence[Namespace]) -> None:
        """Write the latents themselves; one that is damaged stays behind, and is told of."""
        self._latents, self.left_out = carried_latents.write(self._connection, latents, chosen, self._out)
        self.counts.latents = sum(map(len, self._latents.values()))
        point("export.latents_written")

    def run(self, rows: Mapping[Namespace, namespaces.NamespaceRow], items: carried_items.Outgoing) -> None:
        """Write the rest, the manifest last."""
        self._out.records(self._records(rows, items))
        point("export.records_written")
        self._vectors.write(self._out, self._steps)
        point("export.vectors_written")
        items.write_vectors(self._out)
        self._out.finish({**self._vectors.header, "items": items.header, "counts": asdict(self.counts)})

    def _records(
        self, rows: Mapping[Namespace, namespaces.NamespaceRow], items: carried_items.Outgoing
    ) -> Iterator[Mapping[str, Any]]:
        for name, row in rows.items():
            self.counts.namespaces += 1
            yield {"type": "namespace", "path": name, "next_seq": row.next_seq}
            yield from self._steps.counted(self._told(name, row.pk))
            yield from _change_records(self._connection, row.pk)
            for record in carried_episodes.records(self._connection, name, row):
                self.counts.episodes += record["type"] == "episode"
                yield record
            yield from self._latents.get(name, ())
        for record in self._steps.counted(items.records()):
            self.counts.items += 1
            yield record

    def _told(self, name: Namespace, pk: int) -> Iterator[Mapping[str, Any]]:
        """Events and notes in the order in which they were indexed, on which the order of equals rests."""
        notes = self._notes(name, pk)
        note = next(notes, None)
        for event, life, found in self._events(name, pk):
            while note is not None and note.last_source < event.seq and note.vectors[:1] < found[:1]:
                yield self._note_record(note)
                note = next(notes, None)
            self.counts.events += 1
            yield {"type": "event", **_fields(event), "life": life, **self._take(found)}
        while note is not None:
            yield self._note_record(note)
            note = next(notes, None)

    def _note_record(self, found: _FoundNote) -> Mapping[str, Any]:
        self.counts.memories += 1
        return {"type": "note", **_fields(found.note), **self._take(found.vectors)}

    def _take(self, places: Sequence[Place]) -> dict[str, list[Any]]:
        taken = self._vectors.take(places)
        self.counts.vectors += len(taken["vectors"])
        return taken

    def _events(self, name: Namespace, pk: int) -> Iterator[tuple[Event, _Life | None, list[Place]]]:
        last = -1
        while rows := self._connection.execute(
            select(schema.events).where(E.namespace_pk == pk, E.seq > last).order_by(E.seq).limit(_BATCH)
        ).all():
            last = rows[-1].seq
            found = self._vectors.places(P.event_pk, [row.pk for row in rows])
            lives = recalls.lives_of(self._connection, [row.pk for row in rows])
            for row in rows:
                yield to_event(row, name), lives.get(row.pk), found[row.pk]

    def _notes(self, name: Namespace, pk: int) -> Iterator[_FoundNote]:
        last_sources, last = self._last_sources(pk), 0
        while rows := self._connection.execute(
            select(schema.memories).where(M.namespace_pk == pk, M.pk > last).order_by(M.pk).limit(_BATCH)
        ).all():
            last = rows[-1].pk
            sources = sources_of(self._connection, [row.pk for row in rows])
            found = self._vectors.places(P.memory_pk, [row.pk for row in rows])
            for row in rows:
                note = to_note(row, name, sources[row.pk])
                yield _FoundNote(note, last_sources.get(row.pk, -1), found[row.pk])

    def _last_sources(self, namespace_pk: int) -> dict[int, int]:
        """Per note the position of the last event it rests on."""
        link = schema.sources.c
        rows = self._connection.execute(
            select(link.memory_pk, func.max(E.seq))
            .join(schema.events, E.pk == link.event_pk)
            .where(link.namespace_pk == namespace_pk)
            .group_by(link.memory_pk)
        )
        return {row[0]: row[1] for row in rows}


class _FoundNote(NamedTuple):
    """A note, the position of the last event it rests on (-1 for none), and its vector."""

    note: Note
    last_source: int
    vectors: list[Place]


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
    return {name: getattr(value, name) for name in names if name != "namespace"}
