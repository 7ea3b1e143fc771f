"""Fits weights on some conversations and ranks the others with them. Knows neither files nor tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import StoredPassage, Tokenizer
from agentmem.errors import InvalidInputError
from agentmem.read.candidates import Candidate, fold
from agentmem.read.combine import Combiner
from agentmem.read.pack import pack
from agentmem.read.recall import in_order
from agentmem.tokens import as_tokenizer
from agentmem.types import Tier

from . import logit, metrics
from .lessons import Lesson
from .task import CATEGORIES, Dataset

RIDGE = 10.0
# more alike is never worse; free to be negative, weights of columns that tell nearly the same play them off against
# each other, which finds less on conversations not seen and lets a turn be passed by the one after it
MATCHING = ("dense", "late", "lexical", "covered", "in_time", "near_in")
LEAST = 0.05
ANSWERABLE = (1, 2, 3, 4)
COLUMNS = ("recall@10", "all@10", *(f"verbatim@{budget}" for budget in metrics.BUDGETS))
Figures = Mapping[str, Mapping[str, float]]


def fitted(learned: Sequence[Lesson], names: tuple[str, ...]) -> NDArray[np.float64]:
    """Weights of these columns, by the questions that have evidence."""
    # categories of unanswerable questions teach nothing about evidence
    groups = [
        logit.Group(lesson.rows(names), lesson.evidence)
        for lesson in learned
        if lesson.question.category in ANSWERABLE
    ]
    floors = np.array([LEAST if name.startswith(MATCHING) else -np.inf for name in names])
    return logit.fit(groups, RIDGE, floors)


def cross_validated(
    dataset: Dataset,
    learned: Sequence[Lesson],
    names: tuple[str, ...],
    splits: int,
    columns: tuple[str, ...] = COLUMNS,
) -> Figures:
    """Means of these columns over all questions and by category; no question is ranked by weights that saw it."""
    words = {
        (conversation.id, turn.id): turn.words
        for conversation in dataset.conversations
        for turn in conversation.turns
    }
    tokenizer = as_tokenizer(None)
    rows: dict[str, list[dict[str, float]]] = {}
    for half in halves([conversation.id for conversation in dataset.conversations], splits):
        weights = {
            inside: fitted([lesson for lesson in learned if (lesson.conversation in half) == inside], names)
            for inside in (True, False)
        }
        for lesson in learned:
            if lesson.question.category not in CATEGORIES:
                continue
            held_out = dict(zip(names, weights[lesson.conversation not in half], strict=True))
            scores = Combiner("words", held_out).score(lesson.columns)
            row = _scores(lesson, in_order(lesson.gathered, scores), words, tokenizer, columns)
            rows.setdefault(CATEGORIES[lesson.question.category], []).append(row)
            if lesson.question.category in ANSWERABLE:
                rows.setdefault("1-4", []).append(row)
    return {
        group: {name: float(np.mean([row[name] for row in found])) for name in columns}
        for group, found in rows.items()
    }


def divisible(dataset: Dataset) -> Dataset:
    """The dataset, where some of its conversations can be held out.

    Raises:
        InvalidInputError: fewer than two conversations.
    """
    if len(dataset.conversations) < 2:
        raise InvalidInputError(
            f"{dataset.source} holds one conversation; cross-validation needs two or more"
        )
    return dataset


def halves(ids: Sequence[str], splits: int) -> list[frozenset[str]]:
    """Ways to cut the conversations in two, spread over all there are."""
    every = [frozenset(chosen) for chosen in combinations(ids, len(ids) // 2)]
    step = max(1, len(every) // splits)
    return every[::step][:splits]


def _scores(
    lesson: Lesson,
    ranked: Sequence[Candidate],
    words: Mapping[tuple[str, str], str],
    tokenizer: Tokenizer,
    columns: tuple[str, ...],
) -> dict[str, float]:
    folded, _ = fold(ranked)
    ids = list(dict.fromkeys(id_ for entry in folded for id_ in entry.source_ids))
    evidence = lesson.question.evidence
    wanted = [words[lesson.conversation, id_] for id_ in evidence]
    return {
        "recall@10": metrics.recall_at(ids, evidence, 10),
        "all@10": metrics.all_at(ids, evidence, 10),
        **{
            f"verbatim@{budget}": metrics.verbatim(
                pack(
                    folded,
                    budget_tokens=budget,
                    tokenizer=tokenizer,
                    tiers=_no_tiers,
                    k=None,
                    broad=lesson.asked.analysis.broad,
                ).text,
                wanted,
            )
            for budget in metrics.BUDGETS
            if f"verbatim@{budget}" in columns
        },
    }


def _no_tiers(passages: Sequence[StoredPassage]) -> dict[int, Tier]:
    """What a context reads like does not depend on tiers."""
    return {passage.key: "episode" for passage in passages}
