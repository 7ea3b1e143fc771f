"""`agentmem events`, `history` and `stats`: what is stored, as it is stored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from agentmem.cli import lifecycle, render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory
from agentmem.cli.progress import Bar
from agentmem.memory import Memory
from agentmem.types import Event

_PAGE = 512


def events(
    session: Annotated[str | None, typer.Option("--session", "-s", help="Only this session.")] = None,
    after: Annotated[
        int, typer.Option("--after", metavar="SEQ", help="Only events after this position.")
    ] = -1,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="COUNT", min=1, help="At most this many, oldest first.")
    ] = None,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print events in the order they were stored, verbatim."""
    with open_memory(db, namespace, embedder) as memory:
        found = _pages(memory, session, after, limit)
        if as_json:
            render.print_json_list("events", found)
            return
        for event in found:
            words = event.content.replace("\n", "\n    ")
            head = f"{render.moment(event.occurred_at)}  {event.session}  {event.id}  {event.speaker}:"
            render.print_text(f"{head} {words}")


def _pages(memory: Memory, session: str | None, after: int, limit: int | None) -> Iterator[Event]:
    """Events a page at a time, so that the longest memory costs no more than a page."""
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = memory.events(session=session, after_seq=after, limit=size)
        yield from page
        if len(page) < size:
            return
        after = page[-1].seq
        left = None if left is None else left - size


def history(
    id: Annotated[str, typer.Argument(metavar="ID", help="An event or a note, also a forgotten one.")],
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print what happened to an event or a note, oldest first; for a note, every version of what it says."""
    with open_memory(db, namespace, embedder) as memory:
        entries = memory.history(id)
    if as_json:
        render.print_json({"history": entries})
        return
    for entry in entries:
        detail = "".join(f"  {key}={value}" for key, value in entry.detail.items())
        render.print_text(f"{render.moment(entry.at)}  {entry.id}  {entry.action}{detail}")


def stats(
    everyone: Annotated[
        bool, typer.Option("--all", help="Every namespace of the store, one after the other.")
    ] = False,
    with_lifecycle: Annotated[
        bool, typer.Option("--lifecycle", help="Also retention, precisions of vectors, and KV tiers.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot", metavar="FILE", help="Draw the lifecycle here (.png, .svg); needs matplotlib."
        ),
    ] = None,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print what a namespace holds, and what its store costs."""
    with Bar("counting"), open_memory(db, namespace, embedder) as memory:
        views = [memory.namespace(*parts) for parts in memory.namespaces()] if everyone else [memory]
        found = [view.stats() for view in views]
        held = [view.lifecycle() for view in views] if with_lifecycle or plot else []
    if plot is not None:
        lifecycle.plot(held, plot)
    if as_json:
        values = [
            {**render.fields_of(item), **({"lifecycle": held[place]} if held else {})}
            for place, item in enumerate(found)
        ]
        render.print_json({"namespaces": values} if everyone else values[0])
        return
    tables = [
        render.table(
            {
                **_flat(render.fields_of(item)),
                "namespace": "/".join(item.namespace),
                **(lifecycle.rows(held[place]) if held else {}),
            }
        )
        for place, item in enumerate(found)
    ]
    if tables:
        render.print_text("\n\n".join(tables))


def _flat(values: dict[str, object]) -> dict[str, object]:
    return {name.replace("_", " "): value for name, value in values.items()}
