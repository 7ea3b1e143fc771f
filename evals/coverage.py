"""What stopping short of the budget saves, and what it loses: tokens and verbatim recall by coverage.

On conversations that the weights were not fitted on, as in `fit`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from agentmem.embed import choose_embedder
from agentmem.read.candidates import Candidate
from agentmem.read.pack import Context, enough
from agentmem.tokens import as_tokenizer

from . import locomo as locomo_data
from . import metrics
from .folds import ANSWERABLE, columns_of, divisible, unseen
from .lessons import Lesson, lessons
from .progress import progress
from .task import Dataset

COVERAGES = (1.0, 0.999, 0.998, 0.995, 0.99, 0.98, 0.95, 0.9)
BUDGETS = (500, 1000, 2000)
Row = dict[str, float]


def coverage(data: Path | None, embedder: str | None, splits: int, as_json: bool) -> int:
    """Print verbatim recall and tokens used, by coverage and budget, on held-out conversations.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
        InvalidInputError: fewer than two conversations, so nothing can be held out.
    """
    dataset = divisible(locomo_data.load(data))
    model = choose_embedder(embedder)
    with progress() as tell:
        learned = lessons(dataset, model, tell)
    rows = held_out(dataset, learned, splits)
    if as_json:
        print(json.dumps({"embedder": model.name, "rows": rows}))
    else:
        Console().print(_table(model.name, rows))
    return 0


def held_out(dataset: Dataset, learned: Sequence[Lesson], splits: int) -> list[Row]:
    """Per coverage the means over all answerable questions; none is ranked by weights that saw it."""
    names = columns_of(learned, "late")
    words = {(c.id, turn.id): turn.words for c in dataset.conversations for turn in c.turns}
    found: dict[float, list[Row]] = {share: [] for share in COVERAGES}
    for lesson, candidates in unseen(dataset, learned, names, splits):
        if lesson.question.category not in ANSWERABLE:
            continue
        wanted = [words[lesson.conversation, id_] for id_ in lesson.question.evidence]
        for share, of in found.items():
            kept = candidates[: enough(candidates, share)]
            of.append(_packed(kept, wanted))
    return [
        {"coverage": share, **{name: round(float(np.mean([row[name] for row in of])), 4) for name in of[0]}}
        for share, of in found.items()
    ]


def _packed(candidates: Sequence[Candidate], wanted: Sequence[str]) -> Row:
    row: Row = {}
    for budget in BUDGETS:
        context = Context(budget, as_tokenizer(None))
        context.add(candidates)
        row[f"verbatim@{budget}"] = metrics.verbatim(context.text, wanted)
        row[f"tokens@{budget}"] = context.tokens
    return row


def _table(embedder: str, rows: Sequence[Mapping[str, float]]) -> Table:
    shown = Table(title=f"what is packed ({embedder}), held-out conversations", title_justify="left")
    for name in rows[0]:
        shown.add_column(name.replace("verbatim@", "verb@"), justify="right", no_wrap=True)
    for row in rows:
        shown.add_row(
            *(f"{value:.0f}" if name.startswith("tokens") else f"{value:g}" for name, value in row.items())
        )
    return shown
