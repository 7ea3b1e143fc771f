"""`agentmem export`, `import` and `reindex`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, existing_store, open_memory
from agentmem.cli.progress import Bar
from agentmem.config import store_url
from agentmem.core import open_store, restore
from agentmem.errors import InvalidInputError
from agentmem.memory import Memory
from agentmem.types import ArchiveReport

Archive = Annotated[Path, typer.Argument(metavar="PATH", help="The export: one checksummed zip file.")]


def export(
    path: Archive,
    everyone: Annotated[
        bool, typer.Option("--all", help="The whole store, not only this namespace.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace what is at PATH.")] = False,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Write a namespace, and those below it, to one portable file."""
    if path.exists() and not force:
        raise InvalidInputError(f"{path} exists; give another name, or --force to replace it")
    with open_memory(db, namespace, embedder) as memory, Bar("exporting", 0) as bar:
        report = memory.export(path, everything=everyone, progress=bar.advance_to)
    _print(report, "wrote", as_json)


def import_(
    path: Archive,
    latents: Annotated[
        str | None,
        typer.Option("--latents", metavar="PLACE", help="A folder or URL for the export's latents."),
    ] = None,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Take an export in, all or nothing; what is already here stays. Namespaces and embedder are the export's own."""
    if not path.is_file():
        raise InvalidInputError(f"no export at {path}")
    # not through Memory, which would settle a new store on its own embedder before the export names one
    with Bar("importing", 0) as bar:
        report = restore(path, store_url(db), latents=latents, progress=bar.advance_to)
    _print(report, "took in", as_json)


def _print(report: ArchiveReport, did: str, as_json: bool) -> None:
    if as_json:
        render.print_json(report)
        return
    counts = [(report.events, "event"), (report.memories, "note"), (report.episodes, "episode")]
    counts += [(count, name) for count, name in ((report.items, "item"), (report.latents, "latent")) if count]
    held = ", ".join(render.plural(count, name) for count, name in counts)
    spaces = render.plural(report.namespaces, "namespace")
    render.print_text(f"{did} {held} of {spaces}: {report.path} ({report.size_bytes:,} bytes)")
    if report.known:
        render.print_text(f"{report.known} were here already")
    for reason in report.left_out:
        render.tell(f"left out: {reason}")


def reindex(
    embedder: Embedder = None,
    db: Db = None,
    namespace: Namespace = None,
    as_json: AsJson = False,
) -> None:
    """Move the whole store to another embedder. Without one, make the vectors that are missing."""
    if embedder is None:
        with open_memory(db, namespace, None) as memory, Bar("embedding"):
            moved = memory.reindex()
            name = memory.embedder_name
    else:
        url = existing_store(db)
        with Bar("embedding", 0) as bar:
            # not through an open memory: the embedder it was built with may not be installed
            moved = Memory.reembed(url, embedder=embedder, progress=bar.advance_to)
        with closing(open_store(url)) as store:
            name = store.meta("embedder") or embedder
    if as_json:
        render.print_json({"passages": moved, "embedder": name})
    else:
        render.print_text(f"{render.plural(moved, 'passage')} embedded anew; the store's embedder is {name}")


def rebuild(
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Make passages, episodes and entities anew from the events of a namespace."""
    with Bar("rebuilding"), open_memory(db, namespace, embedder) as memory:
        count = memory.rebuild()
    if as_json:
        render.print_json({"events": count})
        return
    render.print_text(f"rebuilt from {render.plural(count, 'event')}")
