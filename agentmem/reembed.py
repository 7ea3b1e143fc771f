"""Moves a store to another embedder. The old vectors serve until all new ones are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentmem.contracts import Embedder, Store, Vectors
from agentmem.embed.safe import embed_or_none
from agentmem.errors import EmbedderError

Progress = Callable[[int, int], None]
WAITING_BATCH = 512
_BATCH = 256


def reembed(store: Store, embedder: Embedder, progress: Progress | None = None) -> int:
    """Embed every passage anew with `embedder`, then switch; returns how many passages were moved.

    The embedder in use until now is not needed. An interrupted run leaves it in use, and is taken up again by the
    next one. For the embedder already in use, only makes the vectors that are missing.

    Raises:
        EmbedderError: the new embedder failed; the old vectors stay in use.
    """
    if store.meta("embedder") == embedder.name:
        store.bind_embedder(embedder.name, embedder.dims)
        embed_missing(store, embedder)
        return 0
    return store.replace_vectors(embedder.name, embedder.dims, _batches(store, embedder, progress))


def embed_missing(store: Store, embedder: Embedder) -> None:
    """Make every vector that is missing. Raises `EmbedderError`."""
    while rows := store.unembedded(None, WAITING_BATCH):
        made = _embed(embedder, [text for _, text in rows])
        store.add_vectors([key for key, _ in rows], made, embedder=embedder.name)


def _batches(
    store: Store, embedder: Embedder, progress: Progress | None
) -> Iterator[tuple[list[int], Vectors]]:
    done = 0
    for rows in store.passage_texts(_BATCH):
        yield [key for key, _ in rows], _embed(embedder, [text for _, text in rows])
        done += len(rows)
        if progress is not None:
            progress(done, done)


def _embed(embedder: Embedder, texts: list[str]) -> Vectors:
    vectors = embed_or_none(embedder, texts)
    if vectors is None:
        raise EmbedderError(
            f"{embedder.name} failed; the old vectors stay in use. See the log, then run it again"
        )
    return vectors
