"""The tables and the plot of `agentmem eval kv`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

Rows = Sequence[dict[str, Any]]
USUAL = 10
"""The budget, in per cent, whose bytes are shown: as a share of what a cache that keeps everything holds."""


def by_budget(rows: Rows, title: str) -> Table:
    """One line a policy: recall at each budget, and what it held at the one that memory is usually put on."""
    budgets = sorted({row["budget"] for row in rows})
    table = Table(title=title, title_justify="left", caption="budgets in per cent of the text's tokens")
    table.add_column("policy", no_wrap=True)
    for budget in budgets:
        table.add_column(f"{budget} %", justify="right", no_wrap=True)
    table.add_column(f"bytes at {USUAL} %", justify="right")
    for name in dict.fromkeys(row["policy"] for row in rows):
        found = {row["budget"]: row for row in rows if row["policy"] == name}
        recalled = (f"{found[budget]['recalled']:.3f}" if budget in found else "" for budget in budgets)
        table.add_row(name, *recalled, f"{found[USUAL]['held']:.3f}" if USUAL in found else "")
    return table


def distances(rows: Rows) -> Table:
    """Recall with everything kept."""
    table = Table(title="everything kept, by tokens between", title_justify="left")
    for row in rows:
        table.add_column(f"{row['distractors']:,}", justify="right", no_wrap=True)
    table.add_row(*(f"{row['recalled']:.3f}" for row in rows))
    return table


def widths(rows: Rows) -> Table:
    """Bytes and what they cost."""
    table = Table(title="a text put back, against the same text in the prompt", title_justify="left")
    table.add_column("told")
    table.add_column("width")
    for column in ("bytes a token", "top-1 agreement", "KL (nats)", "answers right"):
        table.add_column(column, justify="right")
    for row in rows:
        figures = (f"{row[name]:.3f}" for name in ("agreement", "kl", "right"))
        table.add_row(row["told"], row["width"], f"{row['bytes_a_token']:.0f}", *figures)
    return table


def loading(rows: Rows) -> Table:
    """Times until a text of 4,000 tokens is in place."""
    table = Table(title="4,000 tokens in place again, ms", title_justify="left")
    table.caption = "by disk: how many times faster than reading the text anew"
    table.add_column("model", no_wrap=True)
    for column in ("bits", "KiB", "disk", "host", "read anew", "by disk"):
        table.add_column(column, justify="right")
    for row in rows:
        times = (f"{1000 * row[name]:.1f}" for name in ("disk_s", "host_s", "read_anew_s"))
        faster = f"{row['read_anew_s'] / row['disk_s']:.1f}x"
        table.add_row(row["model"], str(row["bits"]), f"{row['file_bytes'] / 1024:.0f}", *times, faster)
    return table


def exact(rows: Rows) -> Table:
    """What comes back bit by bit."""
    table = Table(title="exact, bf16: bytes a token and ms to restore 1,000 tokens", title_justify="left")
    table.add_column("model", no_wrap=True)
    for column in ("mode", "bytes a token", "restored in", "identical"):
        table.add_column(column, justify="right")
    for row in rows:
        same = "yes" if row["identical"] else "NO"
        table.add_row(
            row["model"],
            row["mode"],
            f"{row['bytes_a_token']:,.0f}",
            f"{1000 * row['restore_s']:.1f}",
            same,
        )
    return table


def soft(rows: Rows) -> Table:
    """One line a way to keep episodes: recall at each number of embeddings or in as many bytes, or without a limit."""
    counts = sorted({row["count"] for row in rows} - {0}) or [0]
    table = Table(title="soft memories: facts given back, by embeddings an episode", title_justify="left")
    table.caption = (
        "facts: in an episode x episodes together; what has bytes of its own has no number of embeddings"
    )
    table.add_column("kept", no_wrap=True)
    for column in ("facts", *map(str, counts), "bytes"):
        table.add_column(column, justify="right", no_wrap=True)
    for told, facts, together in lines_of(rows):
        found = {row["count"]: row for row in rows if line_of(row) == (told, facts, together)}
        cells = [f"{found[count]['recalled']:.3f}" if count in found else "" for count in counts]
        size = ""
        if 0 in found:
            cells[-1], size = f"{found[0]['recalled']:.3f}", f"{found[0]['bytes']:,.0f}"
        table.add_row(told, f"{facts} x {together}", *cells, size)
    return table


def lines_of(rows: Rows) -> list[tuple[str, int, int]]:
    """The lines that rows of soft memories belong to, in order."""
    return list(dict.fromkeys(line_of(row) for row in rows))


def line_of(row: dict[str, Any]) -> tuple[str, int, int]:
    """How episodes are kept, facts in each, and episodes together."""
    return row["told"], row["facts"], row["together"]


TABLES: dict[str, Callable[[Rows], Table]] = {
    "needles": lambda rows: by_budget(rows, "facts recalled, by budget"),
    "episodes": lambda rows: by_budget(rows, "facts recalled from episodes that are not in the prompt"),
    "distances": distances,
    "widths": widths,
    "loading": loading,
    "exact": exact,
    "kvpress": lambda rows: by_budget(rows, "facts recalled by kvpress, which sees a whole text at once"),
    "soft": soft,
}
"""Part -> its table."""


def draw(result: dict[str, Any], path: Path) -> None:
    """What of recall over budget and of soft memories was measured, one above the other."""
    from matplotlib.figure import Figure

    needles = [*result.get("needles", ()), *result.get("episodes", ())] if "needles" in result else []
    drawn = [
        (plot, rows) for plot, rows in ((plot_needles, needles), (plot_soft, result.get("soft"))) if rows
    ]
    if not drawn:
        return
    figure = Figure(figsize=(8, 5 * len(drawn)), layout="tight")
    for number, (plot, rows) in enumerate(drawn, 1):
        plot(figure.add_subplot(len(drawn), 1, number), rows)
    figure.savefig(path)


def plot_needles(axes: Any, rows: Rows) -> None:
    """One line a policy: recall over budget."""
    for name in dict.fromkeys(row["policy"] for row in rows):
        mine = [row for row in rows if row["policy"] == name]
        axes.plot([row["budget"] for row in mine], [row["recalled"] for row in mine], marker="o", label=name)
    axes.set(
        xlabel="budget, % of the text's tokens", ylabel="facts recalled", xscale="log", ylim=(-0.02, 1.02)
    )
    budgets = sorted({row["budget"] for row in rows})
    axes.set_xticks(budgets, [str(budget) for budget in budgets], minor=False)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def plot_soft(axes: Any, rows: Rows) -> None:
    """One line a way to keep episodes: recall over the bytes of one."""
    for number, (told, facts, together) in enumerate(lines_of(rows)):
        mine = [row for row in rows if line_of(row) == (told, facts, together)]
        marker = "o" if number < 10 else "s"
        name = f"{told}: {facts} facts x {together} episodes"
        axes.plot(
            [row["bytes"] for row in mine], [row["recalled"] for row in mine], marker=marker, label=name
        )
    axes.set(xlabel="bytes of an episode", ylabel="facts given back", xscale="log", ylim=(-0.02, 1.02))
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
