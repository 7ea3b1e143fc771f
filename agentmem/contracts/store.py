"""What agentmem asks of a store: where memory lives, and all that is ever asked of it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agentmem.contracts.values import (
    EventMentions,
    MaintenanceStep,
    Mention,
    Passage,
    PreparedEvent,
    Progress,
    Scored,
    Selection,
    StoredPassage,
    Vectors,
)
from agentmem.latents import LatentStore
from agentmem.types import (
    ArchiveReport,
    Edge,
    Entity,
    Episode,
    Event,
    ForgetReport,
    HistoryEntry,
    Lifecycle,
    Namespace,
    Note,
    Stats,
    Tier,
)


class Store(Protocol):
    """Where memory lives. Every call is for one namespace and never sees another.

    Safe to call from several threads, and several processes may open one store. Writes are atomic and
    durable when they return. Raises `StoreError` and its kin.
    """

    @property
    def url(self) -> str:
        """Where the store is, without secrets."""

    def meta(self, key: str) -> str | None:
        """A store-wide setting."""

    def bind_embedder(self, name: str, dims: int) -> None:
        """Record the embedder on first use. Raises `EmbedderMismatchError` for any other afterwards."""

    def namespaces(self, prefix: Namespace = ()) -> list[Namespace]:
        """Every namespace that starts with these parts, sorted."""

    def known(self, namespace: Namespace, events: Sequence[tuple[str | None, str]]) -> list[str | None]:
        """For each `(id, content_hash)` the stored event's id, or None; without an id, one that was given its own here.

        Raises `DuplicateIdError`.
        """

    def append(self, namespace: Namespace, events: Sequence[PreparedEvent]) -> list[tuple[str, bool]]:
        """Store in order; per event its id and whether it is new. All or nothing."""

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
        """Events in order of `seq`; `newest` takes the last `limit` instead of the first."""

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
        """Store a semantic memory; returns its id. Others of its line of versions end where it takes their place.

        With `confirm`, one that only says again what holds at that time anyhow is no version of its own: its sources
        are added to the one there, whose id is returned. `embedder` and `pieces` as in `PreparedEvent`. Raises
        `InvalidInputError` if a source is not in the namespace, `DuplicateIdError` if the id is taken.
        """

    def note(self, namespace: Namespace, note_id: str) -> Note | None:
        """One semantic memory, or None."""

    def notes(self, namespace: Namespace, *, at: datetime | None = None) -> list[Note]:
        """Semantic memories in order of recording: all, or those that held at a moment."""

    def history(self, namespace: Namespace, record_id: str) -> list[HistoryEntry]:
        """What happened to a record, oldest first."""

    def forget(
        self, namespace: Namespace, selection: Selection, *, at: datetime, dry_run: bool, vacuum: bool = False
    ) -> ForgetReport:
        """Remove what is selected with everything derived from it, and nothing else.

        `vacuum` also gives the room back to the disk.
        """

    def nearest(self, namespace: Namespace, vector: Vectors, k: int, *, embedder: str = "") -> list[Scored]:
        """Passages by cosine to a unit `[dims]` vector, best first.

        Raises `EmbedderMismatchError` where `embedder`, the maker of the vector, is named and is not the store's.
        """

    def match(self, namespace: Namespace, terms: Sequence[str], k: int) -> list[Scored]:
        """Passages by BM25 with this namespace's own statistics, best first."""

    def recent(self, namespace: Namespace, k: int, until: datetime | None = None) -> list[Scored]:
        """Passages of the last `k` events, newest first."""

    def passages(self, namespace: Namespace, keys: Sequence[int]) -> dict[int, StoredPassage]:
        """Passages by key; one that is gone is absent."""

    def neighbours(self, namespace: Namespace, seqs: Sequence[int]) -> list[StoredPassage]:
        """The first passage of each event at these positions."""

    def vectors_of(
        self, namespace: Namespace, keys: Sequence[int], *, embedder: str = ""
    ) -> dict[int, Vectors]:
        """Stored unit vectors `[dims]` by passage key; a passage without one is absent. Raises as `nearest` does."""

    def near_pieces(
        self, namespace: Namespace, keys: Sequence[int], query: Vectors, *, embedder: str = ""
    ) -> dict[int, Vectors]:
        """How near each piece `[Q, dims]` of a question comes to any piece of a passage: cosines `[Q]` by key.

        A passage without stored pieces is absent. Raises as `nearest` does.
        """

    def without_pieces(self, after: int, limit: int) -> list[tuple[int, str]]:
        """Keys and index texts of passages that have a vector but no pieces, in order of key, from after one on."""

    def add_pieces(self, keys: Sequence[int], found: Sequence[Vectors], *, embedder: str) -> None:
        """Store word pieces of passages; of one that is gone or has some already, nothing."""

    def unembedded(self, namespace: Namespace | None, limit: int) -> list[tuple[int, str]]:
        """Keys and index texts of passages that still need a vector."""

    def add_vectors(self, keys: Sequence[int], vectors: Vectors, *, embedder: str = "") -> None:
        """Attach vectors to passages. Raises `EmbedderMismatchError` as `nearest` does."""

    def replace_vectors(self, name: str, dims: int, batches: Iterator[tuple[list[int], Vectors]]) -> int:
        """Move the store to another embedder; the old vectors serve until the switch. Returns the count."""

    def passage_texts(self, batch: int, *, lacking: str) -> Iterator[list[tuple[int, str]]]:
        """Keys and index texts of the passages without a vector of the embedder `lacking`, in batches."""

    def count_lacking(self, embedder: str) -> int:
        """How many passages of the whole store have no vector of this embedder."""

    def progress(self, namespace: Namespace) -> Progress:
        """How far episodes and the graph follow the events."""

    def advance(
        self,
        namespace: Namespace,
        mentions: Sequence[EventMentions],
        episodes: Sequence[Episode],
        *,
        since: Progress,
        until: Progress,
    ) -> bool:
        """Enter what events name, and the episodes that are complete, in one step with how far that has come.

        False, and nothing done, where it has come further than `since` already, or an event of an episode was
        forgotten meanwhile.
        """

    def replace_episodes(self, namespace: Namespace, old: Sequence[Episode], new: Sequence[Episode]) -> bool:
        """Put episodes over the same events in the place of others, in one step. False, and nothing done, where
        the old ones have changed meanwhile."""

    def episodes(
        self,
        namespace: Namespace,
        *,
        ids: Sequence[str] | None = None,
        session: str | None = None,
        after_seq: int = -1,
        limit: int | None = None,
    ) -> list[Episode]:
        """Episodes that end after a position, in the order they begin."""

    def episode_of(self, namespace: Namespace, seqs: Sequence[int]) -> dict[int, str]:
        """Per position the id of the episode the event there is in; one in none is absent."""

    def in_scope(
        self, namespace: Namespace, *, tiers: Collection[Tier], at: datetime | None, now: datetime, limit: int
    ) -> list[int] | None:
        """Keys of the passages in these tiers that had happened, or for notes held, at a moment (where `at` is None,
        all events and the notes that hold `now`), in no order; None where there are more than `limit`."""

    def rebuild(self, namespace: Namespace) -> int:
        """Make passages and their terms anew from the events, and forget how far all else has come, so that it is
        derived again. Vectors of unchanged passages stay. Returns the count of events."""

    def entities(
        self, namespace: Namespace, names: Sequence[str] | None = None, limit: int | None = None
    ) -> list[Entity]:
        """Entities with these names (in any spelling, also an alias), or all; the most mentioned first."""

    def mentions_of(
        self, namespace: Namespace, nodes: Sequence[int], limit: int | None = None
    ) -> list[Mention]:
        """The passages that name these entities, under any of their names; the newest event first."""

    def mentions_in(self, namespace: Namespace, passages: Sequence[int]) -> list[Mention]:
        """The entities that these passages name."""

    def edges(self, namespace: Namespace, nodes: Sequence[int] | None = None) -> list[Edge]:
        """Edges that touch one of these entities, or all; those of an alias are its entity's."""

    def recalled(self, namespace: Namespace, events: Mapping[str, Sequence[datetime]]) -> None:
        """Strengthen events by the moments they were recalled at; ids that are gone are skipped."""

    def lifecycle(self, namespace: Namespace, now: datetime) -> Lifecycle:
        """How well a namespace is held at this moment, and in which precisions it is kept."""

    def maintain(self, namespace: Namespace, now: datetime, *, dry_run: bool) -> Iterator[MaintenanceStep]:
        """Lower vectors to what their retention asks for, a transaction a step; tell which should be finer."""

    def fade_latents(self, namespace: Namespace, now: datetime, *, dry_run: bool) -> tuple[int, int]:
        """Remove the latents whose events are little held; returns how many, and their bytes."""

    def raise_vectors(
        self, namespace: Namespace, keys: Sequence[int], rows: Vectors, *, embedder: str = ""
    ) -> int:
        """Put vectors made anew in place of coarser ones; returns how many were still there.

        Raises `EmbedderMismatchError` as `nearest` does.
        """

    def stats(self, namespace: Namespace) -> Stats:
        """What a namespace holds."""

    def export(
        self, path: Path, namespace: Namespace | None, *, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveReport:
        """Write one portable file: a namespace and those below it, or everything; tell `(done, total)` steps."""

    def restore(self, path: Path, *, progress: Callable[[int, int], None] | None = None) -> ArchiveReport:
        """Read an export into this store, all or nothing; what is already here is left as it is."""

    def discard(self) -> None:
        """Close it, and remove it if this opening made it and nothing was stored in it since."""

    def check(self, *, deep: bool = False) -> list[str]:
        """What is wrong with the store, a line each; empty when all is well.

        `deep` reads every row and compares what is derived with the events it comes from.
        """

    def latents(self, place: str | None = None) -> LatentStore:
        """The tensors kept for this store's episodes and events; `place` is remembered from then on."""

    def close(self) -> None:
        """Flush and release; a second call does nothing."""
