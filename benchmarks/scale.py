"""How writing, recall, memory and disk grow, from ten thousand events to a million in one SQLite file.

Writing happens here; reading in a process of its own (`reader`), whose memory is therefore the store's alone. At the
full size the store is then aged until `maintain` keeps its vectors in 4 bits, and read once more. Where a plot is
asked for the growth is drawn.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from corpus import ReadyEmbedder, blocks, make
from growth import Point, draw
from measure import Row

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import Vectors

_BLOCK = 10_000
_ASKED = 200
_PER_NAMESPACE = 10
_FILE = "scale.db"
# without a recall, vectors are kept in 4 bits from 49 to 90 days
_UNTIL_INT4 = timedelta(days=80)
_READER = Path(__file__).with_name("reader.py")


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions `[n]` with their vectors `[n, dims]`, and the namespace of each where they are about several."""

    texts: list[str]
    vectors: Vectors
    namespaces: list[str] | None = None


def rows(size: int, folder: Path, plot: Path | None) -> Iterator[Row]:
    """Fill one file, stopping to read at 10,000, 30,000, 100,000, … events and at `size`."""
    points: list[Point] = []
    for point, details, asked in _growth(size, folder):
        points.append(point)
        yield from _table(f"{point.events:,} events", point, details)
        if point.events == size:
            yield from _lowered(folder / _FILE, size, asked)
    if plot is not None:
        draw(points, plot)
        yield Row("growth", "agentmem", f"drawn to {plot}")


def _growth(size: int, folder: Path) -> Iterator[tuple[Point, dict[str, Any], Asked]]:
    path = folder / _FILE
    stops = [stop for stop in (10_000, 30_000, 100_000, 300_000, 1_000_000) if stop < size] + [size]
    texts: list[str] = []
    vectors: list[Vectors] = []
    writing = 0.0
    written = since = 0
    memory: Memory | None = None
    embedder = ReadyEmbedder(make(1, questions=0))
    for corpus in blocks(size, _BLOCK, questions=_ASKED):
        embedder.take(corpus)
        memory = memory or Memory(path, embedder=embedder)
        start = perf_counter()
        memory.remember(corpus.messages)
        writing += perf_counter() - start
        written += len(corpus.messages)
        since += len(corpus.messages)
        texts += corpus.questions
        vectors.append(corpus.question_vectors)
        if written in stops:
            start = perf_counter()
            memory.close()
            closed = perf_counter() - start
            memory = None
            chosen = np.random.default_rng(0).permutation(len(texts))[:_ASKED]
            asked = Asked([texts[i] for i in chosen], np.concatenate(vectors)[chosen])
            found = read(path, asked)
            yield _point(written, since / writing, closed, found), found, asked
            writing, since = 0.0, 0


def _lowered(path: Path, size: int, asked: Asked) -> Iterator[Row]:
    """The same file once nobody has recalled any of it for eighty days."""
    later = ManualClock(datetime.now(UTC) + _UNTIL_INT4)
    start = perf_counter()
    with Memory(path, embedder=ReadyEmbedder(make(1, questions=0)), clock=later) as memory:
        report = memory.maintain()
        assert dict(memory.lifecycle().precisions) == {"int4": size}
    rate = size / (perf_counter() - start)
    label = f"{size:,} events in 4 bits"
    found = read(path, asked)
    p50, p95 = np.percentile(found["recall_ms"], [50, 95])
    vector_bytes = f"{report.bytes_before / size:,.0f} → {report.bytes_after / size:,.0f} vector bytes/event"
    yield Row(f"maintain, {label}", "agentmem", f"{rate:,.0f} events/s, {vector_bytes}")
    yield Row(f"recall, {label}", "agentmem", f"p50 {p50:.1f} ms, p95 {p95:.1f} ms")
    memory_mib = f"{found['rss_mib']:,.0f} MiB (peak {found['peak_mib']:,.0f})"
    yield Row(f"memory of a reader, {label}", "agentmem", memory_mib, "≤ 819 MiB at 1,000,000")


def read(path: Path, asked: Asked) -> dict[str, Any]:
    """What `reader` measured."""
    questions = path.with_suffix(".npz")
    names = np.array(asked.namespaces or [""] * len(asked.texts))
    np.savez(questions, texts=np.array(asked.texts), vectors=asked.vectors, namespaces=names)
    command = [sys.executable, "-P", str(_READER), str(path), str(questions)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _point(events: int, rate: float, closed: float, found: dict[str, Any]) -> Point:
    p50, p95 = np.percentile(found["recall_ms"], [50, 95])
    return Point(
        events=events,
        events_per_s=rate,
        open_s=found["open_s"],
        recall_p50_ms=float(p50),
        recall_p95_ms=float(p95),
        rss_mib=found["rss_mib"],
        peak_mib=found["peak_mib"],
        bytes_per_event=found["store_bytes"] / events,
        close_s=closed,
    )


def _table(label: str, point: Point, details: dict[str, Any]) -> Iterator[Row]:
    channels = ", ".join(
        f"{name} {np.percentile(taken, 95):.1f}" for name, taken in details["channels_ms"].items()
    )
    recall = (
        f"p50 {point.recall_p50_ms:.1f} ms, p95 {point.recall_p95_ms:.1f} ms "
        f"(p95 of {channels}; CPU {details['cpu_ms']:.1f} ms)"
    )
    memory = f"{point.rss_mib:,.0f} MiB (peak {point.peak_mib:,.0f})"
    yield Row(f"remember, batches, to {label}", "agentmem", f"{point.events_per_s:,.0f} events/s", "≥ 5,000")
    yield Row(f"close after writing, {label}", "agentmem", f"{point.close_s:.1f} s")
    yield Row(f"open and first recall, {label}", "agentmem", f"{point.open_s:.2f} s")
    yield Row(f"recall, {label}", "agentmem", recall, "p95 ≤ 60 ms at 1,000,000")
    yield Row(f"memory of a reader, {label}", "agentmem", memory, "≤ 2,560 MiB at 1,000,000")
    yield Row(f"file, {label}", "agentmem", f"{point.bytes_per_event:,.0f} bytes/event")


def namespace_rows(count: int, folder: Path) -> Iterator[Row]:
    """`count` namespaces of ten events each, a question to each of two hundred of them."""
    path = folder / "namespaces.db"
    texts: list[str] = []
    vectors: list[Vectors] = []
    asked: list[str] = []
    memory: Memory | None = None
    writing, place = 0.0, 0
    every = max(1, count // _ASKED)
    embedder = ReadyEmbedder(make(1, questions=0))
    for corpus in blocks(count * _PER_NAMESPACE, _BLOCK, questions=0):
        embedder.take(corpus)
        memory = memory or Memory(path, embedder=embedder)
        for start in range(0, len(corpus.messages), _PER_NAMESPACE):
            messages = corpus.messages[start : start + _PER_NAMESPACE]
            view = memory.namespace(f"user-{place}")
            began = perf_counter()
            view.remember(messages)
            writing += perf_counter() - began
            if place % every == 0:
                texts.append(str(messages[3]["content"])[:60])
                vectors.append(corpus.vectors[start + 3])
                asked.append(f"user-{place}")
            place += 1
    assert memory is not None
    began = perf_counter()
    memory.close()
    closed = perf_counter() - began
    found = read(path, Asked(texts, np.stack(vectors), asked))
    p50, p95 = np.percentile(found["recall_ms"], [50, 95])
    label = f"{count:,} namespaces × {_PER_NAMESPACE}"
    yield Row(
        f"remember 10 events, {label}",
        "agentmem",
        f"{writing / count * 1e3:.1f} ms each, close {closed:.1f} s",
    )
    recall = f"p50 {p50:.1f} ms, p95 {p95:.1f} ms (CPU {found['cpu_ms']:.1f} ms)"
    yield Row(f"recall, {label}", "agentmem", recall, "p95 ≤ 10 ms")
    yield Row(f"open and first recall, {label}", "agentmem", f"{found['open_s']:.2f} s")
    yield Row(f"memory of a reader, {label}", "agentmem", f"{found['rss_mib']:,.0f} MiB")
