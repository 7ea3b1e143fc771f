"""`agentmem recall` and `agentmem note`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory
from agentmem.cli.progress import Bar
from agentmem.recalling import DEFAULT_BUDGET_TOKENS
from agentmem.types import MemoryKind, RecallChunk


def recall(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="A question in plain words.")],
    budget: Annotated[
        int, typer.Option("--budget", "-b", metavar="TOKENS", help="The text never exceeds this.")
    ] = DEFAULT_BUDGET_TOKENS,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Answer as of this moment, such as 2023-05-08T13:56."),
    ] = None,
    k: Annotated[int | None, typer.Option("-k", metavar="COUNT", help="At most this many items.")] = None,
    tier: Annotated[
        list[str] | None,
        typer.Option("--tier", metavar="TIER", help="Only window, episode or semantic; may be repeated."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also print how the answer came about.")] = False,
    min_relevance: Annotated[
        float,
        typer.Option(
            "--min-relevance",
            metavar="CHANCE",
            help="Print nothing where the chance of an answer is below this, from 0 to 1.",
        ),
    ] = 0.0,
    coverage: Annotated[
        float,
        typer.Option(
            "--coverage",
            metavar="SHARE",
            help="Stop short of the budget once this likely to have all the evidence, up to 1.",
        ),
    ] = 1.0,
    gate: Annotated[
        bool,
        typer.Option("--gate", help="Print nothing for small talk, and read only the tiers that matter."),
    ] = False,
    without: Annotated[
        list[str] | None,
        typer.Option(
            "--without",
            metavar="PART",
            help="Leave out dense, lexical, recent, neighbours, late or weights; may be repeated.",
        ),
    ] = None,
    reread: Annotated[
        int,
        typer.Option(
            "--reread",
            metavar="LOOKS",
            help="Look again up to 2 times, by what was found, where it leaves much of the question open.",
        ),
    ] = 0,
    stream: Annotated[
        bool, typer.Option("--stream", help="Print evidence as it is found; with --json, an object a line.")
    ] = False,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Print the best evidence for a question. It comes with dates and speakers, within a token budget."""
    options: dict[str, Any] = {
        "budget_tokens": budget,
        "at": at,
        "k": k,
        "tiers": tier or None,
        "explain": explain,
        "min_relevance": min_relevance,
        "coverage": coverage,
        "gate": gate,
        "without": without or (),
        "reread": reread,
    }
    if stream:
        with open_memory(db, namespace, embedder) as memory:
            _print_as_found(memory.recall_stream(query, **options), explain, as_json)
        return
    with Bar("recalling"), open_memory(db, namespace, embedder) as memory:
        found = memory.recall(query, **options)
    if as_json:
        render.print_json({**render.plain(found), "source_ids": found.source_ids})
        return
    if found.items:
        render.print_text(found.text)
    else:
        render.tell("nothing found")
    if explain:
        render.print_text(("\n" if found.items else "") + found.explain())


def _print_as_found(chunks: Iterator[RecallChunk], explain: bool, as_json: bool) -> None:
    """Each chunk when it is there; together they are the context."""
    for chunk in chunks:
        if as_json:
            render.print_json_line(chunk)
            continue
        render.print_part(chunk.text)
        if (found := chunk.recall) is None:
            continue
        if not found.items:
            render.tell("nothing found")
        if explain:
            render.print_text(("\n\n" if found.items else "") + found.explain())
        elif found.items:
            render.print_text("")


def note(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What is held to be true.")],
    kind: Annotated[str, typer.Option("--kind", help=f"One of {', '.join(get_args(MemoryKind))}.")] = "fact",
    subject: Annotated[str | None, typer.Option("--subject", help="Of whom or what.")] = None,
    predicate: Annotated[str | None, typer.Option("--predicate", help="What is said of it.")] = None,
    object: Annotated[str | None, typer.Option("--object", help="And with what value.")] = None,
    valid_from: Annotated[
        str | None, typer.Option("--valid-from", metavar="TIME", help="Since when it holds. Default: now.")
    ] = None,
    valid_to: Annotated[
        str | None, typer.Option("--valid-to", metavar="TIME", help="Until when. Default: it still holds.")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option("--source", metavar="ID", help="An event it rests on; may be repeated."),
    ] = None,
    confidence: Annotated[float, typer.Option("--confidence", help="From 0 to 1.")] = 1.0,
    id: Annotated[str | None, typer.Option("--id", help="Your own id for the note.")] = None,
    exclusive: Annotated[
        bool,
        typer.Option(
            "--exclusive/--no-exclusive",
            help="Of notes with this subject and predicate one holds at a time; or several may.",
        ),
    ] = True,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Write down something held to be true; prints its id."""
    checked: Any = kind
    with Bar("noting"), open_memory(db, namespace, embedder, create=True) as memory:
        note_id = memory.note(
            text,
            kind=checked,
            subject=subject,
            predicate=predicate,
            object=object,
            valid_from=valid_from,
            valid_to=valid_to,
            sources=source or (),
            confidence=confidence,
            id=id,
            exclusive=exclusive,
        )
    if as_json:
        render.print_json({"id": note_id})
    else:
        render.print_text(note_id)
