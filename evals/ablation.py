"""`agentmem eval ablation`: what each part of recall is worth, by recall on held-out conversations without it.

Weights are fitted anew without the part, so that a row says what the rest can do, and not how badly it misses what it
was fitted with. Beside the held-out conversations stands the packaged sample, ranked by weights of all the data: a part
that gives nothing on either is not worth its time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from agentmem.contracts import Embedder
from agentmem.embed import choose_embedder
from agentmem.read.candidates import Candidate, fold
from agentmem.read.fuse import ORDER_WEIGHTS, WEIGHTS
from agentmem.read.pack import LENGTH_COST
from agentmem.read.request import CHANNELS

from . import locomo as locomo_data
from .commands import dataset_of
from .folds import Rows, columns_of, divisible, fitted, halves, means, measured, ranked, unseen
from .lessons import Lesson, lessons
from .progress import Tell, progress
from .task import Dataset

# a column belongs to the first group that names how it begins; late interaction is left out as a stage
GROUPS: Mapping[str, tuple[str, ...]] = {
    "late": ("late",),
    "dense": ("dense",),
    "words": ("lexical", "covered"),
    "people": ("speaks", "other_speaks", "mentioned"),
    "dates": ("in_time", "near_in"),
    "manner": ("",),
}
# what a column says of the turns around a passage, and not of itself
_BESIDE = ("after_question", "around", "session", "answers")
# of weighted reciprocal rank fusion (Cormack, Clarke and Buettcher 2009)
_RRF_K = 60
RRF_WEIGHTS = {**WEIGHTS, **ORDER_WEIGHTS}
_BUDGETS = (500, 1000, 2000)
_SHOWN = ("recall@10", "all@10", *(f"verbatim@{budget}" for budget in _BUDGETS))


@dataclass(frozen=True, slots=True)
class Part:
    """What recall does without one part: means over categories 1-4, and recall@10 of multi-hop questions, if any.

    `change` is in recall@10 of the same questions, and `within` half its 95 % interval. `ms` is the median time to
    gather and weigh, where the part changes it. `sample_*` are of the packaged sample.
    """

    without: str
    figures: Mapping[str, float]
    multi_hop: float | None
    change: float
    within: float
    ms: float | None
    sample_recall: float
    sample_verbatim: float


def ablation(data: Path | None, embedder: str | None, splits: int, as_json: bool) -> int:
    """Print recall without each channel, stage and group of features.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
        InvalidInputError: fewer than two conversations, so nothing can be held out.
    """
    dataset = divisible(locomo_data.load(data))
    model = choose_embedder(embedder)
    with progress() as tell:
        parts = list(_parts(dataset, model, splits, tell))
    if as_json:
        print(json.dumps({"embedder": model.name, "parts": [asdict(part) for part in parts]}))
    else:
        Console().print(_table(model.name, parts))
    return 0


def _parts(dataset: Dataset, model: Embedder, splits: int, tell: Tell) -> Iterator[Part]:
    sample = dataset_of(None, sample=True)

    def taught(without: str) -> _Taught:
        learned, shown = (
            lessons(
                of,
                model,
                lambda what, done, total: tell(f"without {without or 'nothing'}: {what}", done, total),
                without=frozenset({without} - {""}),
                foreign=False,
            )
            for of in (dataset, sample)
        )
        return _Taught(dataset, learned, sample, shown, splits)

    whole = taught("")
    everything = whole.weighed(whole.names)
    yield _part("nothing", everything, everything, whole.ms)
    for label, left in _of_the_same_candidates(whole):
        yield _part(label, left, everything)
    pieces = [("late", "word pieces")] if "late" in whole.names else []
    for name, label in (
        *((name, f"channel {name}") for name in CHANNELS),
        ("neighbours", "turns beside"),
        *pieces,
    ):
        rest = taught(name)
        yield _part(label, rest.weighed(rest.names), everything, rest.ms)


def _of_the_same_candidates(whole: _Taught) -> Iterator[tuple[str, _Both]]:
    """The parts without which candidates and their features stay the same."""
    yield (
        "weights: channels' scores added",
        whole.ordered(lambda lesson: [*lesson.gathered.head, *lesson.gathered.tail]),
    )
    yield "weights: reciprocal ranks", whole.ordered(_by_ranks)
    groups: dict[str, list[str]] = {}
    for name in whole.names:
        owner = next(group for group, starts in GROUPS.items() if name.startswith(starts))
        if owner != "late":
            groups.setdefault(owner, []).append(name)
    groups["what is said beside"] = [name for name in whole.names if any(word in name for word in _BESIDE)]
    for group, own in groups.items():
        yield f"features: {group}", whole.weighed(tuple(name for name in whole.names if name not in own))
    yield "packing: length", whole.weighed(whole.names, length_cost=0.0)
    yield "packing: captions give way", whole.weighed(whole.names, captions=True)
    yield "many sessions for lists", whole.weighed(whole.names, broad=False)


class _Both(NamedTuple):
    held_out: Rows
    sample: Rows


@dataclass(frozen=True, slots=True)
class _Taught:
    """Lessons to learn from and to be judged by, and those of the sample, made without some part."""

    dataset: Dataset
    learned: Sequence[Lesson]
    sample: Dataset
    shown: Sequence[Lesson]
    splits: int

    @property
    def names(self) -> tuple[str, ...]:
        return columns_of(self.learned, "late")

    @property
    def ms(self) -> float:
        return float(np.median([lesson.seconds for lesson in self.learned]) * 1e3)

    def weighed(
        self,
        names: tuple[str, ...],
        *,
        broad: bool = True,
        captions: bool = False,
        length_cost: float = LENGTH_COST,
    ) -> _Both:
        """Measured with weights of these columns alone."""
        weights = fitted(self.learned, names)
        return _Both(
            measured(
                self.dataset,
                unseen(self.dataset, self.learned, names, self.splits, broad=broad, captions=captions),
                budgets=_BUDGETS,
                length_cost=length_cost,
            ),
            measured(
                self.sample,
                (ranked(lesson, names, weights, broad=broad, captions=captions) for lesson in self.shown),
                budgets=_BUDGETS,
                length_cost=length_cost,
            ),
        )

    def ordered(self, order: Callable[[Lesson], Sequence[Candidate]]) -> _Both:
        """Measured with candidates in an order that needs no weights."""
        # as often as `weighed` ranks each question, so that the two can be set side by side
        often = len(halves([conversation.id for conversation in self.dataset.conversations], self.splits))
        return _Both(
            measured(
                self.dataset,
                [(lesson, fold(order(lesson))[0]) for lesson in self.learned] * often,
                budgets=_BUDGETS,
            ),
            measured(
                self.sample, [(lesson, fold(order(lesson))[0]) for lesson in self.shown], budgets=_BUDGETS
            ),
        )


def _by_ranks(lesson: Lesson) -> list[Candidate]:
    def score(candidate: Candidate) -> float:
        return sum(
            RRF_WEIGHTS[name] / (_RRF_K + rank)
            for name, rank in candidate.ranks.items()
            if name in RRF_WEIGHTS
        )

    best_first = sorted([*lesson.gathered.head, *lesson.gathered.tail], key=lambda entry: -score(entry))
    # what is packed goes by scores, too
    return [entry.scored(-float(place)) for place, entry in enumerate(best_first)]


def _part(label: str, left: _Both, everything: _Both, ms: float | None = None) -> Part:
    changes = [
        after["recall@10"] - before["recall@10"]
        for after, before in zip(left.held_out["1-4"], everything.held_out["1-4"], strict=True)
    ]
    found, sample = means(left.held_out), means(left.sample)["1-4"]
    return Part(
        without=label,
        figures={name: round(found["1-4"][name], 4) for name in _SHOWN},
        multi_hop=round(found["multi-hop"]["recall@10"], 4) if "multi-hop" in found else None,
        change=round(float(np.mean(changes)), 4),
        within=round(float(1.96 * np.std(changes) / np.sqrt(len(changes))), 4),
        ms=None if ms is None else round(ms, 2),
        sample_recall=round(sample["recall@10"], 4),
        sample_verbatim=round(sample["verbatim@1000"], 4),
    )


def _table(embedder: str, parts: Sequence[Part]) -> Table:
    shown = Table(title=f"recall without a part ({embedder}), held-out conversations", title_justify="left")
    heads = (
        "without",
        "R@10",
        "change",
        "all@10",
        "multi-hop",
        *(f"verb@{budget}" for budget in _BUDGETS),
    )
    for place, name in enumerate((*heads, "sample R@10", "sample verb@1000", "ms")):
        shown.add_column(name, justify="right" if place else "left", no_wrap=not place)
    for part in parts:
        recall, whole, *verbatim = part.figures.values()
        shown.add_row(
            part.without,
            f"{recall:.3f}",
            f"{part.change:+.3f} ±{part.within:.3f}",
            f"{whole:.3f}",
            "" if part.multi_hop is None else f"{part.multi_hop:.3f}",
            *(f"{value:.3f}" for value in verbatim),
            f"{part.sample_recall:.3f}",
            f"{part.sample_verbatim:.3f}",
            "" if part.ms is None else f"{part.ms:.1f}",
        )
    return shown
