"""What encryption costs: the same work on a plain and on an encrypted file, turn by turn in one run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from corpus import Corpus, ReadyEmbedder, make
from measure import Row, seconds, spread

from agentmem import Memory

_BATCH = 1000
_QUESTIONS = 200
_KINDS: dict[str, bytes | None] = {"plain": None, "encrypted": b"k" * 32}


def rows(size: int, folder: Path) -> Iterator[Row]:
    """Fill both files with `size` events in turns, then ask both the same questions in turns."""
    corpus = make(size, questions=_QUESTIONS)
    opened = {
        kind: Memory(folder / f"{kind}.db", embedder=ReadyEmbedder(corpus), key=key)
        for kind, key in _KINDS.items()
    }
    label = f"{size:,} events"
    yield from _compared(f"remember, batches of {_BATCH}, to {label}", _writing(opened, corpus, size))
    yield from _compared(f"recall, {label}, 1000 tokens", _reading(opened, corpus))
    for kind, memory in opened.items():
        memory.close()
        size_bytes = (folder / f"{kind}.db").stat().st_size
        yield Row(f"file at {label}", kind, f"{size_bytes / size:,.0f} bytes/event")


def _writing(opened: dict[str, Memory], corpus: Corpus, size: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {kind: [] for kind in opened}
    for start in range(0, size, _BATCH):
        batch = corpus.messages[start : start + _BATCH]
        for kind, memory in opened.items():
            taken[kind].append(seconds(lambda memory=memory, batch=batch: memory.remember(batch)))  # type: ignore[misc]
    return taken


def _reading(opened: dict[str, Memory], corpus: Corpus) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {kind: [] for kind in opened}
    for question in corpus.questions:
        for kind, memory in opened.items():
            taken[kind].append(seconds(lambda memory=memory, question=question: memory.recall(question)))  # type: ignore[misc]
    return taken


def _compared(what: str, taken: dict[str, list[float]]) -> Iterator[Row]:
    for kind, samples in taken.items():
        yield Row(what, kind, spread(samples))
    ratio = np.median(taken["encrypted"]) / np.median(taken["plain"])
    yield Row(what, "encrypted / plain, of medians", f"{ratio:.2f}")
