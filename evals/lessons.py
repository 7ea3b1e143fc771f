"""What the combiner is fitted to: for each question, the candidates that recall weighs, with their features.

Made through the same code that serves a recall, so that what is fitted is what is served.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Embedder
from agentmem.memory import Memory
from agentmem.read.features import Asked, Columns
from agentmem.read.gather import ALL_TIERS, Gathered

from .task import Conversation, Dataset, Question

Progress = Callable[[str, int, int], None]
_USEFUL = 200


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question with its candidates, their features by name `[n]`, and which of them are evidence `[n]`."""

    conversation: str
    question: Question
    asked: Asked
    gathered: Gathered
    columns: Columns
    evidence: NDArray[np.bool_]

    def rows(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """The features `[n, F]` in this order."""
        return np.stack([self.columns[name] for name in names], axis=1)


def lessons(dataset: Dataset, embedder: Embedder, progress: Progress) -> list[Lesson]:
    """A lesson for every question with evidence."""
    return [
        lesson for conversation in dataset.conversations for lesson in _of(conversation, embedder, progress)
    ]


def _of(conversation: Conversation, embedder: Embedder, progress: Progress) -> Iterator[Lesson]:
    with (
        tempfile.TemporaryDirectory(prefix="agentmem-fit-") as folder,
        Memory(Path(folder, "memory.db"), embedder=embedder) as memory,
    ):
        memory.remember(
            [
                {"id": t.id, "name": t.speaker, "content": t.content, "at": t.at, "session": t.session}
                for t in conversation.turns
            ]
        )
        recaller = memory.core.wiring.recaller
        questions = [question for question in conversation.questions if question.evidence]
        for place, question in enumerate(questions):
            progress(conversation.id, place, len(questions))
            asked = recaller.ask(question.text, None)
            gathered = recaller.gather(memory.current_namespace, asked, None, ALL_TIERS, _USEFUL)
            _, columns = recaller.weighable(memory.current_namespace, asked, gathered.head)
            evidence = np.array(
                [not set(candidate.source_ids).isdisjoint(question.evidence) for candidate in gathered.head]
            )
            yield Lesson(conversation.id, question, asked, gathered, columns, evidence)
