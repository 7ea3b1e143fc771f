"""`recall`, `events`, `history`, `stats`, `export`, `forget`: what looks at a store, or takes from it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentmem.cli.options import Db, EmbedderOption, Json, NamespaceOption, open_memory
from agentmem.cli.render import emit, pairs, plain
from agentmem.errors import InvalidInputError


def recall(
    query: Annotated[str, typer.Argument(help="The question, in plain words.")],
    budget: Annotated[int, typer.Option(help="Tokens the context may have.")] = 1000,
    at: Annotated[str | None, typer.Option(help="Answer as of this moment.")] = None,
    k: Annotated[int | None, typer.Option("-k", help="At most this many items.")] = None,
    tier: Annotated[
        list[str] | None, typer.Option(help="window, episode or semantic; repeat for more.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show how it came about.")] = False,
    db: Db = None,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    as_json: Json = False,
) -> None:
    """Print the best evidence for a question, within a token budget."""
    with open_memory(db, namespace, embedder) as memory:
        found = memory.recall(
            query,
            budget_tokens=budget,
            at=at,
            k=k,
            tiers=tier,  # type: ignore[arg-type]  # the SDK names the tiers where it is wrong
            explain=explain,
        )
    text = found.text or "nothing recalled"
    emit(found, f"{text}\n\n{found.explain()}" if explain else text, as_json=as_json)


def events(
    session: Annotated[str | None, typer.Option(help="Only this session.")] = None,
    limit: Annotated[int | None, typer.Option(help="At most this many.")] = None,
    after_seq: Annotated[int, typer.Option(help="Only after this position; for paging.")] = -1,
    db: Db = None,
    namespace: NamespaceOption = None,
    as_json: Json = False,
) -> None:
    """List events in order, verbatim; with --json, one object a line."""
    with open_memory(db, namespace) as memory:
        for event in memory.events(session=session, limit=limit, after_seq=after_seq):
            line = f"{event.occurred_at:%Y-%m-%d %H:%M}  {event.id}  {event.speaker}: {event.content}"
            emit(event, line, as_json=as_json)


def history(
    record: Annotated[str, typer.Argument(help="Id of an event or a note.")],
    db: Db = None,
    namespace: NamespaceOption = None,
    as_json: Json = False,
) -> None:
    """What happened to an event or a note, oldest first."""
    with open_memory(db, namespace) as memory:
        entries = memory.history(record)
    emit(
        entries,
        "\n".join(f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.action}" for entry in entries),
        as_json=as_json,
    )


def stats(db: Db = None, namespace: NamespaceOption = None, as_json: Json = False) -> None:
    """What a namespace holds, and what its store costs."""
    with open_memory(db, namespace) as memory:
        found = memory.stats()
    shown = {**plain(found), "namespace": "/".join(found.namespace), "store_bytes": f"{found.store_bytes:,}"}
    emit(found, pairs(shown), as_json=as_json)


def export(
    path: Annotated[Path, typer.Argument(help="The file to write.")],
    everything: Annotated[
        bool, typer.Option("--everything", help="The whole store, not only the namespace.")
    ] = False,
    db: Db = None,
    namespace: NamespaceOption = None,
    as_json: Json = False,
) -> None:
    """Write a namespace and those below it to one portable, checksummed file."""
    with open_memory(db, namespace) as memory:
        report = memory.export(path, everything=everything)
    text = f"exported {report.events} events and {report.memories} notes to {report.path}"
    emit(report, text, as_json=as_json)


def forget(
    id_: Annotated[
        list[str] | None, typer.Option("--id", help="An event or a note; repeat for more.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="The events of this session.")] = None,
    before: Annotated[str | None, typer.Option(help="What happened before this moment.")] = None,
    about: Annotated[str | None, typer.Option(help="What is said by, or mentions, this.")] = None,
    everything: Annotated[bool, typer.Option("--everything", help="All of the namespace.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    db: Db = None,
    namespace: NamespaceOption = None,
    as_json: Json = False,
) -> None:
    """Remove events and notes with every trace derived from them."""
    with open_memory(db, namespace) as memory:

        def run(dry: bool) -> object:
            return memory.forget(
                ids=id_, session=session, before=before, about=about, everything=everything, dry_run=dry
            )

        report = memory.forget(
            ids=id_, session=session, before=before, about=about, everything=everything, dry_run=True
        )
        count = f"{len(report.event_ids)} events and {len(report.memory_ids)} notes"
        if dry_run:
            listed = "\n".join((*report.event_ids, *report.memory_ids))
            emit(report, f"would forget {count}\n{listed}".rstrip(), as_json=as_json)
            return
        if not yes:
            if not sys.stdin.isatty():
                raise InvalidInputError(
                    f"this would forget {count}; say --yes to do it, or --dry-run to list them"
                )
            typer.confirm(f"forget {count} for good?", abort=True, err=True)
        emit(run(False), f"forgot {count}", as_json=as_json)
