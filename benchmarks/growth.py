"""Draws how a store grows: recall time, memory, speed of writing and bytes over the number of events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured at one size."""

    events: int
    events_per_s: float
    open_s: float
    recall_p50_ms: float
    recall_p95_ms: float
    rss_mib: float
    peak_mib: float
    bytes_per_event: float
    close_s: float


def draw(points: Sequence[Point], path: Path) -> None:
    """Four panels, events on a logarithmic axis; the file's ending chooses the format."""
    # only who draws needs it
    import matplotlib.figure

    events = [point.events for point in points]
    panels = {
        "recall, ms (embedder excluded)": {
            "p50": [point.recall_p50_ms for point in points],
            "p95": [point.recall_p95_ms for point in points],
        },
        "memory of a reader, MiB": {
            "after 200 recalls": [point.rss_mib for point in points],
            "peak": [point.peak_mib for point in points],
        },
        "writing in batches, events/s": {"": [point.events_per_s for point in points]},
        "file, bytes/event": {"": [point.bytes_per_event for point in points]},
    }
    figure = matplotlib.figure.Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2)
    for axis, (title, lines) in zip(axes.flat, panels.items(), strict=True):
        for label, values in lines.items():
            axis.plot(events, values, marker="o", label=label)
        axis.set(title=title, xscale="log", xlabel="events in one file", ylim=(0, None))
        axis.grid(alpha=0.3)
        if len(lines) > 1:
            axis.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
