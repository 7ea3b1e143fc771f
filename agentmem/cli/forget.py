"""`agentmem forget`: shows what would go, asks, and only then removes it."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory
from agentmem.cli.progress import Bar
from agentmem.errors import InvalidInputError
from agentmem.memory import Memory
from agentmem.types import ForgetReport


def forget(
    id: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="This event or note; may be repeated."),
    ] = None,
    session: Annotated[
        str | None, typer.Option("--session", "-s", help="The events of this session.")
    ] = None,
    before: Annotated[
        str | None, typer.Option("--before", metavar="TIME", help="What happened before this moment.")
    ] = None,
    about: Annotated[
        str | None,
        typer.Option("--about", metavar="PHRASE", help="What is said by, or mentions, this name or phrase."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="All of this namespace; stands alone.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would go.")] = False,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Also give the room back to the disk: rewrites the whole file.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Remove events and notes for good. With them goes everything derived from them.

    Several conditions narrow the choice. It says how much would go, and asks.
    """
    chosen: dict[str, Any] = {
        "ids": id or None,
        "session": session,
        "before": before,
        "about": about,
        "everything": everything,
    }
    with open_memory(db, namespace, embedder) as memory:
        if not dry_run and not yes:
            _ask(memory, chosen)
        with Bar("looking" if dry_run else "forgetting"):
            report = memory.forget(**chosen, dry_run=dry_run, vacuum=vacuum)
    if as_json:
        render.print_json(report)
        return
    if dry_run:
        for id_ in (*report.event_ids, *report.memory_ids):
            render.print_text(id_)
    else:
        render.print_text(f"forgot {_count(report)}")


def _ask(memory: Memory, chosen: dict[str, Any]) -> None:
    """Show what would go and ask; whatever is not a yes ends the command."""
    if not sys.stdin.isatty():
        raise InvalidInputError(
            "forget asks before it removes, and nobody is there to answer; add --yes or --dry-run"
        )
    report = memory.forget(**chosen, dry_run=True)
    if not report.event_ids and not report.memory_ids:
        return
    where = "/".join(memory.current_namespace)
    # not typer's own question, which writes to stdout, where the result goes
    print(
        f"Forget {_count(report)} of {where} in {memory.url} for good? [y/N] ",
        end="",
        file=sys.stderr,
        flush=True,
    )
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        render.tell("nothing forgotten")
        raise typer.Exit(1)


def _count(report: ForgetReport) -> str:
    return (
        f"{render.plural(len(report.event_ids), 'event')} and {render.plural(len(report.memory_ids), 'note')}"
    )
