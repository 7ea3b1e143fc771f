"""What `agentmem eval gate` does: fits what tells small talk from need, and measures the whole gate."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from agentmem.embed import choose_embedder

from . import need, scope
from .commands import dataset_of
from .progress import progress


def gate(data: Path | None, sample: bool, out: Path | None, embedder: str | None, as_json: bool) -> int:
    """Fit on our own lines, print how the gate does on them and on a dataset, and write the weights to `out`.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
    """
    dataset = dataset_of(data, sample)
    model = choose_embedder(embedder)
    questions = [
        question.text for conversation in dataset.conversations for question in conversation.questions
    ]
    fitted, small_talk = need.judge(questions)
    console = Console(stderr=as_json)
    if out is not None:
        write(out, fitted, small_talk)
        console.print(f"weights: {out}")
    with progress() as tell:
        tiers = scope.judge(dataset, model, tell)
    figures = {"embedder": model.name, "data": dataset.name, "small_talk": small_talk, "tiers": tiers}
    if as_json:
        print(json.dumps(figures))
    else:
        _print(console, figures)
    return 0


def write(out: Path, fitted: dict[str, Any], held_out: dict[str, Any]) -> None:
    """Write the weights with where they come from."""
    about = {
        "data": "evals/data/small_talk.json",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": "agentmem eval gate --out agentmem/read/need.json",
        "held_out": held_out,
    }
    out.write_text(json.dumps({"provenance": about, **fitted}, indent=1) + "\n", encoding="utf-8")


def _print(console: Console, figures: dict[str, Any]) -> None:
    console.print(_pairs("does it need memory? our own lines, held out", figures["small_talk"]))
    tiers = figures["tiers"]
    shown = Table(title=f"which tiers? {figures['data']}", title_justify="left")
    for name in ("asked", *tiers["end"]):
        shown.add_column(name, justify="right")
    for name in ("soon", "end"):
        shown.add_row(name, *(f"{value:g}" for value in tiers[name].values()))
    console.print(shown)
    rest = {name: value for name, value in tiers.items() if not isinstance(value, dict)}
    console.print(_pairs("is the evidence in the window?", rest))


def _pairs(title: str, values: dict[str, float]) -> Table:
    shown = Table(title=title, title_justify="left")
    shown.add_column("figure")
    shown.add_column("value", justify="right")
    for name, value in values.items():
        shown.add_row(name.replace("_", " "), f"{value:g}")
    return shown
