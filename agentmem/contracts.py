"""What agentmem asks of the parts it is given: embedder, tokenizer, store, channel.

Each contract says what a caller may rely on. Nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from agentmem.latents import LatentStore
from agentmem.types import (
    ArchiveReport,
    Edge,
    Entity,
    EntityKind,
    Episode,
    Event,
    ForgetReport,
    HistoryEntry,
    Lifecycle,
    Namespace,
    NewEvent,
    Note,
    Stats,
    Tier,
)

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Vectors = NDArray[np.float32]
TextKind = Literal["document", "query"]
OwnerKind = Literal["event", "memory"]
Precision = Literal["float32", "int8", "int4", "binary"]


class Tokenizer(Protocol):
    """Counts tokens. `count(a + b) <= count(a) + count(b)` must hold where `a` ends in a newline."""

    @property
    def name(self) -> str:
        """What budgets are stated in."""

    def count(self, text: str) -> int:
        """Tokens in `text`; 0 for the empty string."""


class Embedder(Protocol):
    """Turns texts into unit vectors. Must be deterministic and callable from several threads."""

    @property
    def name(self) -> str:
        """Identifies the vector space: two embedders of one name must be interchangeable."""

    @property
    def dims(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), dims]`, float32. Raises `EmbedderError` where the model fails."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A span of an event's content (or a whole note), as it is indexed: the unit of ranking."""

    start: int
    end: int
    terms: tuple[str, ...]
    index_text: str


@dataclass(frozen=True, slots=True)
class PreparedEvent:
    """An event ready to store: everything slow (hash, tokens, terms, vectors) already done.

    `embedder` names what made the vectors; where it is named and the store has moved to another one meanwhile,
    the vectors are not taken. `pieces` are the word pieces of each passage, where the embedder gives them.
    """

    event: NewEvent
    content_hash: str
    token_count: int
    recorded_at: datetime
    occurred_at: datetime
    passages: tuple[Passage, ...]
    vectors: Vectors | None
    embedder: str = ""
    pieces: tuple[Vectors, ...] | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """A passage's key and a score; higher is better."""

    passage: int
    score: float


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage read back with what it belongs to. `seq` is -1 for notes."""

    key: int
    owner: OwnerKind
    owner_id: str
    session: str | None
    seq: int
    speaker: str | None
    content: str
    span: tuple[int, int] | None
    kind: str
    at: datetime
    source_ids: tuple[str, ...]
    valid_to: datetime | None = None
    gaps: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def text(self) -> str:
        """The passage's own words, verbatim."""
        return self.content if self.span is None else self.content[self.span[0] : self.span[1]]

    def holds(self, moment: datetime) -> bool:
        """Whether it had happened by then and, for a note, was still true: not ended, nor in one of its `gaps`."""
        if moment < self.at or (self.valid_to is not None and moment >= self.valid_to):
            return False
        return not any(start <= moment < end for start, end in self.gaps)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records a scoped operation is about; the given conditions are all required."""

    ids: tuple[str, ...] | None = None
    session: str | None = None
    before: datetime | None = None
    about: str | None = None
    everything: bool = False


@dataclass(frozen=True, slots=True)
class FoundMention:
    """A name found in an event: its folded form, how it is written, and where it first stands (-1: the speaker)."""

    key: str
    surface: str
    kind: EntityKind
    start: int


@dataclass(frozen=True, slots=True)
class EventMentions:
    """What the event at a position names."""

    seq: int
    mentions: tuple[FoundMention, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity in a passage. `node` is that of the entity, whichever of its names stands there."""

    node: int
    passage: int
    event_id: str
    seq: int
    kind: EntityKind


@dataclass(frozen=True, slots=True)
class Progress:
    """How far what is derived follows the events of a namespace, as positions.

    All before `derived` have been read; all before `open` are in an episode; `next` is where the next event will
    be. `state` is the segmentation's own, and JSON.
    """

    derived: int
    open: int
    next: int
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MaintenanceStep:
    """A stretch of vectors that was looked at: how many fell to which precision, and what must be made anew."""

    seen: int
    lowered: Mapping[Precision, int]
    rising: int
    texts: tuple[tuple[int, str], ...]


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
        """For each `(id, content_hash)` the stored event's id, or None. Raises `DuplicateIdError`."""

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


class Running(Protocol[T_co]):
    """Code that runs beside the one that asked for it."""

    def result(self) -> T_co:
        """Wait for what it returns; what it raises is raised here."""


class Executor(Protocol):
    """Runs code beside the code that asks."""

    def submit(self, act: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Running[T]:
        """Start `act`."""


class AsyncBridge(Executor, Protocol):
    """Lets synchronous code run on an event loop: where the code waits, the loop goes on.

    Everything but `run` is called from code that `run` runs.
    """

    @property
    def store(self) -> Store:
        """The store whose calls wait this way."""

    async def run(self, act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run synchronous code on the running loop."""

    def in_thread(self, act: Callable[[], T]) -> T:
        """Compute in a thread and wait for it."""

    def lock(self) -> AbstractContextManager[object]:
        """A lock for code on this loop, which may be held while waiting."""

    def shutdown(self) -> None:
        """Let the threads go."""


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the channels see it. `vector` is None where embedding failed or is not wanted.

    `embedder` names what made the vector.
    """

    text: str
    namespace: Namespace
    terms: tuple[str, ...]
    vector: Vectors | None
    at: datetime | None
    embedder: str = ""


class Channel(Protocol):
    """One way to propose evidence."""

    @property
    def name(self) -> str:
        """Shown in traces and used for weights."""

    def propose(self, query: Query, k: int) -> Sequence[Scored]:
        """At most `k` passages, best first."""
