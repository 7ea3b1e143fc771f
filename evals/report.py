"""An HTML page from a summary alone: plots inlined, no script, nothing fetched."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentmem.errors import MissingExtraError

from . import metrics
from .task import CATEGORIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write(summary: Mapping[str, Any], path: Path) -> None:
    """Render the report. Raises `MissingExtraError` without `agentmem[evals]`."""
    try:
        import matplotlib as mpl
        from jinja2 import Environment
    except ImportError as error:
        raise MissingExtraError("the HTML report", "evals") from error
    mpl.use("svg")
    template = (files("agentmem.evals") / "templates" / "report.html").read_text(encoding="utf-8")
    plots = {
        "recall": _plot(summary, _recall_curve, "evidence recall@k, categories 1-4"),
        "budget": _plot(summary, _budget_curve, "evidence verbatim in the context, categories 1-4"),
        "categories": _plot(summary, _category_bars, "evidence recall@10 by category"),
    }
    page = (
        Environment(autoescape=True)
        .from_string(template)
        .render(summary=summary, plots=plots, budgets=metrics.BUDGETS)
    )
    path.write_text(page, encoding="utf-8")


def _plot(summary: Mapping[str, Any], draw: Any, title: str) -> str:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 3.8), layout="constrained")
    axes = figure.subplots()
    draw(axes, {name: system for name, system in summary["systems"].items() if system["groups"].get("1-4")})
    axes.set_title(title, fontsize=10)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    return drawn.getvalue()[drawn.getvalue().index("<svg") :]


def _curve(axes: Axes, systems: Mapping[str, Any], name: str, points: tuple[int, ...]) -> None:
    for system, result in systems.items():
        values = [result["groups"]["1-4"][f"{name}@{point}"] for point in points]
        middle = [value["value"] for value in values]
        below = [value["value"] - value["low"] for value in values]
        above = [value["high"] - value["value"] for value in values]
        axes.errorbar(points, middle, yerr=(below, above), marker="o", markersize=4, capsize=2, label=system)


def _recall_curve(axes: Axes, systems: Mapping[str, Any]) -> None:
    _curve(axes, systems, "recall", metrics.CUTS)
    axes.set_xlabel("k")


def _budget_curve(axes: Axes, systems: Mapping[str, Any]) -> None:
    _curve(axes, systems, "verbatim", metrics.BUDGETS)
    axes.set_xlabel("budget, tokens")
    axes.set_xscale("log", base=2)
    axes.set_xticks(metrics.BUDGETS, [str(budget) for budget in metrics.BUDGETS])


def _category_bars(axes: Axes, systems: Mapping[str, Any]) -> None:
    names = [name for name in CATEGORIES.values() if all(r["groups"].get(name) for r in systems.values())]
    width = 0.8 / max(len(systems), 1)
    for place, (system, result) in enumerate(systems.items()):
        heights = [result["groups"][name]["recall@10"]["value"] for name in names]
        axes.bar([i + place * width for i in range(len(names))], heights, width, label=system)
    axes.set_xticks([i + 0.4 - width / 2 for i in range(len(names))], names)
