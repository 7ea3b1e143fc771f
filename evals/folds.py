"""Fits weights on some conversations and ranks the others with them. Knows neither files nor tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import StoredPassage
from agentmem.errors import InvalidInputError
from agentmem.read.breadth import broadened
from agentmem.read.candidates import Candidate, fold
from agentmem.read.captions import shortened
from agentmem.read.combine import PRIORS, Combiner
from agentmem.read.features import Ability
from agentmem.read.pack import LENGTH_COST, pack
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
Row = Mapping[str, float]
Rows = Mapping[str, Sequence[Row]]
Ranked = tuple[Lesson, Sequence[Candidate]]


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


def columns_of(learned: Sequence[Lesson], ability: Ability) -> tuple[str, ...]:
    """The features that weights are fitted to, for what the embedder can do."""
    without = {"words": ("dense", "late"), "dense": ("late",)}.get(ability, ())
    return tuple(
        name for name in learned[0].columns if name not in PRIORS and not name.startswith(without or ("\0",))
    )


def cross_validated(
    dataset: Dataset,
    learned: Sequence[Lesson],
    names: tuple[str, ...],
    splits: int,
    also: Sequence[Lesson] = (),
) -> Figures:
    """Means over all questions and by category; no question is ranked by weights that saw it.

    Weights are fitted to `also`, too, whichever conversations are held out.
    """
    return means(measured(dataset, unseen(dataset, learned, names, splits, also=also)))


def unseen(
    dataset: Dataset,
    learned: Sequence[Lesson],
    names: tuple[str, ...],
    splits: int,
    *,
    also: Sequence[Lesson] = (),
    broad: bool = True,
    captions: bool = False,
) -> Iterator[Ranked]:
    """Every question with its candidates as weights rank them that did not see its conversation, once a split."""
    for half in halves([conversation.id for conversation in dataset.conversations], splits):
        weights = {
            inside: fitted(
                [*(lesson for lesson in learned if (lesson.conversation in half) == inside), *also], names
            )
            for inside in (True, False)
        }
        for lesson in learned:
            if lesson.question.category in CATEGORIES:
                yield ranked(
                    lesson, names, weights[lesson.conversation not in half], broad=broad, captions=captions
                )


def each_unseen(
    learned: Sequence[Lesson], names: tuple[str, ...], also: Sequence[Lesson]
) -> Iterator[Ranked]:
    """Every question of each conversation, as weights rank it that are fitted to the others and to `also`."""
    for conversation in dict.fromkeys(lesson.conversation for lesson in learned):
        others = [lesson for lesson in learned if lesson.conversation != conversation]
        weights = fitted([*others, *also], names)
        for lesson in learned:
            if lesson.conversation == conversation and lesson.question.category in CATEGORIES:
                yield ranked(lesson, names, weights)


def ranked(
    lesson: Lesson,
    names: tuple[str, ...],
    weights: NDArray[np.float64],
    *,
    broad: bool = True,
    captions: bool = False,
) -> Ranked:
    """The candidates in the order of these weights, without duplicates, as recall packs them.

    `broad` lets those of one session give way where many are asked for; with `captions` all images keep theirs.
    """
    scores = Combiner("words", dict(zip(names, weights, strict=True))).score(lesson.columns)
    candidates, _ = fold(in_order(lesson.gathered, scores))
    if broad and lesson.asked.analysis.broad:
        candidates = broadened(candidates)
    return lesson, candidates if captions else shortened(candidates, lesson.asked.terms)


def measured(
    dataset: Dataset,
    rankings: Iterable[Ranked],
    *,
    budgets: Sequence[int] = metrics.BUDGETS,
    length_cost: float = LENGTH_COST,
) -> Rows:
    """Recall of each ranking, and of what is packed under each budget, by category and of all that can be answered."""
    words = {(c.id, turn.id): turn.words for c in dataset.conversations for turn in c.turns}
    tokenizer = as_tokenizer(None)
    rows: dict[str, list[Row]] = {}
    for lesson, candidates in rankings:
        ids = list(dict.fromkeys(id_ for entry in candidates for id_ in entry.source_ids))
        evidence = lesson.question.evidence
        wanted = [words[lesson.conversation, id_] for id_ in evidence]
        row = {
            "recall@10": metrics.recall_at(ids, evidence, 10),
            "all@10": metrics.all_at(ids, evidence, 10),
        }
        for budget in budgets:
            packed = pack(
                candidates,
                budget_tokens=budget,
                tokenizer=tokenizer,
                tiers=_no_tiers,
                k=None,
                length_cost=length_cost,
            )
            row[f"verbatim@{budget}"] = metrics.verbatim(packed.text, wanted)
        rows.setdefault(CATEGORIES[lesson.question.category], []).append(row)
        if lesson.question.category in ANSWERABLE:
            rows.setdefault("1-4", []).append(row)
    return rows


def means(rows: Rows) -> Figures:
    """Per group of questions the mean of each column."""
    return {
        group: {name: float(np.mean([row[name] for row in found])) for name in found[0]}
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


def _no_tiers(passages: Sequence[StoredPassage]) -> dict[int, Tier]:
    """What a context reads like does not depend on tiers."""
    return {passage.key: "episode" for passage in passages}
