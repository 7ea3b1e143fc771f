"""`agentmem eval stream`: a text without end through the recall model on a fixed budget, and what it still knows of it.

The model reads sentences and facts in calls of about 64 tokens. Its cache is sinks and a recent window whose positions
never pass `reach`; every few calls what was read goes to a `KVMemory`, in words and as coded keys and values, on disk.
Perplexity is compared with a reference that reads sinks, window and call anew each time, without any cache of ours. At
the end every fact is asked for twice: of the window alone, and in the stream with a recall.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from agentmem.errors import InvalidInputError, MissingExtraError

from .kv_streamed import SINKS, Streamed
from .machine import describe, memory_mib, peak_memory_mib
from .progress import Tell, progress
from .recaller_text import facts, sentence

SEED, CALL = 17, 64
EVERY_EPISODE = 4
"""Calls that make an episode."""
EVERY_CHECK = 16
"""Calls between two comparisons with the reference."""
MARKS = 50
"""Points of the memory curve."""
MOST_FACTS = 200


@dataclass(frozen=True, slots=True)
class Plan:
    """`tokens` to be read with a window of `budget` tokens and no position past `reach`."""

    tokens: int
    budget: int
    reach: int


def calls(plan: Plan) -> Iterator[tuple[list[int], list[tuple[int, int]]]]:
    """Tokens of one call after another, whole sentences and facts, and the facts told in it as (name, thing)."""
    rng = np.random.default_rng([SEED, plan.tokens])
    told = facts(rng, min(MOST_FACTS, max(1, plan.tokens // 500)))
    places = sorted(rng.integers(0, int(plan.tokens * 0.98), len(told)).tolist())
    read, waiting = 0, list(zip(places, told, strict=True))
    while read < plan.tokens:
        ids: list[int] = []
        now: list[tuple[int, int]] = []
        while len(ids) < CALL - 12:
            if waiting and read + len(ids) >= waiting[0][0]:
                name, thing = waiting.pop(0)[1]
                ids += [name, thing]
                now.append((name, thing))
            else:
                ids += sentence(rng)
        read += len(ids)
        yield ids, now


def stream(tokens: int, budget: int, reach: int, store: Path | None, plot: Path | None, as_json: bool) -> int:
    """Read, measure, print; a memory at `store` stays, without one it goes. Ctrl-C asks of what was read until then.

    Raises:
        InvalidInputError: a budget or reach that leaves no room for a call.
        MissingExtraError: torch, transformers or matplotlib is not installed.
    """
    if budget <= SINKS or reach < budget + CALL:
        raise InvalidInputError(
            f"budget is {budget} and reach {reach}: the budget must be over {SINKS} and the reach at least {CALL} more"
        )
    plan = Plan(tokens, budget, reach)
    with ExitStack() as stack, progress() as tell:
        where = store or Path(stack.enter_context(TemporaryDirectory()), "stream.db")
        found, partial = _run(plan, where, tell)
    result = {
        "arguments": asdict(plan),
        "partial": partial,
        **asdict(found),
        "perplexity": found.perplexity,
        "reference_perplexity": found.reference_perplexity,
        "machine": describe(),
        "peak_memory_mib": peak_memory_mib(),
    }
    if plot is not None:
        plot_curve(found, plot)
    if as_json:
        print(json.dumps(result))
    else:
        _print(plan, found, partial)
    return 130 if partial else 0


def _run(plan: Plan, store: Path, tell: Tell) -> tuple[Streamed, bool]:
    try:
        from .kv_stream_run import Run
    except ModuleNotFoundError as error:
        raise MissingExtraError("agentmem eval stream", "kv") from error
    partial, began = False, time.perf_counter()
    with Run(plan.budget, plan.reach, store) as run:
        told: list[tuple[int, int]] = []
        step = max(1, plan.tokens // MARKS)
        try:
            for number, (ids, now) in enumerate(calls(plan)):
                run.read(ids, check=number % EVERY_CHECK == EVERY_CHECK - 1)
                told += now
                if number % EVERY_EPISODE == EVERY_EPISODE - 1:
                    run.remember()
                if run.found.tokens // step > len(run.found.curve) - 1:
                    run.found.curve.append(run.mark(memory_mib()))
                tell("reading", run.found.tokens, plan.tokens)
        except KeyboardInterrupt:
            partial = True
        run.remember()
        for asked, (name, thing) in enumerate(told):
            tell("asking", asked, len(told))
            run.ask(name, thing)
        run.found.seconds = time.perf_counter() - began
        return run.found, partial


def plot_curve(found: Streamed, path: Path) -> None:
    """Bytes of the cache, and memory of the process, over the tokens read."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="tight")
    axes = figure.add_subplot()
    read = [mark["tokens"] for mark in found.curve]
    axes.plot(read, [mark["cache_bytes"] / 1024 for mark in found.curve], label="cache, KiB")
    axes.set(xlabel="tokens read", ylabel="cache, KiB", ylim=(0, None))
    other = axes.twinx()
    other.plot(read, [mark["process_mib"] for mark in found.curve], color="0.6", label="process, MiB")
    other.set(ylabel="process, MiB (grey)", ylim=(0, None))
    figure.savefig(path)


def _print(plan: Plan, found: Streamed, partial: bool) -> None:
    console = Console()
    if partial:
        console.print("stopped before the end: figures are of what was read by then")
    first, last = found.curve[0], found.curve[-1]
    console.print(
        f"{found.tokens:,} tokens in {found.seconds:,.0f} s on {plan.budget} tokens a layer; "
        f"greatest position {found.greatest_position:,}"
    )
    console.print(
        f"cache {first['cache_bytes']:,.0f} bytes after {first['tokens']:,.0f} tokens, {last['cache_bytes']:,.0f} at "
        f"the end; process {first['process_mib']:.0f} and {last['process_mib']:.0f} MiB"
    )
    console.print(
        f"perplexity {found.perplexity:.3f}, of a window read anew {found.reference_perplexity:.3f} "
        f"({found.compared:,} tokens compared)"
    )
    console.print(
        f"facts recalled {found.recalled} of {found.facts}; by the window alone {found.in_window}",
        highlight=False,
    )
