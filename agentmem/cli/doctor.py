"""`agentmem doctor`: prints what the checks find."""

from __future__ import annotations

from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.checks import check_everything
from agentmem.cli.options import AsJson, Db, Embedder
from agentmem.cli.progress import Bar
from agentmem.config import store_url

_EXIT_BROKEN = 1


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Also read every row, and compare what is derived with the events.")
    ] = False,
    db: Db = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Check what agentmem needs, and say what to do.

    Looks at Python, extras, disk, database and embedder; exit code 1 if something is broken.
    """
    with Bar("looking around"):
        found = list(check_everything(store_url(db), embedder, deep=deep))
    sound = all(check.status != "broken" for check in found)
    if as_json:
        render.print_json({"ok": sound, "checks": found})
    else:
        width = max(len(check.name) for check in found)
        for check in found:
            render.print_text(
                f"{check.status.upper():<7}  {check.name:<{width}}  {' '.join(check.detail.split())}"
            )
            if check.advice:
                render.print_text(f"{'':<7}  {'':<{width}}  -> {check.advice}")
    if not sound:
        raise typer.Exit(_EXIT_BROKEN)
