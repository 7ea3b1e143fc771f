"""From answers to one summary, and from the summary alone to a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from . import metrics
from .run import Answered, Costs
from .task import CATEGORIES, Dataset

GROUPS: Mapping[str, tuple[int, ...]] = {
    "1-4": (1, 2, 3, 4),
    "1-5": (1, 2, 3, 4, 5),
    **{name: (number,) for number, name in CATEGORIES.items()},
}
RANKING = ("recall@1", "recall@5", "recall@10", "recall@20", "all@10", "ndcg@10", "mrr")
CONTEXT = tuple(f"verbatim@{budget}" for budget in metrics.BUDGETS)


def summarise(
    dataset: Dataset, answers: Sequence[Answered], costs: Mapping[str, Costs], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything the table and the report show, as plain JSON."""
    return {
        "task": "locomo",
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "conversations": len(dataset.conversations),
            "turns": sum(len(conversation.turns) for conversation in dataset.conversations),
            "questions": sum(len(conversation.questions) for conversation in dataset.conversations),
            "defects": asdict(dataset.defects),
        },
        **about,
        "systems": {
            name: _system([answer for answer in answers if answer.system == name], costs[name])
            for name in costs
        },
    }


def _system(answers: Sequence[Answered], costs: Costs) -> dict[str, Any]:
    if not answers:
        return {"groups": {}, "costs": {}, "misses": {}, "unavailable": costs.unavailable}
    groups = {
        group: {
            name: asdict(value)
            for name, value in metrics.means(
                [answer.scores for answer in answers if answer.question.category in numbers]
            ).items()
        }
        for group, numbers in GROUPS.items()
    }
    timings = costs.timings
    with_p50, with_p95 = metrics.percentiles_ms([timing.recall + timing.embed for timing in timings])
    without_p50, without_p95 = metrics.percentiles_ms([timing.recall for timing in timings])
    return {
        "groups": groups,
        "unavailable": "",
        "misses": dict(Counter(answer.miss for answer in answers if answer.miss).most_common()),
        "tokens": {
            str(budget): sum(answer.tokens[budget] for answer in answers) / len(answers)
            for budget in metrics.BUDGETS
        },
        "costs": {
            "ingest_s_per_1000_turns": 1000 * costs.ingest_seconds / max(costs.turns, 1),
            "recall_ms": {"p50": with_p50, "p95": with_p95},
            "recall_without_embedding_ms": {"p50": without_p50, "p95": without_p95},
            "bytes_on_disk": costs.size_bytes,
        },
    }


def table(summary: Mapping[str, Any], group: str, columns: Sequence[str]) -> Table:
    """Some metrics of one group of questions, systems as rows."""
    rows = {name: system for name, system in summary["systems"].items() if system["groups"].get(group)}
    count = max((system["groups"][group]["mrr"]["n"] for system in rows.values()), default=0)
    title = f"{summary['data']['name']}, {_label(group)}: {count} questions"
    shown = Table(title=title, title_justify="left")
    shown.add_column("system", no_wrap=True)
    for name in columns:
        # short enough for a terminal of 80 columns
        shown.add_column(name.replace("recall@", "R@"), justify="right", no_wrap=True)
    for name, system in rows.items():
        shown.add_row(name, *(f"{system['groups'][group][column]['value']:.3f}" for column in columns))
    return shown


def unavailable(summary: Mapping[str, Any]) -> list[str]:
    """A line for each system that could not be run, saying why."""
    return [
        f"{name}: {system['unavailable']}"
        for name, system in summary["systems"].items()
        if system["unavailable"]
    ]


def _label(group: str) -> str:
    return f"categories {group}" if group[0].isdigit() else group


def cost_table(summary: Mapping[str, Any]) -> Table:
    """What each system took."""
    shown = Table(title="cost: ingest, recall in ms, bytes", title_justify="left")
    for name in ("system", "s/1000 turns", "recall p50/p95", "no embedding", "on disk"):
        shown.add_column(name, justify="left" if name == "system" else "right")
    for name, system in summary["systems"].items():
        if costs := system["costs"]:
            whole, bare = costs["recall_ms"], costs["recall_without_embedding_ms"]
            shown.add_row(
                name,
                f"{costs['ingest_s_per_1000_turns']:.2f}",
                f"{whole['p50']:.1f} / {whole['p95']:.1f}",
                f"{bare['p50']:.1f} / {bare['p95']:.1f}" if name == "agentmem" else "",
                f"{costs['bytes_on_disk']:,}" if costs["bytes_on_disk"] else "in memory",
            )
    return shown
