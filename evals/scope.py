"""Measures how well the tiers are chosen: is the evidence where the gate looks, and what does looking there only cost?

Each question with one piece of evidence is asked twice: right after that was said, when it is in the window, and when
the conversation is over. All others are asked at the end.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agentmem.contracts import Embedder
from agentmem.memory import Memory
from agentmem.types import Recall

from . import metrics, need
from .chances import Judged, auroc, calibration_error
from .progress import Tell
from .task import Conversation, Dataset, Question

_BUDGET = 1000
_K = 10
# asked so many turns after its evidence
_SOON = 2
_ANSWERABLE = (1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question under both: ranked ids and contexts without the gate and with it, and what the gate said."""

    soon: bool
    in_window: bool
    chance: float
    tiers: tuple[str, ...]
    recall: tuple[float, float]
    verbatim: tuple[float, float]
    tokens: tuple[int, int]


def judge(dataset: Dataset, embedder: Embedder, tell: Tell) -> dict[str, Any]:
    """Figures for questions asked soon and at the end, and for lines anchored in the present and in the past."""
    found: list[Asked] = []
    anchored: dict[str, list[bool]] = {"present": [], "past": []}
    for place, conversation in enumerate(dataset.conversations):
        tell(conversation.id, place, len(dataset.conversations))
        with (
            tempfile.TemporaryDirectory(prefix="agentmem-gate-") as folder,
            Memory(Path(folder, "memory.db"), embedder=embedder) as memory,
        ):
            found.extend(_soon(memory, conversation))
            found.extend(
                _ask(memory, conversation, question, soon=False) for question in _questions(conversation)
            )
            for group, held in anchored.items():
                held.extend(_right(group, memory.recall(line, gate=True)) for line in need.lines()[group])
    held_chances = np.array([entry.chance for entry in found])
    there = np.array([entry.in_window for entry in found])
    judged = Judged(held_chances, there, np.zeros(len(found), dtype=np.int64))
    return {
        "auroc_window": round(auroc(held_chances, there), 4),
        "ece_window": round(calibration_error(judged), 4),
        **{
            name: _means([entry for entry in found if entry.soon == soon])
            for name, soon in (("soon", True), ("end", False))
        },
        **{f"{group}_lines": round(float(np.mean(held)), 4) for group, held in anchored.items()},
    }


def _right(group: str, found: Recall) -> bool:
    """Whether a line about the present is read from the window alone, one about the past not from it."""
    return found.trace.tiers == ("window",) if group == "present" else "window" not in found.trace.tiers


def _questions(conversation: Conversation) -> list[Question]:
    return [q for q in conversation.questions if q.evidence and q.category in _ANSWERABLE]


def _soon(memory: Memory, conversation: Conversation) -> Iterator[Asked]:
    """Remember the conversation as it goes on, and ask what can be asked so far."""
    place = {turn.id: number for number, turn in enumerate(conversation.turns)}
    waiting: dict[int, list[Question]] = {}
    for question in _questions(conversation):
        if len(question.evidence) == 1:
            waiting.setdefault(min(place[question.evidence[0]] + _SOON, len(place) - 1), []).append(question)
    done = 0
    for until in sorted(waiting):
        memory.remember([turn.message() for turn in conversation.turns[done : until + 1]])
        done = until + 1
        for question in waiting[until]:
            yield _ask(memory, conversation, question, soon=True)
    memory.remember([turn.message() for turn in conversation.turns[done:]])


def _ask(memory: Memory, conversation: Conversation, question: Question, *, soon: bool) -> Asked:
    words = [turn.words for turn in conversation.turns if turn.id in question.evidence]
    # brings episodes up to date, so that both are asked of the same
    last = memory.episodes()[-1:]
    open_ids = {event.id for event in memory.events(after_seq=last[0].last_seq if last else -1)}
    plain = memory.recall(question.text, budget_tokens=_BUDGET)
    gated = memory.recall(question.text, budget_tokens=_BUDGET, gate=True)
    return Asked(
        soon,
        not open_ids.isdisjoint(question.evidence),
        gated.trace.scope.get("window", 0.0),
        gated.trace.tiers,
        _both(plain, gated, lambda found: metrics.recall_at(found.source_ids, question.evidence, _K)),
        _both(plain, gated, lambda found: metrics.verbatim(found.text, words)),
        (plain.tokens, gated.tokens),
    )


def _both(plain: Recall, gated: Recall, of: Callable[[Recall], float]) -> tuple[float, float]:
    return of(plain), of(gated)


def _means(found: Sequence[Asked]) -> dict[str, float]:
    figures: dict[str, float] = {
        "questions": float(len(found)),
        "evidence_in_window": float(np.mean([entry.in_window for entry in found])),
        "narrowed": float(np.mean([len(entry.tiers) < 2 for entry in found])),
    }
    for name in ("recall", "verbatim", "tokens"):
        for number, how in enumerate(("off", "on")):
            figures[f"{name}_{how}"] = float(np.mean([getattr(entry, name)[number] for entry in found]))
    return {name: round(value, 4) for name, value in figures.items()}
