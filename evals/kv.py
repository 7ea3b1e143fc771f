"""`agentmem eval kv`: what in-model memory keeps and what it costs, on the packaged recall model, in one run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from agentmem.errors import InvalidInputError, MissingExtraError

from .kv_show import TABLES, draw
from .machine import describe, peak_memory_mib
from .progress import progress

EPISODES = "episodes at 4 bits"
PARTS = ("needles", "episodes", "distances", "widths", "loading", "exact", "soft")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured: `texts` of 16 facts each, with so many `distractors` before the questions."""

    parts: tuple[str, ...]
    texts: int
    distractors: int
    kvpress: Path | None = None


def kv(
    parts: Sequence[str] | None,
    texts: int,
    distractors: int,
    plot: Path | None,
    as_json: bool,
    kvpress: Path | None = None,
) -> int:
    """Measure, print, and draw recall over budget to `plot`; Ctrl-C keeps the rows that are finished.

    `kvpress` is the Python of an environment that has it: its presses are measured on the same texts, too.

    Raises:
        InvalidInputError: an unknown part; or a plot without the needles or soft memories.
        MissingExtraError: torch, transformers or matplotlib is not installed.
        PeerUnavailableError: that Python has no kvpress, or it cannot run.
    """
    plan = Plan(tuple(parts or PARTS), texts, distractors, kvpress)
    if unknown := sorted(set(plan.parts) - set(PARTS)):
        raise InvalidInputError(f"unknown parts {unknown}; known: {', '.join(PARTS)}")
    if plot is not None and not {"needles", "soft"} & set(plan.parts):
        raise InvalidInputError("--plot draws recall over budget: it needs the part 'needles' or 'soft'")
    told = {name: value for name, value in asdict(plan).items() if name != "kvpress"}
    told |= {"kvpress": str(kvpress)} if kvpress else {}
    result: dict[str, Any] = {"arguments": told, "partial": False}
    try:
        for part, row in _rows(plan):
            result.setdefault(part, []).append(row)
    except KeyboardInterrupt:
        result["partial"] = True
    result |= {"machine": describe(), "peak_memory_mib": peak_memory_mib()}
    if as_json:
        print(json.dumps(result))
    else:
        _print(result)
    if plot is not None:
        draw(result, plot)
    return 130 if result["partial"] else 0


def _rows(plan: Plan) -> Iterator[tuple[str, Row]]:
    """The rows of every part as they come, under a progress bar."""
    try:
        from . import recaller

        model = recaller.model()
    except ModuleNotFoundError as error:
        raise MissingExtraError("agentmem eval kv", "kv") from error
    with progress() as tell:
        for part in (*plan.parts, *(["kvpress"] if plan.kvpress else [])):
            steps, rows = MAKERS[part](model, plan)
            tell(part, 0, steps)
            for done, row in enumerate(rows, 1):
                tell(part, done, steps)
                yield part, row


def _needles(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from agentmem.kv import policies

    from .needles import KINDS, SHARES, kept, texts

    tokens = len(next(texts(plan.distractors, 1)).ids)
    whole = kept(model, plan.distractors, policies.Full(), None, 1)

    def rows() -> Iterator[Row]:
        for name, kind in KINDS.items():
            for share in SHARES:
                found = kept(model, plan.distractors, *kind(tokens * share // 100), plan.texts)
                yield _budget_row(name, share, found.share, found.size_bytes / whole.size_bytes)

    return len(KINDS) * len(SHARES), rows()


def _episodes(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from agentmem.kv import policies

    from .kv_episodes import recalled, remembered
    from .needles import SHARES, kept, texts

    whole = kept(model, plan.distractors, policies.Full(), None, 1)

    def rows() -> Iterator[Row]:
        with remembered(model, list(texts(plan.distractors, plan.texts))) as told:
            for share in SHARES:
                found = recalled(model, told, share)
                yield _budget_row(EPISODES, share, found.share, found.size_bytes / whole.size_bytes)

    return len(SHARES), rows()


def _budget_row(name: str, budget: int, recalled: float, held: float) -> Row:
    return {"policy": name, "budget": budget, "recalled": recalled, "held": held}


def _distances(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .needles import DISTANCES, recall_over

    rows = (
        {"distractors": distance, "recalled": recall_over(model, distance, plan.texts)}
        for distance in DISTANCES
    )
    return len(DISTANCES), rows


def _widths(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .kv_widths import WIDTHS, costs

    return len(WIDTHS) + 2, (asdict(cost) for cost in costs(model, plan.distractors, plan.texts))


def _loading(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .kv_loading import loadings

    return 3, (asdict(found) for found in loadings(model))


def _exact(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .kv_exact import exacts

    return 5, (asdict(found) for found in exacts(model))


def _kvpress(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .kvpress import pressed
    from .kvpress_host import PRESSES
    from .needles import SHARES, texts

    assert plan.kvpress is not None
    readings = list(texts(plan.distractors, plan.texts))
    return len(PRESSES) * len(SHARES), pressed(plan.kvpress, readings, SHARES)


def _soft(model: Any, plan: Plan) -> tuple[int, Iterator[Row]]:
    from .kv_soft import CASES, COUNTS, on_disk, soft_rows

    def rows() -> Iterator[Row]:
        yield from (asdict(row) for row in soft_rows(model, plan.texts))
        yield from (asdict(on_disk(model, plan.texts, count)) for count in COUNTS)

    return len(CASES) + len(COUNTS), rows()


MAKERS: dict[str, Callable[[Any, Plan], tuple[int, Iterator[Row]]]] = {
    "needles": _needles,
    "episodes": _episodes,
    "distances": _distances,
    "widths": _widths,
    "loading": _loading,
    "exact": _exact,
    "kvpress": _kvpress,
    "soft": _soft,
}


def _print(result: dict[str, Any]) -> None:
    console = Console()
    if result["partial"]:
        console.print("stopped before the end: the tables hold what was finished by then")
    for part, table in TABLES.items():
        if part in result:
            console.print(table(result[part]))
    machine = result["machine"]
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores; peak memory {result['peak_memory_mib']:.0f} MiB"
    )
