"""`demo` and `eval`: the runs, which live in the evaluation wing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentmem.cli.options import EmbedderOption, Json
from agentmem.registry import load

Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for the results. Default: out/<task>-<time>.")
]

evals = typer.Typer(no_args_is_help=True, help="Measure recall on a benchmark.")


def demo(out: Out = None, as_json: Json = False) -> None:
    """Remember a sample conversation, ask ten questions, and print a measured table."""
    raise typer.Exit(load("evals", "demo")(out=out, as_json=as_json))


@evals.command()
def locomo(
    data: Annotated[Path | None, typer.Option("--data", help="LoCoMo's JSON file.")] = None,
    sample: Annotated[bool, typer.Option("--sample", help="The packaged sample instead of LoCoMo.")] = False,
    systems: Annotated[
        list[str] | None, typer.Option("--system", help="Only this system; repeat for more. Default: all.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many questions a conversation.")] = None,
    out: Out = None,
    embedder: EmbedderOption = None,
    as_json: Json = False,
) -> None:
    """Evidence recall on LoCoMo, beside plain baselines."""
    status = load("evals", "locomo")(
        data=data, out=out, embedder=embedder, systems=systems, limit=limit, as_json=as_json, sample=sample
    )
    raise typer.Exit(status)
