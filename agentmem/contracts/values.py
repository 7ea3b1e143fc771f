"""What passes between a memory and its store: passages, what is found of them, and how far derivation has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentmem.types import EntityKind, NewEvent

Vectors = NDArray[np.float32]
OwnerKind = Literal["event", "memory"]
Precision = Literal["float32", "int8", "int4", "binary"]


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
