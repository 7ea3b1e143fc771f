"""Keeps old memory cheap: vectors go to the precision their retention asks for, latents go where words will do.

Offline, never while remembering. Each stretch of the table is one transaction, so it may be stopped at any moment and
run again: what is done is found done. Vectors that should be finer again are made anew from their words.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from agentmem.contracts import Embedder, Store
from agentmem.embed.safe import embed_or_none
from agentmem.types import Maintenance, Namespace

Progress = Callable[[int, int], None]
_EMBED_BATCH = 256


def maintain(
    store: Store,
    embedder: Embedder,
    namespace: Namespace,
    now: datetime,
    *,
    dry_run: bool,
    progress: Progress | None,
) -> Maintenance:
    """Bring one namespace's vectors to where they should be; with `dry_run` only tell what would change."""
    before = store.lifecycle(namespace, now)
    total = sum(before.precisions.values())
    seen = raised = 0
    lowered: Counter[str] = Counter()
    for step in store.maintain(namespace, now, dry_run=dry_run):
        lowered.update(step.lowered)
        raised += step.rising if dry_run else _raise(store, embedder, namespace, step.texts)
        seen += step.seen
        if progress is not None:
            progress(seen, max(total, seen))
    latents, latent_bytes = store.fade_latents(namespace, now, dry_run=dry_run)
    after = before if dry_run else store.lifecycle(namespace, now)
    return Maintenance(
        namespace=namespace,
        vectors=total,
        lowered=dict(lowered),
        raised=raised,
        bytes_before=before.vector_bytes,
        bytes_after=after.vector_bytes,
        latents=latents,
        latent_bytes=latent_bytes,
        dry_run=dry_run,
    )


def _raise(store: Store, embedder: Embedder, namespace: Namespace, texts: tuple[tuple[int, str], ...]) -> int:
    raised = 0
    for start in range(0, len(texts), _EMBED_BATCH):
        part = texts[start : start + _EMBED_BATCH]
        rows = embed_or_none(embedder, [text for _, text in part])
        # a failing embedder leaves the coarser vectors, which serve
        if rows is not None:
            raised += store.raise_vectors(namespace, [key for key, _ in part], rows, embedder=embedder.name)
    return raised
