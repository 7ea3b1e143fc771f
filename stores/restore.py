"""How an export is taken into a store: all or nothing, and what is already here stays."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from agentmem.config import check_namespace
from agentmem.contracts import PreparedEvent
from agentmem.errors import AgentMemError, ArchiveError, DuplicateIdError, NamespaceError
from agentmem.faults import point
from agentmem.types import ArchiveReport, Episode, Namespace, NewEvent, Note
from agentmem.write.passages import event_passages, note_passage

from . import archive, carried_episodes, lines, log, namespaces, notes, recalls, vectors
from .carried_items import Incoming as IncomingItems
from .carried_latents import Incoming as IncomingLatents
from .carried_vectors import Incoming as IncomingVectors
from .latents import SqlLatents
from .parts import Database
from .steps import Steps, Tell

_BATCH = 1000


def restore(
    database: Database, path: Path, latents: SqlLatents | None, tell: Tell | None
) -> tuple[ArchiveReport, tuple[int, int] | None]:
    """Take in an export. Returns what was taken, and the embedder in use.

    Vectors are taken where the store has the same embedder or none yet; else they are made anew later.

    Args:
        latents: who keeps them; None leaves them out, and says so.
        tell: is told `(done, total)` steps.
    """
    reader = archive.Reader(path)
    point("restore.checked")
    incoming = IncomingLatents(reader, latents)
    try:
        with database.write() as connection:
            embedder, usable = _settle_embedder(connection, reader)
            given = IncomingVectors(connection, reader, embedder if usable else None)
            restorer = _Restorer(connection, reader, given, incoming)
            restorer.run(Steps(tell, _total(reader)))
            point("restore.taken")
        point("restore.committed")
    except BaseException as error:
        incoming.undo()
        damaged = isinstance(error, LookupError | TypeError | ValueError | AttributeError | OverflowError)
        if isinstance(error, NamespaceError) or (damaged and not isinstance(error, AgentMemError)):
            raise ArchiveError(f"{path} is damaged, nothing was taken from it: {error!r}") from error
        raise
    finally:
        reader.close()
    return restorer.report(path), embedder


def _settle_embedder(connection: Connection, reader: archive.Reader) -> tuple[tuple[int, int] | None, bool]:
    """The embedder in use, the export's own in a store without one; and whether the export's vectors are its."""
    name, dims = reader.manifest["embedder"], int(reader.manifest["dims"])
    active = vectors.active_embedder(connection)
    if active is None and name is not None:
        vectors.bind(connection, name, dims)
        active = vectors.active_embedder(connection)
    if active is None:
        return None, False
    if active[1] == name and active[2] != dims:
        raise ValueError(f"{name} has {active[2]} dims, not {dims}")
    return (active[0], active[2]), active[1] == name


def _total(reader: archive.Reader) -> int:
    counts = reader.manifest["counts"]
    return sum(int(counts[kind]) for kind in ("events", "memories", "items"))


@dataclass(slots=True)
class _Space:
    """The namespace whose records are read: where it is, and how far its events go.

    One that has none yet gets them at the positions they had; `is_new` says so.
    """

    name: Namespace
    pk: int
    is_new: bool
    next_seq: int
    position: int = 0
    episodes: list[Episode] = field(default_factory=list)

    def skip_to(self, connection: Connection, seq: int) -> None:
        """Leave out the positions before `seq`. Raises `ValueError` where it lies behind, or beyond the last."""
        if not self.position <= seq <= self.next_seq:
            raise ValueError(f"position {seq!r} is out of order")
        namespaces.count(connection, self.pk, seqs=seq - self.position)
        self.position = seq


class _Restorer:
    """Reads records in order, with the streams of vectors beside them."""

    def __init__(
        self,
        connection: Connection,
        reader: archive.Reader,
        vectors: IncomingVectors,
        latents: IncomingLatents,
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._vectors = vectors
        self._space: _Space | None = None
        self._events: list[PreparedEvent] = []
        self._lives: dict[str, list[float | int]] = {}
        self._lines: dict[tuple[int, str], datetime] = {}
        self._items = IncomingItems(connection, reader)
        self._latents = latents
        self._counts = archive.Counts()
        self._seen = archive.Counts()

    def run(self, steps: Steps) -> None:
        """Take every record."""
        take = {
            "event": self._take_event,
            "note": self._take_note,
            "change": self._take_change,
            "episode": self._take_episode,
            "derived": self._take_derived,
            "latent": self._take_latent,
        }
        for record in self._reader.records():
            kind = record.pop("type")
            if kind != "event":
                self._flush()
            if kind == "namespace":
                self._enter(record)
            elif kind == "item":
                self._items.take(record)
                self._seen.items += 1
            elif self._space is None:
                raise ValueError(f"{kind} outside a namespace")
            else:
                take[kind](record, self._space)
            if kind in ("event", "note", "item"):
                steps.advance(1)
        self._flush()
        self._settle()
        self._items.flush()
        self._counts.items = self._items.taken

    def report(self, path: Path) -> ArchiveReport:
        """What was taken, what was here already, and what was left out."""
        counts, seen = self._counts, self._seen
        counts.latents = self._latents.taken
        here = sum(getattr(seen, kind) - getattr(counts, kind) for kind in ("events", "memories", "items"))
        left = self._latents.left_out
        left_out = (
            (f"{left} latent{'s' if left > 1 else ''}: say where they go, latents=..., a folder or a URL",)
            if left
            else ()
        )
        size = path.stat().st_size
        return ArchiveReport(str(path), size_bytes=size, known=here, left_out=left_out, **asdict(counts))

    def _enter(self, record: dict[str, Any]) -> None:
        name = check_namespace(record["path"])
        row = namespaces.find_or_add(self._connection, name)
        self._space = _Space(name, row.pk, row.next_seq == 0, int(record["next_seq"]))
        self._counts.namespaces += 1

    def _take_event(self, record: dict[str, Any], space: _Space) -> None:
        if space.is_new and record["seq"] != space.position:
            # what was forgotten there keeps its neighbours apart
            self._flush()
            space.skip_to(self._connection, record["seq"])
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
        rows = self._vectors.take(record, len(passages))
        space.position += 1
        if record["life"] is not None:
            self._lives[record["id"]] = record["life"]
        recorded_at = datetime.fromisoformat(record["recorded_at"])
        self._events.append(
            PreparedEvent(
                event,
                record["content_hash"],
                record["token_count"],
                recorded_at,
                occurred_at,
                passages,
                rows,
            )
        )
        if len(self._events) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if not self._events or self._space is None:
            return
        outcome = log.append(self._connection, self._space.name, self._events, self._vectors.embedder_pk)
        new = [id_ for id_, is_new in outcome if is_new]
        self._vectors.stored(self._space.pk, new)
        lives = {id_: self._lives[id_] for id_ in new if id_ in self._lives}
        recalls.take_lives(self._connection, self._space.pk, lives)
        self._lives = {}
        self._counts.events += len(new)
        self._seen.events += len(outcome)
        self._counts.vectors += sum(
            0 if event.vectors is None else len(event.vectors)
            for event, (_, is_new) in zip(self._events, outcome, strict=True)
            if is_new
        )
        self._events = []
        point("restore.events_taken")

    def _take_note(self, record: dict[str, Any], space: _Space) -> None:
        self._seen.memories += 1
        rows = self._vectors.take(record, 1)
        del record["vectors"], record["pieces"]
        for time in ("valid_from", "valid_to", "recorded_at", "superseded_at", "stated_to"):
            record[time] = None if record[time] is None else datetime.fromisoformat(record[time])
        record["source_ids"] = tuple(record["source_ids"])
        note = Note(namespace=space.name, **record)
        try:
            with self._connection.begin_nested():
                notes.add(
                    self._connection,
                    note,
                    note_passage(note),
                    None if rows is None else rows[0],
                    self._vectors.embedder_pk,
                )
        except DuplicateIdError:
            return
        self._noted(space, note)
        self._vectors.stored(space.pk, [note.id])
        self._counts.memories += 1
        self._counts.vectors += rows is not None
        point("restore.note_taken")

    def _noted(self, space: _Space, note: Note) -> None:
        key = lines.key_of(self._connection, space.pk, note.id)
        if key is not None:
            at = self._lines.get((space.pk, key), note.recorded_at)
            self._lines[space.pk, key] = max(at, note.recorded_at)

    def _settle(self) -> None:
        """Lines are settled once all their versions are here, or each would look changed in between."""
        for (namespace_pk, key), at in self._lines.items():
            lines.settle(self._connection, namespace_pk, key, at)

    def _take_change(self, record: dict[str, Any], space: _Space) -> None:
        at = datetime.fromisoformat(record["at"])
        entries = notes.changes_of(self._connection, space.pk, [record["id"]])
        if not any(entry.action == record["action"] and entry.at == at for entry in entries):
            notes.record(self._connection, space.pk, [record["id"]], record["action"], at, record["detail"])

    def _take_episode(self, record: dict[str, Any], space: _Space) -> None:
        space.episodes.append(carried_episodes.to_episode(space.name, record))

    def _take_derived(self, record: dict[str, Any], space: _Space) -> None:
        """After all events and episodes of a namespace."""
        if space.is_new:
            space.skip_to(self._connection, space.next_seq)
        row = namespaces.find_or_add(self._connection, space.name)
        if space.is_new:
            self._counts.episodes += carried_episodes.take(
                self._connection, space.name, row, space.episodes, record
            )
        else:
            carried_episodes.take_lives(self._connection, row, space.episodes)
        point("restore.episodes_taken")

    def _take_latent(self, record: dict[str, Any], space: _Space) -> None:
        self._latents.take(self._connection, space.name, record)
