"""What a recall takes at several sizes, embedder excluded: by the clock, and of the processor.

On a busy machine the clock also counts the others; processor time, all threads of ours together, does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time

from corpus import ReadyEmbedder, make
from measure import Row, spread

from agentmem import Memory

_BATCH = 1000
_QUESTIONS = 200
_ONE_BY_ONE = 50
_TARGETS = {10: "p95 ≤ 10 ms", 1000: "p95 ≤ 25 ms", 100_000: "p95 ≤ 60 ms", 1_000_000: "p95 ≤ 60 ms"}


def rows(sizes: Sequence[int], folder: Path) -> Iterator[Row]:
    """Fill a fresh file of each size, then ask about what is in it, each question once."""
    for size in sizes:
        yield from _recalls(size, folder / f"{size}.db")


def _recalls(size: int, path: Path) -> Iterator[Row]:
    corpus = make(size + _ONE_BY_ONE, questions=_QUESTIONS + 1)
    first, *questions = corpus.questions
    clock, processor, after_write = [], [], []
    with Memory(path, embedder=ReadyEmbedder(corpus)) as memory:
        for start in range(0, size, _BATCH):
            memory.remember(corpus.messages[start : min(start + _BATCH, size)])
        # the first loads the index; `store` measures it
        memory.recall(first)
        for question in questions:
            begun = process_time()
            trace = memory.recall(question).trace
            processor.append(process_time() - begun)
            clock.append(trace.seconds - trace.embed_seconds)
        for message, question in zip(corpus.messages[size:], questions, strict=False):
            memory.remember([message])
            trace = memory.recall(question).trace
            after_write.append(trace.seconds - trace.embed_seconds)
    yield Row(f"recall, {size:,} events, 1000 tokens", "agentmem", spread(clock), _TARGETS.get(size, ""))
    yield Row(f"the same right after a write, {size:,} events", "agentmem", spread(after_write))
    yield Row(f"processor time of it, {size:,} events", "agentmem", spread(processor))
