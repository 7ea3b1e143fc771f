"""Every kernel against its definition, and the comparison against planted faults."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from agentmem.kernels.aot import launches
from agentmem.kernels.cases import CASES
from agentmem.kernels.checks import CHECKS
from agentmem.kernels.launch import Kernel
from agentmem.kernels.layout import Selection
from agentmem.kernels.verify import Check, compare, faults, poisoned, red_ops


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_kernel_agrees_with_its_definition(check: Check, device: torch.device) -> None:
    assert faults(check, device) == []


def kernels_of(op: str) -> list[Kernel]:
    """What the op launches; k-means launches what its assignment and its update do."""
    names = {"kmeans_assign", "kmeans_update"} if op == "kmeans" else {op}
    return [launch.kernel for case in CASES if case.op in names for launch in launches(case)]


DEEPEST = {op: max(len(kernel.choices) for kernel in kernels_of(op)) for op in {check.op for check in CHECKS}}
OTHER_CHOICES = [(check, place) for check in CHECKS for place in range(1, DEEPEST[check.op])]


@pytest.mark.parametrize(
    ("check", "place"), OTHER_CHOICES, ids=lambda value: getattr(value, "name", str(value))
)
def test_every_tuning_choice_gives_the_same(
    check: Check, place: int, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tuning picks by speed alone, so each choice must be right; the first one is what other tests run."""
    for kernel in {id(kernel): kernel for kernel in kernels_of(check.op)}.values():
        later = kernel.choices[min(place, len(kernel.choices) - 1)]
        monkeypatch.setattr(kernel, "choices", (later, *kernel.choices))

    assert faults(check, device) == []


@pytest.mark.parametrize("check", {check.op: check for check in CHECKS}.values(), ids=lambda check: check.op)
def test_kernel_that_leaves_a_cell_unwritten_is_red(check: Check, device: torch.device) -> None:
    """The comparison of every op can fail."""

    def forgetful(*args: object, **options: object) -> object:
        done = check.kernel(*args, **options)
        return poison(done)

    assert red_ops((replace(check, kernel=forgetful),), device).keys() == {check.op}


def poison(result: object) -> object:
    """The result with every tensor's first cell unwritten."""
    if isinstance(result, torch.Tensor):
        fresh = result.clone()
        fresh.view(-1)[0] = torch.nan if fresh.dtype.is_floating_point else 99
        return fresh
    if isinstance(result, tuple):
        spoilt = [poison(part) for part in result]
        return type(result)(*spoilt) if hasattr(result, "_fields") else tuple(spoilt)
    return replace(result, k=poison(result.k))  # type: ignore[type-var, attr-defined]


def test_exception_makes_an_op_red_and_the_others_are_still_checked(device: torch.device) -> None:
    def broken(*args: object, **options: object) -> object:
        raise RuntimeError("out of registers")

    bad, good = CHECKS[0], next(check for check in CHECKS if check.op == "rotate")

    red = red_ops((replace(bad, kernel=broken), good), device)

    assert red == {bad.op: [f"{bad.name}: RuntimeError: out of registers"]}


def test_comparison_sees_shape_dtype_nan_integers_and_distance() -> None:
    x = torch.tensor([1.0, 2.0, torch.inf])

    assert compare(x, x) == []
    assert compare(x[:2], x) == ["result is torch.float32 [2], should be torch.float32 [3]"]
    assert compare(x.half(), x) == ["result is torch.float16 [3], should be torch.float32 [3]"]
    assert compare(torch.tensor([1.0, torch.nan, torch.inf]), x) == ["result is off by inf, allowed 2e-05"]
    assert compare(-x, x) == ["result is off by inf, allowed 2e-05"]
    assert compare(torch.tensor([1, 2]), torch.tensor([1, 3])) == ["result differs in 1 of 2 cells"]
    assert compare(Selection(x, x + 1), Selection(x, x)) == [
        "result.scores is off by 5.00e-01, allowed 2e-05"
    ]


def test_poisoned_memory_is_not_zero() -> None:
    with poisoned():
        floats, ints = torch.empty(3), torch.empty_like(torch.ones(2, dtype=torch.uint8))

    assert floats.isnan().all()
    assert ints.tolist() == [255, 255]
