"""`agentmem demo` and `agentmem eval …`: handed on to the evaluations, loaded when asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from agentmem.cli.options import AsJson, Embedder, Out
from agentmem.registry import load

Data = Annotated[
    Path | None, typer.Option("--data", metavar="PATH", help="LoCoMo's locomo10.json; it is not shipped.")
]
Divided = Annotated[
    Path | None,
    typer.Option("--data", metavar="PATH", help="A LoCoMo file with two conversations or more."),
]
Splits = Annotated[
    int, typer.Option("--splits", metavar="COUNT", min=1, help="Ways to halve the conversations.")
]
Sample = Annotated[bool, typer.Option("--sample", help="The sample conversation that ships with agentmem.")]


def demo(out: Out = None, as_json: AsJson = False) -> None:
    """Remember a sample conversation and ask it ten questions.

    Then measure recall on it, beside baselines.
    """
    raise typer.Exit(load("evals", "demo")(out=out, as_json=as_json))


def locomo(
    data: Data = None,
    out: Out = None,
    embedder: Embedder = None,
    systems: Annotated[
        list[str] | None,
        typer.Option(
            "--systems", metavar="NAMES", help="Only these systems, comma-separated; may be repeated."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="COUNT", min=1, help="Questions of each conversation.")
    ] = None,
    sample: Sample = False,
    chats: Annotated[
        bool, typer.Option("--chats", help="The chats with an assistant that ship with agentmem.")
    ] = False,
    peers: Annotated[
        bool, typer.Option("--peers", help="Beside Mem0, LangGraph's stores, LangMem and Chroma, too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure evidence recall on LoCoMo, beside baselines and other memory systems."""
    raise typer.Exit(
        load("evals", "locomo")(
            data=data,
            out=out,
            embedder=embedder,
            systems=names_in(systems),
            limit=limit,
            as_json=as_json,
            sample=sample,
            peers=peers,
            chats=chats,
        )
    )


def segmentation(
    data: Data = None,
    sample: Sample = False,
    as_json: AsJson = False,
) -> None:
    """Measure whether episodes begin where LoCoMo's sessions do, beside TextTiling and a fixed length.

    Sessions are hidden from all of them, and times, too, as the gaps would give sessions away.
    """
    raise typer.Exit(load("evals", "segmentation")(data=data, as_json=as_json, sample=sample))


def fit(
    data: Divided = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Write the weights here; without it, only print."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PATH", help="Draw the gate's reliability here: .svg, .png or .pdf."),
    ] = None,
    embedder: Embedder = None,
    splits: Splits = 10,
    as_json: AsJson = False,
) -> None:
    """Fit the weights of retrieval and print how they do on conversations not seen."""
    raise typer.Exit(
        load("evals", "fit")(data=data, out=out, embedder=embedder, splits=splits, as_json=as_json, plot=plot)
    )


def kv(
    parts: Annotated[
        list[str] | None,
        typer.Option(
            "--parts",
            metavar="NAMES",
            help="Only needles, episodes, distances, widths, loading, exact or soft; comma-separated.",
        ),
    ] = None,
    texts: Annotated[
        int, typer.Option("--texts", metavar="COUNT", min=1, help="Texts of 16 facts each.")
    ] = 4,
    distractors: Annotated[
        int,
        typer.Option(
            "--distractors", metavar="TOKENS", min=100, help="Tokens between the facts and the questions."
        ),
    ] = 1500,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PATH", help="Draw recall over budget here: .svg, .png or .pdf."),
    ] = None,
    kvpress: Annotated[
        Path | None,
        typer.Option(
            "--kvpress",
            metavar="PYTHON",
            help="Also its presses, by the Python of an environment that has it.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what in-model memory keeps and costs, on the packaged recall model.

    Facts recalled by policy and budget, from episodes, over distance; bytes and agreement by width; loading times;
    soft memories by their size.
    """
    raise typer.Exit(
        load("evals", "kv")(
            parts=names_in(parts),
            texts=texts,
            distractors=distractors,
            plot=plot,
            as_json=as_json,
            kvpress=kvpress,
        )
    )


def stream(
    tokens: Annotated[
        int, typer.Option("--tokens", metavar="COUNT", min=1000, help="How long the text is.")
    ] = 100_000,
    budget: Annotated[
        int, typer.Option("--budget", metavar="TOKENS", help="Sinks and recent tokens that a layer holds.")
    ] = 512,
    reach: Annotated[
        int, typer.Option("--reach", metavar="POSITIONS", help="The position that no token passes.")
    ] = 2048,
    store: Annotated[
        Path | None,
        typer.Option("--store", metavar="PATH", help="Keep the memory below in this file; else it goes."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="PATH", help="Draw memory over tokens here: .svg, .png or .pdf."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a text without end on a fixed budget, and ask for facts of all of it.

    The packaged recall model reads; what leaves its window is remembered in words and as keys and values.
    """
    raise typer.Exit(
        load("evals", "stream")(
            tokens=tokens, budget=budget, reach=reach, store=store, plot=plot, as_json=as_json
        )
    )


def names_in(options: list[str] | None) -> list[str] | None:
    """Names given with commas, repeatedly, or both; none where nothing was given."""
    return [name.strip() for part in options or () for name in part.split(",") if name.strip()] or None


def ablation(
    data: Divided = None,
    embedder: Embedder = None,
    splits: Splits = 2,
    as_json: AsJson = False,
) -> None:
    """Measure what each part of recall is worth, on conversations not seen.

    Each channel, stage and group of features is left out in turn, with the weights fitted anew.
    """
    raise typer.Exit(load("evals", "ablation")(data=data, embedder=embedder, splits=splits, as_json=as_json))


def coverage(
    data: Divided = None,
    embedder: Embedder = None,
    splits: Splits = 2,
    as_json: AsJson = False,
) -> None:
    """Print what stopping short of the budget saves and loses, on conversations not seen."""
    raise typer.Exit(load("evals", "coverage")(data=data, embedder=embedder, splits=splits, as_json=as_json))


def gate(
    data: Data = None,
    sample: Sample = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="PATH", help="Write the weights here; without it, only print."),
    ] = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Measure whether memory is left alone by small talk, and read where the evidence is."""
    raise typer.Exit(
        load("evals", "gate")(data=data, sample=sample, out=out, embedder=embedder, as_json=as_json)
    )


def reread(
    data: Data = None,
    sample: Sample = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="COUNT", min=1, help="Questions of each conversation.")
    ] = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Measure what looking again finds: on questions of two steps made for it, or on LoCoMo."""
    raise typer.Exit(
        load("evals", "reread")(data=data, sample=sample, limit=limit, embedder=embedder, as_json=as_json)
    )
