"""`agentmem eval fit`: fits the weights of the combiner, and says how well they do on conversations not seen.

Beside the conversations given, of two friends each, weights are fitted to the packaged chats with an assistant, whose
answers are long: two kinds of talk teach what holds for more than one. Two-fold by conversation: weights fitted on some
of the conversations rank the others, in every way to halve them (at most `SPLITS`), and the figures are means over all;
each of the chats is ranked by weights fitted on all the rest. The weights written are fitted on everything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agentmem.contracts import Embedder
from agentmem.embed import choose_embedder
from agentmem.read.combine import Combiner
from agentmem.read.features import Ability

from . import locomo as locomo_data
from . import relevance
from .chances import Judged
from .commands import dataset_of
from .folds import (
    COLUMNS,
    LEAST,
    RIDGE,
    Figures,
    columns_of,
    cross_validated,
    divisible,
    each_unseen,
    fitted,
    means,
    measured,
)
from .lessons import Lesson, lessons
from .progress import progress
from .reliability import plot_reliability
from .task import CATEGORIES, Dataset

SPLITS = 10
_CHATS = "assistant chats"


def fit(
    data: Path | None,
    out: Path | None,
    embedder: str | None,
    splits: int,
    as_json: bool,
    plot: Path | None = None,
) -> int:
    """Fit every set of weights on a LoCoMo file, print the cross-validation, and write the weights to `out`, and a plot
    of the gate's reliability to `plot`.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
        InvalidInputError: fewer than two conversations, so nothing can be held out.
    """
    dataset = divisible(locomo_data.load(data))
    console = Console(stderr=as_json)
    sets: dict[str, dict[str, Any]] = {}
    plots: dict[str, Judged] = {}
    chats = dataset_of(None, sample=False, chats=True)
    for abilities, model in _models(embedder):
        learned, talked = _learn(dataset, model), _learn(chats, model, foreign=False)
        for ability in abilities:
            names = columns_of(learned, ability)
            figures = {
                **cross_validated(dataset, learned, names, splits, talked),
                _CHATS: means(measured(chats, each_unseen(talked, names, learned)))["1-4"],
            }
            weights = _rounded(dict(zip(names, fitted([*learned, *talked], names), strict=True)), 5)
            gate, judged = relevance.judge(learned, Combiner(ability, weights), ability)
            sets[ability] = {
                "embedder": model.name,
                "cross_validated": {group: _rounded(row) for group, row in figures.items()},
                "weights": weights,
                "gate": gate,
            }
            console.print(_table(ability, model.name, figures))
            console.print(_gate_table(gate))
            plots[ability] = judged
    if plot is not None:
        plot_reliability(plots, plot)
        console.print(f"reliability: {plot}")
    result = {"provenance": _provenance(dataset, data, splits), "sets": sets}
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        console.print(f"weights: {out}")
    if as_json:
        print(json.dumps(result))
    return 0


def _models(embedder: str | None) -> Iterator[tuple[tuple[Ability, ...], Embedder]]:
    """Which sets are fitted with which embedder."""
    model = choose_embedder(embedder)
    if not model.name.startswith("hash"):
        yield ("late", "dense", "words"), model
    yield ("hashed",), choose_embedder("hash")


def _learn(dataset: Dataset, model: Embedder, *, foreign: bool = True) -> list[Lesson]:
    with progress() as tell:
        return lessons(
            dataset,
            model,
            lambda what, done, total: tell(f"{what} {model.name}", done, total),
            foreign=foreign,
        )


def _provenance(dataset: Dataset, path: Path | None, splits: int) -> dict[str, Any]:
    return {
        "data": dataset.name,
        "sha256": "" if path is None else sha256(path.read_bytes()).hexdigest(),
        "also": locomo_data.chats_path().name,
        "also_sha256": sha256(locomo_data.chats_path().read_bytes()).hexdigest(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": f"agentmem eval fit --data {dataset.name}.json --splits {splits}",
        "ridge": RIDGE,
        "least": LEAST,
    }


def _rounded(row: Mapping[str, float], digits: int = 4) -> dict[str, float]:
    return {name: round(float(value), digits) for name, value in row.items()}


def _table(ability: str, embedder: str, figures: Figures) -> Table:
    shown = Table(title=f"{ability} ({embedder}), held-out conversations", title_justify="left")
    shown.add_column("questions", no_wrap=True)
    for name in COLUMNS:
        shown.add_column(
            name.replace("recall@", "R@").replace("verbatim@", "verb@"), justify="right", no_wrap=True
        )
    for group in ("1-4", *CATEGORIES.values(), _CHATS):
        if group in figures:
            shown.add_row(group, *(f"{figures[group][name]:.3f}" for name in COLUMNS))
    return shown


def _gate_table(gate: Mapping[str, Any]) -> Table:
    shown = Table(title="has it an answer? held-out conversations", title_justify="left")
    for name in ("chance", "answerable", "questions"):
        shown.add_column(name, justify="right")
    for row in gate["held_out"]["reliability"]:
        shown.add_row(f"{row['chance']:.2f}", f"{row['answerable']:.2f}", str(row["questions"]))
    kept = {name: value for name, value in gate["held_out"].items() if name != "reliability"}
    shown.caption = ", ".join(f"{name} {value:.3f}" for name, value in kept.items())
    return shown
