"""What one recall is asked, checked before it comes here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from agentmem.read.split import Splitter
from agentmem.types import Namespace, Tier

# who proposes candidates, and what is done with them that may be left undone
CHANNELS = ("dense", "lexical", "recent")
STAGES = ("neighbours", "late", "weights")
ALL_TIERS: tuple[Tier, ...] = ("window", "episode", "semantic")


@dataclass(frozen=True, slots=True)
class Request:
    """A question with its limits; see `Memory.recall` for what they mean."""

    namespace: Namespace
    text: str
    budget_tokens: int
    at: datetime | None = None
    k: int | None = None
    tiers: tuple[Tier, ...] = ALL_TIERS
    explain: bool = False
    min_relevance: float = 0.0
    coverage: float = 1.0
    gate: bool = False
    without: frozenset[str] = frozenset()
    reread: int = 0
    splitter: Splitter | None = None
