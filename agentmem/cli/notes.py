"""`agentmem notes`: what is held to be true, and since when until when."""

from __future__ import annotations

from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory


def notes(
    at: Annotated[
        str | None, typer.Option("--at", metavar="TIME", help="Only what held at this moment; now is 'now'.")
    ] = None,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print what is held to be true, in the order it was written down."""
    with open_memory(db, namespace, embedder) as memory:
        moment = memory.core.clock.now() if at == "now" else at
        found = memory.notes(at=moment)
    if as_json:
        render.print_json({"notes": found})
        return
    for note in found:
        until = "still" if note.valid_to is None else render.moment(note.valid_to)
        since = render.moment(note.valid_from or note.recorded_at)
        render.print_text(f"{since} to {until}  {note.id}  {note.kind}: {note.text}")
