"""The values of an evaluation: conversations, questions, and what a system found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

CATEGORIES: Mapping[int, str] = {
    1: "multi-hop",
    2: "temporal",
    3: "open-domain",
    4: "single-hop",
    5: "adversarial",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `words` is what must be found verbatim; `content` adds the caption of an image.

    Where an image came without words, its caption stands for them.
    """

    id: str
    session: str
    speaker: str
    at: datetime
    words: str
    content: str

    def message(self) -> dict[str, object]:
        """As `Memory.remember` takes it."""
        return {
            "id": self.id,
            "name": self.speaker,
            "content": self.content,
            "at": self.at,
            "session": self.session,
        }


@dataclass(frozen=True, slots=True)
class Question:
    """A question with the ids of the turns that answer it."""

    text: str
    category: int
    evidence: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """A dialogue in sessions, with its questions."""

    id: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Defects:
    """What was wrong in the data: evidence entries mended, entries naming no turn, questions left without
    evidence, and turns left out because they hold nothing or repeat an id."""

    mended: int = 0
    dangling: tuple[str, ...] = ()
    without_evidence: int = 0
    turns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """Conversations, where they come from, and what was wrong with them."""

    name: str
    source: str
    conversations: tuple[Conversation, ...]
    defects: Defects


@dataclass(frozen=True, slots=True)
class Packed:
    """A context that a system made for a question. `seconds` leaves out embedding the question."""

    text: str
    tokens: int
    seconds: float
