"""Timing, the machine's description, and one shape for every result."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

import numpy as np


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, on which system, and the figure with its unit."""

    what: str
    system: str
    value: str
    target: str = ""


def seconds(call: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = perf_counter()
    call()
    return perf_counter() - start


def processor_seconds(call: Callable[[], object]) -> float:
    """Seconds that this process's threads computed during one call: steadier than the clock on a busy machine."""
    start = process_time()
    call()
    return process_time() - start


def spread(samples: Sequence[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    p50, p95 = np.percentile(np.asarray(samples) * 1e3, [50, 95])
    return f"p50 {p50:.2f} ms, p95 {p95:.2f} ms"


def machine() -> dict[str, str]:
    """Where the figures come from."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(": ")[2] if names else model
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    dirty = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False)
    return {
        "cpu": f"{model}, {len(os.sched_getaffinity(0))} cores",
        "python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in ("sqlalchemy", "faiss-cpu", "numpy")),
        "commit": commit.stdout.strip() + ("-dirty" if dirty.stdout.strip() else ""),
    }
