"""What the combiner is fitted to: for each question, the candidates that recall weighs, with their features.

Made through the same code that serves a recall, so that what is fitted is what is served.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Embedder
from agentmem.memory import Memory
from agentmem.read.features import Ability, Asked, Columns
from agentmem.read.gate import alike
from agentmem.read.gather import Gathered
from agentmem.read.request import ALL_TIERS

from .progress import Tell
from .task import Conversation, Dataset, Question

_USEFUL = 200
# questions taken of each other conversation
_STRANGERS = 10


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question with its candidates, their features by name `[n]`, and which of them are evidence `[n]`.

    `alike` `[n]` is how near each is to the question in absolute terms, by what it is compared by. `seconds` is what it
    took to gather the candidates and their features.
    """

    conversation: str
    question: Question
    asked: Asked
    gathered: Gathered
    columns: Columns
    evidence: NDArray[np.bool_]
    alike: Mapping[Ability, NDArray[np.float64]]
    seconds: float

    def rows(self, names: tuple[str, ...]) -> NDArray[np.float64]:
        """The features `[n, F]` in this order."""
        return np.stack([self.columns[name] for name in names], axis=1)


def lessons(
    dataset: Dataset,
    embedder: Embedder,
    tell: Tell,
    *,
    without: frozenset[str] = frozenset(),
    foreign: bool = True,
) -> list[Lesson]:
    """A lesson for every question with evidence, and, if `foreign`, for some of other conversations: none is here.

    `without` names the channels and stages that recall does without, as in `Memory.recall`.
    """
    return [
        lesson
        for conversation in dataset.conversations
        for lesson in _of(
            conversation, strangers(dataset, conversation) if foreign else [], embedder, tell, without
        )
    ]


def strangers(dataset: Dataset, conversation: Conversation) -> list[Question]:
    """Questions of the other conversations, asked about this one's speakers: nothing here answers them."""
    here = sorted({turn.speaker for turn in conversation.turns})
    found = []
    for other in dataset.conversations:
        if other.id != conversation.id:
            names = dict(zip(sorted({turn.speaker for turn in other.turns}), here, strict=False))
            plain = [question for question in other.questions if question.category not in (0, 5)]
            found += [_renamed(question, names) for question in plain[:: max(1, len(plain) // _STRANGERS)]]
    return found


def _renamed(question: Question, names: dict[str, str]) -> Question:
    text = question.text
    for place, name in enumerate(names):
        text = re.sub(rf"\b{re.escape(name)}\b", f"\0{place}\0", text)
    for place, name in enumerate(names.values()):
        text = text.replace(f"\0{place}\0", name)
    return Question(text, 0, (), "")


def _of(
    conversation: Conversation,
    foreign: list[Question],
    embedder: Embedder,
    tell: Tell,
    without: frozenset[str],
) -> Iterator[Lesson]:
    with (
        tempfile.TemporaryDirectory(prefix="agentmem-fit-") as folder,
        Memory(Path(folder, "memory.db"), embedder=embedder) as memory,
    ):
        memory.remember([turn.message() for turn in conversation.turns])
        recaller = memory.core.wiring.recaller
        questions = [*(question for question in conversation.questions if question.evidence), *foreign]
        for place, question in enumerate(questions):
            tell(conversation.id, place, len(questions))
            asked = recaller.ask(question.text, None)
            start = perf_counter()
            gathered = recaller.gather(memory.current_namespace, asked, None, ALL_TIERS, _USEFUL, without)
            pool, columns = recaller.weighable(memory.current_namespace, asked, gathered.head, without)
            seconds = perf_counter() - start
            evidence = np.array(
                [not set(candidate.source_ids).isdisjoint(question.evidence) for candidate in gathered.head]
            )
            near = {ability: alike(asked, pool, ability) for ability in get_args(Ability)}
            yield Lesson(conversation.id, question, asked, gathered, columns, evidence, near, seconds)
