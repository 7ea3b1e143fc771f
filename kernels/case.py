"""What a case is: one op on one shape, how to make its inputs, and the two numbers of its floor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Inputs = tuple[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One op on one shape: how to make its inputs, and the two numbers of its floor."""

    op: str
    label: str
    run: Callable[..., Any]
    make: Callable[[torch.device], Inputs]
    moved_bytes: int = 0
    flops: int = 0
    timed: bool = False

    @property
    def name(self) -> str:
        """`op/label`."""
        return f"{self.op}/{self.label}"

    def call(self, device: torch.device) -> Any:
        """Make the inputs and run the op once."""
        args, options = self.make(device)
        return self.run(*args, **options)


HEADS, QUERY_HEADS, DIM, TOKENS, BUDGET = 8, 32, 128, 131_072, 4096
BF16, FP16, FP32 = torch.bfloat16, torch.float16, torch.float32


def floats(*shape: int, device: torch.device, dtype: torch.dtype = BF16) -> Tensor:
    """Normal noise."""
    return torch.randn(shape, device=device, dtype=dtype)


def short(dtype: torch.dtype) -> str:
    """The dtype's name."""
    return str(dtype).removeprefix("torch.")
