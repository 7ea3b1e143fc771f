"""Writing, recall and cold start of the embedded store, embedder excluded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from corpus import Corpus, ReadyEmbedder, make
from measure import Row, seconds, spread

from agentmem import Memory

_BATCH = 1000
_SINGLES = 500


def rows(size: int, folder: Path) -> Iterator[Row]:
    """Fill a fresh file with `size` events, then read it back in a second opening."""
    corpus = make(size + _SINGLES, questions=200)
    path = folder / "store.db"
    label = f"{size:,} events"
    yield from _writing(corpus, size, path, label)
    yield from _reading(corpus, path, label)


def _writing(corpus: Corpus, size: int, path: Path, label: str) -> Iterator[Row]:
    with Memory(path, embedder=ReadyEmbedder(corpus)) as memory:
        batches = [corpus.messages[start : start + _BATCH] for start in range(0, size, _BATCH)]
        taken = [seconds(lambda batch=batch: memory.remember(batch)) for batch in batches]  # type: ignore[misc]
        rate = f"{size / sum(taken):,.0f} events/s"
        yield Row(f"remember, batches of {_BATCH}, to {label}", "agentmem", rate, "≥ 5,000 events/s")
        singles = [
            seconds(lambda message=message: memory.remember(message))  # type: ignore[misc]
            for message in corpus.messages[size:]
        ]
        yield Row(f"remember, one event, at {label}", "agentmem", spread(singles), "p95 ≤ 5 ms")
    size_bytes = path.stat().st_size
    yield Row(f"file at {label}", "agentmem", f"{size_bytes / (size + _SINGLES):,.0f} bytes/event")


def _reading(corpus: Corpus, path: Path, label: str) -> Iterator[Row]:
    embedder = ReadyEmbedder(corpus)
    opened: list[Memory] = []
    cold = seconds(lambda: opened.append(Memory(path, embedder=embedder)))
    memory = opened[0]
    cold += seconds(lambda: memory.recall(corpus.questions[0]))
    yield Row(f"open and first recall, {label}", "agentmem", f"{cold:.2f} s", "≤ 1 s")
    timings = []
    found = 0
    for question, vector in zip(corpus.questions, corpus.question_vectors, strict=True):
        trace = memory.recall(question).trace
        timings.append(trace.seconds - trace.embed_seconds)
        exact = set(np.argsort(-(corpus.vectors @ vector))[:10])
        hits = memory._core.store.nearest(memory.current_namespace, vector, 10)
        found += len(exact & {hit.passage - 1 for hit in hits})
    yield Row(f"recall, {label}, 1000 tokens", "agentmem", spread(timings), "p95 ≤ 30 ms at 100,000")
    yield Row(f"dense top 10 equal to brute force, {label}", "agentmem", f"{found / (10 * len(timings)):.3f}")
    memory.close()
