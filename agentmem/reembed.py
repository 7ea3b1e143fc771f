"""Moves a store to another embedder. The old vectors serve until all new ones are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from agentmem.contracts import Embedder, Store, Vectors
from agentmem.embed.late import Embedded
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.errors import EmbedderError

Progress = Callable[[int, int], None]
WAITING_BATCH = 512
_BATCH = 256


def reembed(store: Store, embedder: Embedder, progress: Progress | None = None) -> int:
    """Embed every passage anew with `embedder`, then switch; returns how many passages were moved.

    The embedder in use until now is not needed. An interrupted run leaves it in use, and the next one embeds only
    what is left. For the embedder already in use, only makes the vectors and word pieces that are missing.

    Raises:
        EmbedderError: the new embedder failed; the old vectors stay in use.
    """
    if store.meta("embedder") == embedder.name:
        store.bind_embedder(embedder.name, embedder.dims)
        embed_missing(store, embedder)
        return 0
    count = store.replace_vectors(embedder.name, embedder.dims, _batches(store, embedder, progress))
    # an interruption may have come between the vectors of a batch and its pieces
    _embed_missing_pieces(store, embedder)
    return count


def embed_missing(store: Store, embedder: Embedder) -> None:
    """Make every vector, and every word piece, that is missing. Raises `EmbedderError`."""
    while rows := store.unembedded(None, WAITING_BATCH):
        keys = [key for key, _ in rows]
        made = _embed(embedder, [text for _, text in rows])
        add_made(store, embedder, keys, made)
    _embed_missing_pieces(store, embedder)


def add_made(store: Store, embedder: Embedder, keys: list[int], made: Embedded) -> None:
    """Store what was made for passages that waited for it."""
    store.add_vectors(keys, made.rows, embedder=embedder.name)
    _add_pieces(store, embedder, keys, made)


def _embed_missing_pieces(store: Store, embedder: Embedder) -> None:
    """Make the word pieces of passages that were stored before there were any."""
    if not hasattr(embedder, "embed_pieces"):
        return
    last = -1
    while rows := store.without_pieces(last, WAITING_BATCH):
        made = _embed(embedder, [text for _, text in rows])
        if made.pieces is None:
            return
        _add_pieces(store, embedder, [key for key, _ in rows], made)
        last = rows[-1][0]


def _add_pieces(store: Store, embedder: Embedder, keys: list[int], made: Embedded) -> None:
    if made.pieces is not None:
        store.add_pieces(keys, made.pieces, embedder=embedder.name)


def _batches(
    store: Store, embedder: Embedder, progress: Progress | None
) -> Iterator[tuple[list[int], Vectors]]:
    done, total = 0, store.count_lacking(embedder.name)
    for rows in store.passage_texts(_BATCH, lacking=embedder.name):
        keys = [key for key, _ in rows]
        made = _embed(embedder, [text for _, text in rows])
        yield keys, made.rows
        _add_pieces(store, embedder, keys, made)
        done += len(rows)
        if progress is not None:
            # others may have written meanwhile
            progress(done, max(done, total))


def _embed(embedder: Embedder, texts: list[str]) -> Embedded:
    made = embed_pieces_or_none(embedder, texts)
    if made is None:
        raise EmbedderError(
            f"{embedder.name} failed; the old vectors stay in use. See the log, then run it again"
        )
    return made
