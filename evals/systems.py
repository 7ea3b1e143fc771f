"""What is measured: agentmem through its public API, the plain baselines it must beat, and its peers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import ClassVar, Protocol

from agentmem.contracts import Embedder, Tokenizer
from agentmem.memory import Memory

from .baselines import Bm25, Dense, DenseBare, RankFusion
from .peer import Peer
from .peer_names import NAMES
from .task import Conversation, Packed

DEPTH = 100
_EVERYTHING = 10_000_000


class System(Protocol):
    """A memory under test, fresh for each conversation."""

    embeds: ClassVar[bool]
    """Whether it embeds a question to answer it."""

    def ingest(self, conversation: Conversation) -> None:
        """Store every turn."""

    def stored(self) -> set[str]:
        """Ids of the turns that can be found."""

    def rank(self, question: str, k: int) -> list[str]:
        """Ids of turns, best first, at most `k`."""

    def pack(self, question: str, budget_tokens: int) -> Packed:
        """A context within the budget."""

    def close(self) -> None:
        """Release it."""


Maker = Callable[[Embedder, Tokenizer, Path], System]


class AgentMem:
    """agentmem as a user has it: through `Memory` alone, one file per conversation."""

    embeds: ClassVar[bool] = True

    def __init__(self, embedder: Embedder, tokenizer: Tokenizer, folder: Path) -> None:
        self._memory = Memory(folder / "memory.db", embedder=embedder, tokenizer=tokenizer)

    def ingest(self, conversation: Conversation) -> None:
        self._memory.remember([turn.message() for turn in conversation.turns])

    def stored(self) -> set[str]:
        return {event.id for event in self._memory.events()}

    def rank(self, question: str, k: int) -> list[str]:
        return list(self._memory.recall(question, budget_tokens=_EVERYTHING, k=k).source_ids[:k])

    def pack(self, question: str, budget_tokens: int) -> Packed:
        start = perf_counter()
        found = self._memory.recall(question, budget_tokens=budget_tokens)
        seconds = perf_counter() - start
        return Packed(found.text, found.tokens, seconds - found.trace.embed_seconds)

    def close(self) -> None:
        self._memory.close()


class AgentMemAppend(AgentMem):
    """agentmem with contexts as `recall_stream` appends them: what went out first cannot be taken back."""

    def pack(self, question: str, budget_tokens: int) -> Packed:
        # like the others, timed without embedding
        self._memory.core.embedder.embed_pieces([question], "query")
        start = perf_counter()
        chunks = list(self._memory.recall_stream(question, budget_tokens=budget_tokens))
        return Packed("".join(chunk.text for chunk in chunks), chunks[-1].tokens, perf_counter() - start)


BASELINES: Mapping[str, Maker] = {"bm25": Bm25, "dense": Dense, "dense-bare": DenseBare, "rrf": RankFusion}
PEERS: Mapping[str, Maker] = {name: partial(Peer, name) for name in NAMES}
SYSTEMS: Mapping[str, Maker] = {
    "agentmem": AgentMem,
    "agentmem-append": AgentMemAppend,
    **BASELINES,
    **PEERS,
}
DEFAULT = ("agentmem", *BASELINES)
