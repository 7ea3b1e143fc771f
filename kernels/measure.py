"""Time on a GPU, and the two ceilings that times are read against. Knows nothing of the ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

WARM_UPS = 5
REPEATS = 50
L2_BYTES = 60 * 2**20
"""More than any current GPU's usual share of L2; inputs rotate until they exceed twice this."""
MOST_INPUTS = 16


@dataclass(frozen=True)
class Timing:
    """Microseconds for one call: median, 20 % and 80 %; whether it ran from a CUDA graph."""

    median_us: float
    low_us: float
    high_us: float
    graph: bool


def input_sets(moved_bytes: int) -> int:
    """How many inputs to rotate among, so that a run does not find the last one's data in cache."""
    return max(1, min(MOST_INPUTS, -(-2 * L2_BYTES // max(1, moved_bytes))))


def timed(calls: Sequence[Callable[[], Any]], *, graph: bool = True) -> Timing:
    """Time one round of `calls` and give it per call; falls back to plain launches where capture is refused."""
    for _ in range(WARM_UPS):
        for call in calls:
            call()
    torch.cuda.synchronize()
    replay, captured = capture(calls) if graph else (None, False)

    def round_of_calls() -> None:
        if replay is not None:
            replay()
            return
        for call in calls:
            call()

    round_of_calls()
    event: Callable[..., Any] = torch.cuda.Event
    marks = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(REPEATS)]
    for start, end in marks:
        start.record()
        round_of_calls()
        end.record()
    torch.cuda.synchronize()
    spans = torch.tensor([start.elapsed_time(end) * 1000 / len(calls) for start, end in marks])
    low, median, high = spans.quantile(torch.tensor([0.2, 0.5, 0.8])).tolist()
    return Timing(median, low, high, captured)


def capture(calls: Sequence[Callable[[], Any]]) -> tuple[Callable[[], None] | None, bool]:
    """One CUDA graph of all the calls, or nothing if one of them cannot be captured."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            # results are held until the capture ends, as the allocator asks
            held = [call() for call in calls]
    except RuntimeError:
        torch.cuda.synchronize()
        return None, False
    del held
    return graph.replay, True


def copy_gb_per_s() -> float:
    """Bandwidth of a large device-to-device copy, read and written bytes both counted."""
    source = torch.randn(2**28, device="cuda")
    target = torch.empty_like(source)
    took = timed([lambda: target.copy_(source)])
    return 2 * source.numel() * 4 / took.median_us / 1e3


def matmul_tflop_per_s() -> float:
    """Rate of a large bf16 matrix product of noise."""
    n = 8192
    a, b = (torch.randn(n, n, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    took = timed([lambda: torch.matmul(a, b)])
    return 2 * n**3 / took.median_us / 1e6
