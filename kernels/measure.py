"""Time on a GPU, and the two ceilings that times are read against. Knows nothing of the ops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

WARM_UPS = 5
REPEATS = 50
L2_BYTES = 128 * 2**20
"""Taken for the L2 of a GPU that does not tell its own; more than any current one has."""
MOST_INPUTS = 64
INPUT_SHARE = 8
"""Inputs may take one part in this many of the GPU's memory."""


@dataclass(frozen=True)
class Timing:
    """Microseconds for one call: median, 20 % and 80 %; whether it ran from a CUDA graph."""

    median_us: float
    low_us: float
    high_us: float
    graph: bool


def l2_bytes() -> int:
    """The GPU's second-level cache."""
    return int(getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 0)) or L2_BYTES


def input_sets(moved_bytes: int, held_bytes: int, *, l2: int, memory: int) -> int:
    """How many inputs to rotate among, so that a call does not find the last one's data in cache.

    Enough that what they move exceeds twice the cache, within the memory they may hold.
    """
    wanted = -(-2 * l2 // max(1, moved_bytes))
    return max(1, min(MOST_INPUTS, wanted, memory // INPUT_SHARE // max(1, held_bytes)))


def timed(
    calls: Sequence[Callable[[], Any]],
    *,
    graph: bool = True,
    warm_ups: int = WARM_UPS,
    repeats: int = REPEATS,
) -> Timing:
    """Time one round of `calls` and give it per call; falls back to plain launches where capture is refused."""
    for _ in range(warm_ups):
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
    marks = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(repeats)]
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
