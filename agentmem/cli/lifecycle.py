"""`agentmem maintain`, and what `agentmem stats --lifecycle` adds: retention, precisions, bytes, and their plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from agentmem.cli import render
from agentmem.cli.options import AsJson, Db, Embedder, Namespace, open_memory
from agentmem.cli.progress import Bar
from agentmem.errors import MissingExtraError
from agentmem.types import Lifecycle, Maintenance


def maintain(
    everyone: Annotated[
        bool, typer.Option("--all", help="Every namespace of the store, one after the other.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    db: Db = None,
    namespace: Namespace = None,
    embedder: Embedder = None,
    as_json: AsJson = False,
) -> None:
    """Keep what was long not recalled in fewer bits. Words never change; may be stopped and run again."""
    with open_memory(db, namespace, embedder) as memory:
        views = [memory.namespace(*parts) for parts in memory.namespaces()] if everyone else [memory]
        found = []
        for view in views:
            with Bar("/".join(view.current_namespace)) as bar:
                found.append(view.maintain(dry_run=dry_run, progress=bar.advance_to))
    if as_json:
        render.print_json({"namespaces": found} if everyone else found[0])
        return
    for report in found:
        render.print_text(_told(report))


def _told(report: Maintenance) -> str:
    name = "/".join(report.namespace)
    would = "would go" if report.dry_run else "went"
    moves = [f"{render.plural(count, 'vector')} {would} to {form}" for form, count in report.lowered.items()]
    if report.raised:
        moves.append(f"{render.plural(report.raised, 'vector')} {would} back to float32")
    if report.latents:
        freed = f"{report.latent_bytes:,} bytes"
        moves.append(f"{render.plural(report.latents, 'latent')} {would} to words alone ({freed})")
    if not moves:
        return f"{name}: nothing to do for {render.plural(report.vectors, 'vector')}"
    size = f"{report.bytes_before:,} bytes"
    if not report.dry_run:
        size += f" before, {report.bytes_after:,} now"
    return f"{name}: {'; '.join(moves)} ({size})"


def rows(found: Lifecycle) -> dict[str, Any]:
    """What `stats --lifecycle` prints of a namespace."""
    bands = {
        f"retention {tenth / 10:.1f}-{(tenth + 1) / 10:.1f}": count
        for tenth, count in enumerate(found.retention)
        if count
    }
    return {
        **{f"vectors in {name}": count for name, count in found.precisions.items()},
        "vector bytes": found.vector_bytes,
        **bands,
        **{f"events whose KV belongs on {name}": count for name, count in found.kv_tiers.items() if count},
    }


def plot(found: Sequence[Lifecycle], path: Path) -> None:
    """Draw retention, precisions and KV tiers of some namespaces together.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise MissingExtraError("--plot", "evals") from error
    figure = matplotlib.figure.Figure(figsize=(10, 3.2), layout="constrained")
    held, precisions, tiers = figure.subplots(1, 3)
    tenths = [sum(item.retention[tenth] for item in found) for tenth in range(10)]
    held.bar([tenth / 10 + 0.05 for tenth in range(10)], tenths, width=0.09)
    held.set(title="retention of events", xlabel="R = exp(-t/S)", ylabel="events", xlim=(0, 1))
    _bars(precisions, _summed([item.precisions for item in found]), "vectors")
    size = sum(item.vector_bytes for item in found)
    precisions.set(title=f"precision of vectors ({size / 2**20:,.1f} MiB)")
    _bars(tiers, _summed([item.kv_tiers for item in found]), "events")
    tiers.set(title="where their KV belongs")
    figure.savefig(path)


def _bars(axis: Any, counted: Mapping[str, int], unit: str) -> None:
    axis.bar(list(counted), list(counted.values()))
    axis.set_ylabel(unit)


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counted in counts:
        for name, count in counted.items():
            total[name] = total.get(name, 0) + count
    return total
