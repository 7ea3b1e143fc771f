"""`agentmem episodes`: the stretches that a conversation falls into."""

from __future__ import annotations

from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory


def episodes(
    session: Annotated[str | None, typer.Option("--session", "-s", help="Only this session.")] = None,
    after: Annotated[
        int, typer.Option("--after", metavar="SEQ", help="Only episodes that end after this position.")
    ] = -1,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="COUNT", min=1, help="At most this many, oldest first.")
    ] = None,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print the episodes of a memory with title and summary, oldest first."""
    with open_memory(db, namespace, embedder) as memory:
        found = memory.episodes(session=session, after_seq=after, limit=limit)
    if as_json:
        render.print_json({"episodes": found})
        return
    for episode in found:
        span = render.plural(episode.events, "event")
        render.print_text(
            f"{render.moment(episode.started_at)}  {episode.session}  {episode.id}  {episode.title}\n"
            f"    {span}, ended by {episode.reason}: {episode.summary}"
        )
