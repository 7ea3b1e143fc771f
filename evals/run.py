"""Runs systems over a dataset, question by question. Knows nothing of files or tables.

Each conversation goes into a fresh store; each question is asked once for the ranking and once per budget.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from agentmem.contracts import Embedder, Tokenizer

from . import metrics
from .systems import DEPTH, SYSTEMS, System
from .task import Conversation, Dataset, Packed, Question

Progress = Callable[[str, int, int], None]


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
            "ranked": self.ranked[:20],
            "miss": self.miss,
            "tokens": self.tokens,
            "scores": {name: round(value, 4) for name, value in self.scores.items()},
        }


@dataclass(slots=True)
class Costs:
    """What a system took, over all conversations."""

    turns: int = 0
    ingest_seconds: float = 0.0
    size_bytes: int = 0
    recall_seconds: list[float] = field(default_factory=list)
    embed_seconds: list[float] = field(default_factory=list)


class Run:
    """One evaluation; `answers` may be stopped at any point and `costs` holds what was measured so far."""

    def __init__(
        self, dataset: Dataset, systems: Sequence[str], embedder: Embedder, tokenizer: Tokenizer
    ) -> None:
        self._dataset = dataset
        self._systems = systems
        self._embedder = embedder
        self._tokenizer = tokenizer
        self.costs = {name: Costs() for name in systems}

    def answers(self, limit: int | None, progress: Progress) -> Iterator[Answered]:
        """Every question with evidence (the first `limit` of each conversation), under every system."""
        for conversation in self._dataset.conversations:
            questions = [question for question in conversation.questions if question.evidence][:limit]
            for name in self._systems:
                yield from self._one(name, conversation, questions, progress)

    def _one(
        self, name: str, conversation: Conversation, questions: Sequence[Question], progress: Progress
    ) -> Iterator[Answered]:
        costs = self.costs[name]
        with tempfile.TemporaryDirectory(prefix="agentmem-eval-") as folder:
            system = SYSTEMS[name](self._embedder, self._tokenizer, Path(folder))
            try:
                start = perf_counter()
                system.ingest(conversation)
                costs.ingest_seconds += perf_counter() - start
                costs.turns += len(conversation.turns)
                words = {turn.id: turn.words for turn in conversation.turns}
                for place, question in enumerate(questions):
                    progress(f"{conversation.id} {name}", place, len(questions))
                    yield _answer(name, system, conversation.id, question, words, costs)
                costs.size_bytes += system.size_bytes()
            finally:
                system.close()


def _answer(
    name: str, system: System, conversation: str, question: Question, words: Mapping[str, str], costs: Costs
) -> Answered:
    # the first budget is asked first, so that its time includes embedding the question
    packed: dict[int, Packed] = {budget: system.pack(question.text, budget) for budget in metrics.BUDGETS}
    first = packed[metrics.BUDGETS[0]]
    costs.recall_seconds.append(first.seconds)
    costs.embed_seconds.append(first.embed_seconds)
    ranked = system.rank(question.text)
    evidence_words = [words[id_] for id_ in question.evidence]
    scores = metrics.of_ranking(ranked, question.evidence)
    scores.update(
        {
            f"verbatim@{budget}": metrics.verbatim(found.text, evidence_words)
            for budget, found in packed.items()
        }
    )
    return Answered(
        name,
        conversation,
        question,
        scores,
        tuple(ranked),
        _miss(ranked, question, scores),
        {budget: found.tokens for budget, found in packed.items()},
    )


def _miss(ranked: Sequence[str], question: Question, scores: Mapping[str, float]) -> str | None:
    """Why evidence is not in the 1000-token context; None where all of it is."""
    if scores["verbatim@1000"] == 1.0:
        return None
    if scores["recall@10"] == 1.0:
        return "in the top 10 but not packed"
    if metrics.recall_at(ranked, question.evidence, DEPTH) == 1.0:
        return "ranked below 10"
    return f"not among {DEPTH}"
