from __future__ import annotations

import pytest
import torch
from agentmem.kernels import check


def test_errors_are_the_builtins_they_refine() -> None:
    assert issubclass(check.KernelShapeError, ValueError)
    assert issubclass(check.KernelDtypeError, TypeError)


def test_free_axes_fit_anything() -> None:
    check.tensor("op", "x", torch.zeros(3, 4), (None, 4), check.FLOATS)

    with pytest.raises(check.KernelShapeError, match=r"op: x has shape \[3, 4\], must be \[any, 5\]"):
        check.tensor("op", "x", torch.zeros(3, 4), (None, 5), check.FLOATS)
    with pytest.raises(check.KernelShapeError, match=r"must be \[any\]"):
        check.tensor("op", "x", torch.zeros(3, 4), (None,), check.FLOATS)


def test_host_tensor_is_refused_outside_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "INTERPRETED", False)

    with pytest.raises(check.KernelShapeError, match="x is on cpu, the Triton kernel needs CUDA; move it"):
        check.tensor("op", "x", torch.zeros(3), (3,), check.FLOATS)


def test_operands_on_two_devices_are_refused() -> None:
    with pytest.raises(check.KernelShapeError, match="operands are on cpu, meta; move them to one device"):
        check.same_device("op", torch.zeros(1), None, torch.zeros(1, device="meta"))
