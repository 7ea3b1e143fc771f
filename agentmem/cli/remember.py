"""`agentmem remember`: a text, stdin, or a file of messages."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from agentmem.cli import importing, render
from agentmem.cli.formats import Format, read
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory
from agentmem.cli.progress import Bar
from agentmem.cli.source import Source
from agentmem.cli.whatsapp import DateOrder
from agentmem.errors import InvalidInputError
from agentmem.memory import DEFAULT_SESSION


def remember(
    text: Annotated[
        str | None,
        typer.Argument(metavar="TEXT", help="One message; - reads it from stdin.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="PATH",
            help="Messages, one JSON object a line, or a chat export; - is stdin.",
        ),
    ] = None,
    format: Annotated[
        Format | None, typer.Option("--format", help="What the file is. Default: what it looks like.")
    ] = None,
    session: Annotated[
        str, typer.Option("--session", "-s", help="The session of messages that name none.")
    ] = DEFAULT_SESSION,
    role: Annotated[str, typer.Option("--role", help="The role of messages that name none.")] = "user",
    name: Annotated[str | None, typer.Option("--name", help="Who says TEXT.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="When TEXT was said. Default: now.")] = None,
    id: Annotated[str | None, typer.Option("--id", help="Your own id for TEXT.")] = None,
    date_order: Annotated[
        DateOrder | None,
        typer.Option("--date-order", help="How a WhatsApp export writes dates. Default: worked out."),
    ] = None,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Store messages verbatim; durable and recallable when it returns.

    The same command twice changes nothing, so after Ctrl-C or an error run it again: it takes up where it stopped.
    """
    if (text is None) == (file is None):
        raise InvalidInputError("give a TEXT (- reads it from stdin), or --file PATH; one of the two")
    if file is None:
        message: dict[str, Any] = {"content": _stdin() if text == "-" else text}
        given = {"name": name, "at": at, "id": id}
        message.update({key: value for key, value in given.items() if value is not None})
        _remember_one(message, session, role, db, namespace, embedder, as_json)
        return
    if name is not None or at is not None or id is not None:
        raise InvalidInputError("--name, --at and --id are for a TEXT; in a file every message has its own")
    _remember_file(file, format, date_order, session, role, db, namespace, embedder, as_json)


def _stdin() -> str:
    with Source(Path("-")) as source:
        return source.text()


def _remember_one(
    message: dict[str, Any],
    session: str,
    role: str,
    db: str | None,
    namespace: list[str] | None,
    embedder: str | None,
    as_json: bool,
) -> None:
    with Bar("remembering"), open_memory(db, namespace, embedder, create=True) as memory:
        receipt = memory.remember(message, session=session, role=role)
    if as_json:
        render.print_json(receipt)
    else:
        for id_ in receipt.event_ids:
            render.print_text(id_)


def _remember_file(
    file: Path,
    format: Format | None,
    date_order: DateOrder | None,
    session: str,
    role: str,
    db: str | None,
    namespace: list[str] | None,
    embedder: str | None,
    as_json: bool,
) -> None:
    with Source(file) as source:
        reading = read(source, format, date_order)
        outcome = importing.Outcome(str(reading.format))
        by_bytes = reading.total is None
        total, unit = (source.size, "bytes") if by_bytes else (reading.total, "")
        with (
            Bar("remembering", total, unit) as bar,
            open_memory(db, namespace, embedder, create=True) as memory,
        ):
            importing.store(
                memory,
                reading.items,
                outcome,
                session=session,
                role=role,
                progress=lambda read: bar.advance_to(source.position if by_bytes else read),
            )
    if as_json:
        render.print_json(outcome)
    else:
        render.print_text(_summary(outcome))
    if outcome.interrupted:
        sys.stdout.flush()
        render.tell(
            f"stopped: {render.plural(outcome.stored, 'message')} of this file stored; "
            "the same command takes up where it stopped"
        )
        raise typer.Exit(130)


def _summary(outcome: importing.Outcome) -> str:
    parts = [f"{render.plural(outcome.added, 'message')} stored"]
    if outcome.duplicates:
        parts.append(f"{outcome.duplicates:,} already known")
    if outcome.skipped:
        parts.append(f"{outcome.skipped:,} left out")
    if outcome.echoes:
        parts.append(f"{outcome.echoes:,} were recalled text")
    if outcome.pending_vectors:
        parts.append(f"{outcome.pending_vectors:,} vectors still to be made")
    return ", ".join(parts)
