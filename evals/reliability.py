"""Draws how far the gate's chances can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .chances import Judged, reliability


def plot_reliability(judged: Mapping[str, Judged], path: Path) -> None:
    """One line per set of weights: the share of questions with an answer over the chance told, held out."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 5), layout="tight")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    for name, found in judged.items():
        rows = reliability(found)
        axes.plot(
            [row["chance"] for row in rows], [row["answerable"] for row in rows], marker="o", label=name
        )
    axes.set(xlabel="chance told", ylabel="questions with an answer", xlim=(0, 1), ylim=(0, 1))
    axes.legend()
    figure.savefig(path)
