"""What `agentmem eval locomo` and `agentmem demo` do. The command line parses; this runs, writes and prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from agentmem.embed import choose_embedder
from agentmem.errors import InvalidInputError
from agentmem.tokens import as_tokenizer

from . import locomo as locomo_data
from . import report, summary
from .machine import describe, peak_memory_mib
from .progress import progress
from .run import Answered, Run
from .show import show_answers
from .systems import DEFAULT, PEERS, SYSTEMS
from .task import Dataset


def locomo(
    data: Path | None,
    out: Path | None,
    embedder: str | None,
    systems: list[str] | None,
    limit: int | None,
    as_json: bool,
    sample: bool,
    peers: bool = False,
    chats: bool = False,
) -> int:
    """Evaluate on a LoCoMo file, or on the packaged sample or chats; returns an exit status.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
        InvalidInputError: an unknown system.
    """
    dataset = dataset_of(data, sample, chats)
    wanted = list(dict.fromkeys([*(systems or DEFAULT), *(PEERS if peers else ())]))
    if unknown := set(wanted) - set(SYSTEMS):
        raise InvalidInputError(f"unknown systems {sorted(unknown)}; known: {', '.join(SYSTEMS)}")
    arguments = {
        "data": str(data),
        "embedder": embedder,
        "systems": wanted,
        "limit": limit,
        "sample": sample,
        "peers": peers,
        "chats": chats,
    }
    folder = out or Path("out", f"locomo-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    result = _evaluate(dataset, wanted, embedder, limit, folder, arguments)
    if as_json:
        print(json.dumps(result))
    else:
        _print(result, folder, ("1-4", "1-5"))
    return 130 if result["partial"] else 0


def demo(out: Path | None, as_json: bool) -> int:
    """Remember the sample conversation, ask ten questions, then evaluate on all of them."""
    dataset = dataset_of(None, sample=True)
    folder = out or Path("out", f"demo-{datetime.now(UTC):%Y%m%d-%H%M%S}")
    if not as_json:
        show_answers(dataset.conversations[0], Console())
    result = _evaluate(dataset, DEFAULT, None, None, folder, {"sample": True})
    if as_json:
        print(json.dumps(result))
    else:
        _print(result, folder, ("1-4",))
    return 130 if result["partial"] else 0


def dataset_of(data: Path | None, sample: bool, chats: bool = False) -> Dataset:
    """A LoCoMo file, or the packaged sample or chats.

    Raises:
        EvalDataError: the data is absent or not in LoCoMo's format.
        InvalidInputError: two of them at once.
    """
    if sum((data is not None, sample, chats)) > 1:
        others = "--sample and --data" if not chats else "--chats, --sample and --data"
        raise InvalidInputError(f"{others} exclude each other; give one of them")
    if chats:
        return replace(locomo_data.load(locomo_data.chats_path()), name="assistant chats", source="packaged")
    if sample:
        return replace(
            locomo_data.load(locomo_data.sample_path()), name="sample conversation", source="packaged"
        )
    return locomo_data.load(data)


def _evaluate(
    dataset: Dataset,
    systems: Sequence[str],
    embedder: str | None,
    limit: int | None,
    folder: Path,
    arguments: dict[str, Any],
) -> dict[str, Any]:
    """Run, and write answers as they come; an interruption keeps what is finished."""
    model = choose_embedder(embedder)
    tokenizer = as_tokenizer(None)
    model.embed(["warm up"])
    folder.mkdir(parents=True, exist_ok=True)
    started = datetime.now(UTC)
    run = Run(dataset, systems, model, tokenizer)
    answers: list[Answered] = []
    partial = False
    with (folder / "questions.jsonl").open("w", encoding="utf-8") as lines, progress() as tell:
        try:
            for answered in run.answers(limit, tell):
                answers.extend(answered)
                lines.writelines(
                    json.dumps(answer.as_json(), ensure_ascii=False) + "\n" for answer in answered
                )
                lines.flush()
        except KeyboardInterrupt:
            partial = True
    about = {
        "version": 1,
        "partial": partial,
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "embedder": model.name,
        "tokenizer": tokenizer.name,
        "seed": 0,
        "arguments": arguments,
        "machine": describe(),
        "peak_memory_mib": peak_memory_mib(),
    }
    result = summary.summarise(dataset, answers, run.costs, about)
    (folder / "summary.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    report.write(result, folder / "report.html")
    return result


def _print(result: dict[str, Any], folder: Path, groups: Sequence[str]) -> None:
    console = Console()
    if result["partial"]:
        console.print("stopped before the end: the tables hold the questions finished by then")
    for group in groups:
        console.print(summary.table(result, group, summary.RANKING))
        console.print(summary.table(result, group, summary.CONTEXT))
    console.print(summary.cost_table(result))
    for line in summary.unavailable(result):
        console.print(f"not run here: {line}", markup=False)
    machine = result["machine"]
    console.print(
        f"{result['embedder']}, budgets in {result['tokenizer']} tokens; {machine['cpu']}, {machine['cores']} cores; "
        f"peak memory {result['peak_memory_mib']:.0f} MiB"
    )
    defects = result["data"]["defects"]
    console.print(
        f"evidence ids mended {defects['mended']}, not in the data {len(defects['dangling'])}; "
        f"questions without evidence, left out: {defects['without_evidence']}; "
        f"turns empty or repeated, left out: {len(defects['turns'])}"
    )
    console.print(f"report: {folder / 'report.html'}", soft_wrap=True)
