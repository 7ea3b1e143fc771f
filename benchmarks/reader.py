"""Opens a store in a process of its own, asks it questions, and prints what that cost as JSON.

python benchmarks/reader.py STORE.db QUESTIONS.npz

The questions hold `texts`, `vectors` `[n, dims]` and `namespaces`, where an empty name is the default one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from agentmem import Memory
from agentmem.contracts import TextKind, Vectors


class _Asked:
    """An embedder that knows the questions only."""

    name = "ready"

    def __init__(self, texts: Sequence[str], vectors: Vectors) -> None:
        self._rows = dict(zip(texts, vectors, strict=True))
        self.dims = int(vectors.shape[1])

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        return np.stack([self._rows[text] for text in texts])


def main(database: Path, questions: Path) -> None:
    """Ask every question once, in order."""
    with np.load(questions) as given:
        texts, vectors, names = given["texts"].tolist(), given["vectors"], given["namespaces"].tolist()
    start = perf_counter()
    memory = Memory(database, embedder=_Asked(texts, vectors))
    views = [memory.namespace(name) if name else memory for name in names]
    views[0].recall(texts[0])
    opened = perf_counter() - start
    busy = process_time()
    traces = [view.recall(text).trace for view, text in zip(views, texts, strict=True)]
    busy = process_time() - busy
    start = perf_counter()
    stats = memory.stats()
    counted = perf_counter() - start
    channels: dict[str, list[float]] = {}
    for trace in traces:
        for channel in trace.channels:
            channels.setdefault(channel.name, []).append(channel.seconds * 1e3)
    print(
        json.dumps(
            {
                "open_s": opened,
                "stats_s": counted,
                "recall_ms": [(trace.seconds - trace.embed_seconds) * 1e3 for trace in traces],
                "cpu_ms": busy / len(texts) * 1e3,
                "channels_ms": channels,
                "rss_mib": _status("VmRSS"),
                "peak_mib": _status("VmHWM"),
                "store_bytes": stats.store_bytes,
            }
        )
    )
    memory.close()


def _status(name: str) -> float:
    """A memory figure of this process, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
