"""What agentmem asks of the parts a user may give: tokenizer, embedder, channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from agentmem.contracts.values import Scored, Vectors
from agentmem.types import Namespace

TextKind = Literal["document", "query"]


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
