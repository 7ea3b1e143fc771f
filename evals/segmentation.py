"""`agentmem eval segmentation`: do episodes begin where people began to talk? Beside a fixed length and TextTiling.

The truth is where sessions begin; the session of a turn is hidden, and so is its time unless the table says
otherwise, for the gap between two sessions gives them away. What a method may choose it chooses on the other
conversations, never on the one it is scored on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from .commands import dataset_of
from .machine import describe
from .segmenters import AS_GIVEN, FITTED, Method, Scores, Script, script
from .task import Dataset


@dataclass(frozen=True, slots=True)
class Row:
    """One method over all conversations: means, the worst conversation, and what it chose."""

    name: str
    scores: Scores
    worst_f1: float
    boundaries: int
    chosen: tuple[str, ...]


def segmentation(data: Path | None, as_json: bool, sample: bool) -> int:
    """Measure on a LoCoMo file, or on the packaged sample; returns an exit status.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
    """
    dataset = dataset_of(data, sample)
    result = measure(dataset)
    if as_json:
        print(json.dumps({**result, "machine": describe()}))
    else:
        _print(dataset, result)
    return 0


def measure(dataset: Dataset) -> dict[str, Any]:
    """Rows without times and with them, as JSON."""
    hidden = [script(conversation, with_times=False) for conversation in dataset.conversations]
    timed = [script(conversation, with_times=True) for conversation in dataset.conversations]
    rows = [_as_given(name, method, hidden) for name, method in AS_GIVEN.items()]
    if len(hidden) > 1:
        rows += [_fitted(method, hidden) for method in FITTED]
    return {
        "data": dataset.name,
        "conversations": len(hidden),
        "turns": sum(len(given.turns) for given in hidden),
        "boundaries": sum(len(given.true) for given in hidden),
        "without_times": [_as_json(row) for row in rows],
        "with_times": [_as_json(_as_given("agentmem, as shipped", AS_GIVEN["agentmem, as shipped"], timed))],
    }


def _as_given(name: str, method: Method, scripts: Sequence[Script]) -> Row:
    (settings,) = method.settings
    return _row(name, method, [(given, settings) for given in scripts])


def _fitted(method: Method, scripts: Sequence[Script]) -> Row:
    """Leave one conversation out: each is cut with what is best on the others."""
    quality = [
        [given.score(method.cut(given, settings)).quality for given in scripts]
        for settings in method.settings
    ]
    chosen = [
        max(
            range(len(method.settings)),
            key=lambda choice: fmean(q for place, q in enumerate(quality[choice]) if place != left_out),
        )
        for left_out in range(len(scripts))
    ]
    pairs = [(given, method.settings[choice]) for given, choice in zip(scripts, chosen, strict=True)]
    return _row(f"{method.name}, fitted on the others", method, pairs)


def _row(name: str, method: Method, pairs: Sequence[tuple[Script, Any]]) -> Row:
    found = [method.cut(given, settings) for given, settings in pairs]
    scores = [given.score(places) for (given, _), places in zip(pairs, found, strict=True)]
    return Row(
        name,
        Scores(*(fmean(values) for values in zip(*scores, strict=True))),
        min(score.f1 for score in scores),
        sum(map(len, found)),
        tuple(_shown(settings) for _, settings in pairs),
    )


def _shown(settings: Any) -> str:
    if is_dataclass(settings) and not isinstance(settings, type):
        return " ".join(f"{name}={value}" for name, value in asdict(settings).items())
    return str(settings)


def _as_json(row: Row) -> dict[str, Any]:
    return {
        "method": row.name,
        **row.scores._asdict(),
        "worst_f1": row.worst_f1,
        "boundaries": row.boundaries,
        "chosen": [
            {"settings": settings, "conversations": count}
            for settings, count in Counter(row.chosen).most_common()
        ],
    }


def _print(dataset: Dataset, result: dict[str, Any]) -> None:
    console = Console()
    title = f"{dataset.name}: {result['boundaries']} boundaries in {result['turns']} turns"
    for key, what in (("without_times", "sessions and times hidden"), ("with_times", "only sessions hidden")):
        table = Table(title=f"{title}, {what}", title_justify="left")
        table.add_column("method")
        for column in ("Pk", "WindowDiff", "F1 ±2", "worst F1", "found"):
            table.add_column(column, justify="right", no_wrap=True)
        for row in result[key]:
            values = (f"{row[name]:.3f}" for name in ("pk", "window_diff", "f1", "worst_f1"))
            table.add_row(row["method"], *values, str(row["boundaries"]))
        console.print(table)
    console.print("Pk and WindowDiff: lower is better. Means over conversations.")
