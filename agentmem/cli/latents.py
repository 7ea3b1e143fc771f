"""`agentmem latents verify`, `gc` and `stats`: the tensors kept beside a memory's words."""

from __future__ import annotations

from contextlib import closing
from typing import Annotated

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, existing_store
from agentmem.cli.progress import Bar
from agentmem.core import open_store


def verify(db: Db = None, as_json: AsJson = False) -> int:
    """Read every latent and compare its checksum; exit code 1 if one is damaged."""
    with closing(open_store(existing_store(db))) as store, Bar("verifying"):
        latents = store.latents()
        damaged = [
            {"namespace": ref.namespace, "id": ref.owner_id, "reason": reason}
            for ref, reason in latents.verify()
        ]
        count = latents.stats().latents
    if as_json:
        render.print_json({"latents": count, "damaged": damaged})
    else:
        for found in damaged:
            render.print_text(str(found["reason"]))
        render.print_text(f"{render.plural(count, 'latent')}, {len(damaged)} damaged")
    return 1 if damaged else 0


def gc(
    grace: Annotated[
        float, typer.Option("--grace", metavar="SECONDS", min=0.0, help="Leave files younger than this.")
    ] = 3600.0,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Remove files of latents that nothing refers to."""
    with closing(open_store(existing_store(db))) as store, Bar("sweeping"):
        report = store.latents().sweep(grace_s=grace)
    if as_json:
        render.print_json(report)
    else:
        removed = f"{render.plural(report.removed, 'file')} removed ({report.removed_bytes:,} bytes)"
        render.print_text(f"{removed}, {report.left} too young to judge")


def stats(db: Db = None, as_json: AsJson = False) -> None:
    """How many latents there are, what they take, and where they are."""
    with closing(open_store(existing_store(db))) as store:
        found = store.latents().stats()
    if as_json:
        render.print_json(found)
    else:
        render.print_text(render.table(render.fields_of(found)))
