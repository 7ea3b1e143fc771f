"""What `agentmem eval reread` does: measures what looking again finds, and what it costs.

Without data, on generated questions whose second fact shares no word with them (`bridges`); of LoCoMo's most are such
that one look finds what there is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import numpy as np
from rich.console import Console
from rich.table import Table

from agentmem.contracts import Embedder
from agentmem.embed import choose_embedder
from agentmem.memory import Memory
from agentmem.read.recall import Recaller
from agentmem.read.request import Request

from . import bridges, metrics
from .commands import dataset_of
from .progress import progress
from .task import CATEGORIES, Conversation, Dataset, Question

ROUNDS = (0, 1, 2)
BUDGETS = (500, 1000)
_ANSWERABLE = (1, 2, 3, 4)
Row = dict[str, float]


def reread(data: Path | None, sample: bool, limit: int | None, embedder: str | None, as_json: bool) -> int:
    """Print evidence found without looking again, and with one or two further looks.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
    """
    own = data is None and not sample
    dataset = bridges.dataset() if own else dataset_of(data, sample)
    groups = bridges.GROUPS if own else CATEGORIES
    model = choose_embedder(embedder)
    with progress() as tell:
        rows = measure(dataset, model, limit, tell)
    tables = {
        str(rounds): {
            name: _mean([row for of, row in found if of in numbers])
            for name, numbers in (("all", _ANSWERABLE), *((name, (of,)) for of, name in groups.items()))
            if any(of in numbers for of, _ in found)
        }
        for rounds, found in rows.items()
    }
    if as_json:
        print(json.dumps({"embedder": model.name, "data": dataset.name, "rounds": tables}))
    else:
        Console().print(_table(f"looking again: {dataset.name} ({model.name})", tables))
    return 0


def measure(
    dataset: Dataset, embedder: Embedder, limit: int | None, tell: Callable[[str, int, int], None]
) -> dict[int, list[tuple[int, Row]]]:
    """Per number of further looks the category and figures of each question (the first `limit` of a conversation)."""
    rows: dict[int, list[tuple[int, Row]]] = {rounds: [] for rounds in ROUNDS}
    for place, conversation in enumerate(dataset.conversations):
        tell(conversation.id, place, len(dataset.conversations))
        with Memory("sqlite://", embedder=embedder) as memory:
            memory.remember([turn.message() for turn in conversation.turns])
            for question, rounds, row in _asked(memory, conversation, limit):
                rows[rounds].append((question.category, row))
    return rows


def _asked(
    memory: Memory, conversation: Conversation, limit: int | None
) -> Iterator[tuple[Question, int, Row]]:
    words = {turn.id: turn.words for turn in conversation.turns}
    recaller = memory.core.wiring.recaller
    questions = [q for q in conversation.questions if q.evidence and q.category in _ANSWERABLE]
    for question in questions[:limit]:
        wanted = [words[id_] for id_ in question.evidence]
        for rounds in ROUNDS:
            request = Request(memory.current_namespace, question.text, max(BUDGETS), reread=rounds)
            yield question, rounds, _row(recaller, request, question.evidence, wanted)


def _row(recaller: Recaller, request: Request, evidence: Sequence[str], wanted: Sequence[str]) -> Row:
    asked = recaller.asked(request)
    start = perf_counter()
    found = recaller.find(request, asked)
    seconds = perf_counter() - start
    ids = list(dict.fromkeys(id_ for entry in found.candidates for id_ in entry.source_ids))
    contexts = {
        budget: recaller.packed(replace(request, budget_tokens=budget), found, 0.0, start).text
        for budget in BUDGETS
    }
    return {
        "recall@10": metrics.recall_at(ids, evidence, 10),
        "last@10": metrics.recall_at(ids, evidence[-1:], 10),
        "all@10": metrics.all_at(ids, evidence, 10),
        "recall@20": metrics.recall_at(ids, evidence, 20),
        **{f"verbatim@{budget}": metrics.verbatim(text, wanted) for budget, text in contexts.items()},
        "looked again": float(any(look.by for look in found.rereads)),
        "ms": seconds * 1e3,
    }


def _mean(rows: Sequence[Row]) -> Row:
    """Means, but the median of the times."""
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    means["ms"] = float(np.median([row["ms"] for row in rows]))
    return {"questions": len(rows), **{name: round(value, 4) for name, value in means.items()}}


def _table(title: str, tables: dict[str, dict[str, Row]]) -> Table:
    shown = Table(title=title, title_justify="left")
    for name in ("looks", "questions of", *next(iter(tables["0"].values()))):
        short = name.replace("recall@", "R@").replace("verbatim@", "verb@")
        shown.add_column(short, justify="right", no_wrap=True)
    for rounds, groups in tables.items():
        for group, row in groups.items():
            shown.add_row(
                rounds,
                group,
                *(
                    f"{value:.0f}" if name in ("questions", "ms") else f"{value:.3f}"
                    for name, value in row.items()
                ),
            )
    return shown
