"""`agentmem entities`: who and what a memory names."""

from __future__ import annotations

from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory


def entities(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these, in any spelling.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="COUNT", min=1, help="At most this many.")] = 50,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print who and what is named, the most mentioned first."""
    with open_memory(db, namespace, embedder) as memory:
        found = memory.entities(*(names or ()), limit=limit)
    if as_json:
        render.print_json({"entities": found})
        return
    for entity in found:
        render.print_text(f"{entity.mentions:>6}  {entity.kind:<8} {entity.name}")
        for alias in entity.aliases:
            render.print_text(f"{'':>6}  also     {alias.name}: {alias.evidence}")
