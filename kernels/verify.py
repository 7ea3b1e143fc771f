"""Compare every kernel with its definition on small, odd shapes: `python -m agentmem.kernels.verify`.

One table serves the tests (in the interpreter) and the benchmark (on the GPU, before it times an op). Outputs are
made in poisoned memory, so that a cell nobody wrote shows as NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from .case import Inputs

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}
"""Largest `|got - want| / (1 + |want|)` by dtype: a few roundings; the interpreter truncates where bf16 rounds."""


@dataclass(frozen=True)
class Check:
    """One op on one small shape: both implementations, their inputs, and how far apart they may be.

    `tolerance` replaces the one of the result's dtype where operands are narrower than the result;
    `agree(got, want, inputs) -> faults` replaces the comparison where equal results can differ.
    """

    op: str
    label: str
    kernel: Callable[..., Any]
    reference: Callable[..., Any]
    make: Callable[[torch.device], Inputs]
    tolerance: float | None = None
    agree: Callable[[Any, Any, Inputs], list[str]] | None = None

    @property
    def name(self) -> str:
        """`op/label`."""
        return f"{self.op}/{self.label}"


def compare(got: Any, want: Any, tolerance: float | None = None, at: str = "result") -> list[str]:
    """Where two results differ: shape, dtype, NaN and Inf exactly, integers exactly, floats within tolerance."""
    if isinstance(want, Tensor):
        return compare_tensors(got, want, tolerance, at)
    if is_dataclass(want):
        named = [(f.name, getattr(got, f.name), getattr(want, f.name)) for f in fields(want)]
    elif isinstance(want, tuple):
        names = getattr(want, "_fields", range(len(want)))
        named = [(str(n), g, w) for n, g, w in zip(names, got, want, strict=True)]
    else:
        return [] if got == want else [f"{at} is {got!r}, should be {want!r}"]
    return [fault for name, g, w in named for fault in compare(g, w, tolerance, f"{at}.{name}")]


def compare_tensors(got: Tensor, want: Tensor, tolerance: float | None, at: str) -> list[str]:
    """`compare` of two tensors."""
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        return [f"{at} is {got.dtype} {list(got.shape)}, should be {want.dtype} {list(want.shape)}"]
    if not want.dtype.is_floating_point:
        wrong = int((got != want).sum())
        return [f"{at} differs in {wrong} of {want.numel()} cells"] if wrong else []
    allowed = TOLERANCE[want.dtype] if tolerance is None else tolerance
    a, b = got.double(), want.double()
    same = (a == b) | (a.isnan() & b.isnan())
    error = ((a - b).abs() / (1.0 + b.abs())).masked_fill(same, 0.0)
    worst = float(error.nan_to_num(nan=torch.inf).max()) if error.numel() else 0.0
    return [f"{at} is off by {worst:.2e}, allowed {allowed:.0e}"] if worst > allowed else []


@contextmanager
def poisoned() -> Iterator[None]:
    """Fill what `torch.empty` and `empty_like` hand out with NaN, or the largest integer."""

    def poison(maker: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def made(*args: Any, **options: Any) -> Tensor:
            fresh = maker(*args, **options)
            if fresh.dtype.is_floating_point:
                return fresh.fill_(torch.nan)
            return fresh.fill_(torch.iinfo(fresh.dtype).max)

        return made

    with (
        patch.object(torch, "empty", poison(torch.empty)),
        patch.object(torch, "empty_like", poison(torch.empty_like)),
    ):
        yield


def faults(check: Check, device: torch.device) -> list[str]:
    """What is wrong with the kernel on this check; empty when nothing is."""
    torch.manual_seed(0)
    inputs = check.make(device)
    args, options = inputs
    want = check.reference(*args, **options)
    with poisoned():
        got = check.kernel(*args, **options)
    if check.agree is not None:
        return check.agree(got, want, inputs)
    return compare(got, want, check.tolerance)


def red_ops(checks: tuple[Check, ...], device: torch.device) -> dict[str, list[str]]:
    """Op -> its faults, for the ops that have any; an exception is a fault."""
    red: dict[str, list[str]] = {}
    for check in checks:
        try:
            found = faults(check, device)
        except (
            Exception
        ) as error:  # whatever stops a kernel makes its op red, and the others are still checked
            found = [f"{type(error).__name__}: {error}"]
        if found:
            red.setdefault(check.op, []).extend(f"{check.name}: {fault}" for fault in found)
    return red
