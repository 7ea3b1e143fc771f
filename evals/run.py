"""Runs systems over a dataset, question by question. Knows nothing of files or tables.

Each conversation goes into fresh stores; each question is asked of every system before the next one, so that a run
cut short still compares them on the same questions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from agentmem.contracts import Tokenizer
from agentmem.embed.cache import CachedEmbedder
from agentmem.errors import PeerUnavailableError

from . import metrics
from .misses import miss
from .progress import Tell
from .systems import DEPTH, SYSTEMS, System
from .task import Conversation, Dataset, Packed, Question

# first, so that what is timed is a question that the store has not just answered
_TIMED_BUDGET = 1000


@dataclass(frozen=True, slots=True)
class Answered:
    """One question under one system."""

    system: str
    conversation: str
    question: Question
    scores: Mapping[str, float]
    ranked: tuple[str, ...]
    miss: str | None
    tokens: Mapping[int, int]

    def as_json(self) -> dict[str, Any]:
        """A line of the result file."""
        return {
            "system": self.system,
            "conversation": self.conversation,
            "question": self.question.text,
            "category": self.question.category,
            "evidence": self.question.evidence,
            "answer": self.question.answer,
            "ranked": self.ranked,
            "miss": self.miss,
            "tokens": self.tokens,
            "scores": self.scores,
        }


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of one recall, and those of embedding its question where the system does so."""

    recall: float
    embed: float


@dataclass(slots=True)
class Costs:
    """What a system took, over all conversations."""

    turns: int = 0
    ingest_seconds: float = 0.0
    size_bytes: int = 0
    timings: list[Timing] = field(default_factory=list)
    unavailable: str = ""
    """Why it could not be run; empty where it was."""


class Run:
    """One evaluation; `answers` may be stopped at any point and `costs` holds what was measured so far."""

    def __init__(
        self, dataset: Dataset, systems: Sequence[str], embedder: CachedEmbedder, tokenizer: Tokenizer
    ) -> None:
        self._dataset = dataset
        self._systems = systems
        self._embedder = embedder
        self._tokenizer = tokenizer
        self.costs = {name: Costs() for name in systems}

    def answers(self, limit: int | None, tell: Tell) -> Iterator[list[Answered]]:
        """For every question with evidence (the first `limit` of each conversation), what each system found."""
        chosen = [
            (conversation, [question for question in conversation.questions if question.evidence][:limit])
            for conversation in self._dataset.conversations
        ]
        total = sum(len(questions) for _, questions in chosen)
        done = 0
        for conversation, questions in chosen:
            with ExitStack() as stack:
                opened: dict[str, System] = {}
                for name in self._systems:
                    tell(f"{conversation.id}: {name} takes it in", done, total)
                    if (system := self._ingested(name, conversation, stack)) is not None:
                        opened[name] = system
                held = {name: system.stored() for name, system in opened.items()}
                for question in questions:
                    tell(f"{conversation.id}: asking", done, total)
                    yield self._ask(opened, held, conversation, question)
                    done += 1
                tell(f"{conversation.id}: done", done, total)

    def _ingested(self, name: str, conversation: Conversation, stack: ExitStack) -> System | None:
        """The system holding the conversation; None where it cannot be run."""
        costs = self.costs[name]
        if costs.unavailable:
            return None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="agentmem-eval-")))
        try:
            system = SYSTEMS[name](self._embedder, self._tokenizer, folder)
            stack.callback(system.close)
            # each system pays for its own vectors
            self._embedder.clear()
            start = perf_counter()
            system.ingest(conversation)
        except PeerUnavailableError as error:
            costs.unavailable = error.reason
            return None
        costs.ingest_seconds += perf_counter() - start
        costs.turns += len(conversation.turns)

        def weigh() -> None:
            costs.size_bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

        stack.callback(weigh)
        return system

    def _ask(
        self,
        systems: Mapping[str, System],
        held: Mapping[str, set[str]],
        conversation: Conversation,
        question: Question,
    ) -> list[Answered]:
        # embedded once for all; each system that embeds is charged the same time
        start = perf_counter()
        if any(system.embeds for system in systems.values()):
            self._embedder.embed([question.text], "query")
        embed_seconds = perf_counter() - start
        words = {turn.id: turn.words for turn in conversation.turns}
        wanted = {id_: words[id_] for id_ in question.evidence}
        answers = []
        for name, system in systems.items():
            packed = _packed(system, question.text)
            timing = Timing(packed[_TIMED_BUDGET].seconds, embed_seconds if system.embeds else 0.0)
            self.costs[name].timings.append(timing)
            ranked = tuple(system.rank(question.text, DEPTH))
            scores = metrics.of_ranking(ranked, question.evidence)
            for budget, context in packed.items():
                scores[f"verbatim@{budget}"] = metrics.verbatim(context.text, list(wanted.values()))
            cause = miss(wanted, held[name], ranked, packed[_TIMED_BUDGET].text)
            tokens = {budget: context.tokens for budget, context in packed.items()}
            answers.append(Answered(name, conversation.id, question, scores, ranked, cause, tokens))
        return answers


def _packed(system: System, question: str) -> dict[int, Packed]:
    timed = system.pack(question, _TIMED_BUDGET)
    return {
        budget: timed if budget == _TIMED_BUDGET else system.pack(question, budget)
        for budget in metrics.BUDGETS
    }
