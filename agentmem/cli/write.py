"""`remember`, `note`, `import`, `reindex`: what puts something in."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import typer

from agentmem.cli import exports
from agentmem.cli.options import Db, EmbedderOption, Json, NamespaceOption, open_memory
from agentmem.cli.render import emit
from agentmem.errors import InvalidInputError

_BATCH = 512


def remember(
    text: Annotated[str | None, typer.Argument(help="What to remember; '-' reads standard input.")] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", help="A file of messages: JSON lines or a chat export.")
    ] = None,
    form: Annotated[
        str, typer.Option("--format", help=f"Of --file or standard input: {', '.join(exports.FORMATS)}.")
    ] = "auto",
    session: Annotated[str, typer.Option(help="Session of messages that name none.")] = "default",
    role: Annotated[str, typer.Option(help="Role of messages that name none.")] = "user",
    name: Annotated[str | None, typer.Option(help="Who says TEXT.")] = None,
    at: Annotated[str | None, typer.Option(help="When TEXT was said. Default: now.")] = None,
    db: Db = None,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    as_json: Json = False,
) -> None:
    """Store a text, standard input, or a file of messages. What is stored stays, whatever comes after."""
    if (text is None) == (file is None):
        raise InvalidInputError("give a text, '-' for standard input, or --file; one of them")
    if form not in exports.FORMATS:
        raise InvalidInputError(f"unknown format {form!r}; known: {', '.join(exports.FORMATS)}")
    with open_memory(db, namespace, embedder) as memory:
        if file is not None:
            with exports.open_input(file) as source:
                _store(memory, exports.read(source, file, form), session, role, as_json)
        elif text == "-":
            standard = exports.read(sys.stdin.buffer, "standard input", "text" if form == "auto" else form)
            _store(memory, standard, session, role, as_json)
        else:
            message = {"content": text, "name": name, "at": at}
            receipt = memory.remember(message, session=session, role=role)
            emit(
                receipt,
                f"remembered {receipt.event_ids[0] if receipt.event_ids else 'nothing'}",
                as_json=as_json,
            )


def _store(memory: Any, messages: Iterator[exports.Message], session: str, role: str, as_json: bool) -> None:
    added = duplicates = echoes = 0
    with _counting("remembering") as count:
        try:
            while batch := list(islice(messages, _BATCH)):
                receipt = memory.remember(batch, session=session, role=role)
                added += receipt.added
                duplicates += receipt.duplicates
                echoes += receipt.echoes
                count(len(batch))
        except KeyboardInterrupt:
            sys.stderr.write(
                f"stopped: {added} messages are stored and safe; the same command goes on where it stopped\n"
            )
            raise
    text = f"remembered {added} messages" + (f", {duplicates} were there already" if duplicates else "")
    emit({"added": added, "duplicates": duplicates, "echoes": echoes}, text, as_json=as_json)


@contextmanager
def _counting(what: str) -> Iterator[Any]:
    """A counter on standard error, on a terminal only."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done: bar.advance(task, done)


def note(
    text: Annotated[str, typer.Argument(help="What holds.")],
    kind: Annotated[str, typer.Option(help="fact, preference, profile, insight, skill or cause.")] = "fact",
    source: Annotated[
        list[str] | None, typer.Option(help="Id of an event it rests on; repeat for more.")
    ] = None,
    valid_from: Annotated[str | None, typer.Option(help="Since when it holds.")] = None,
    valid_to: Annotated[str | None, typer.Option(help="Until when.")] = None,
    db: Db = None,
    namespace: NamespaceOption = None,
    embedder: EmbedderOption = None,
    as_json: Json = False,
) -> None:
    """Write a semantic memory: a fact, a preference, a correction."""
    with open_memory(db, namespace, embedder) as memory:
        note_id = memory.note(
            text,
            kind=kind,  # type: ignore[arg-type]  # the SDK names the kinds where it is wrong
            sources=tuple(source or ()),
            valid_from=valid_from,
            valid_to=valid_to,
        )
    emit({"id": note_id}, f"noted {note_id}", as_json=as_json)


def import_(
    path: Annotated[Path, typer.Argument(help="A file written by `agentmem export`.")],
    db: Db = None,
    namespace: NamespaceOption = None,
    as_json: Json = False,
) -> None:
    """Take an export into this store; what is already here stays. All or nothing."""
    with open_memory(db, namespace) as memory:
        report = memory.import_(path)
    text = f"imported {report.events} events and {report.memories} notes in {report.namespaces} namespaces"
    emit(report, text, as_json=as_json)


def reindex(
    embedder: EmbedderOption = None, db: Db = None, namespace: NamespaceOption = None, as_json: Json = False
) -> None:
    """Make all vectors anew with another embedder; the old ones serve until all are there."""
    with open_memory(db, namespace) as memory:
        with _counting("embedding") as count:
            last = 0

            def progress(done: int, _total: int) -> None:
                nonlocal last
                count(done - last)
                last = done

            moved = memory.reindex(embedder=embedder, progress=progress)
        name = memory.embedder_name
    emit({"passages": moved, "embedder": name}, f"{moved} passages now use {name}", as_json=as_json)
