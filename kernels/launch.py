"""How a kernel is written down, launched and recorded; knows nothing of any one kernel.

A `Kernel` is a jitted body with its tuning choices. On a GPU the choices are timed once per key and size of
launch; in Triton's CPU interpreter, which cannot autotune, the first choice runs the very same body; while
`recording()` is active nothing runs and each launch is noted, so that the ahead-of-time compiler sees the
signatures that real launches have.
"""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import triton

INTERPRETED = (
    bool(triton.knobs.runtime.interpret)
    if hasattr(triton, "knobs")
    else (os.environ.get("TRITON_INTERPRET") == "1")
)
"""True in the CPU interpreter, whose bf16 `tl.dot` is silently wrong: bodies then upcast operands to fp32."""


def jit(body: Callable[..., Any]) -> Any:
    """`triton.jit`, with a type the checker accepts on a typed function."""
    return triton.jit(body)


def jit_any_size(body: Callable[..., Any]) -> Any:
    """`jit`, compiled once for all sizes (`n_*`) and strides (`s_*`): no special case for 1 or multiples of 16.

    For bodies whose addresses are multiples of a constant, so that alignment does not hang on a size.
    """
    names = [name for name in inspect.signature(body).parameters if name.startswith(("n_", "s_"))]
    return triton.jit(body, do_not_specialize=names)


@dataclass(frozen=True)
class Choice:
    """One way to run a kernel: warps, pipeline stages and block sizes."""

    num_warps: int
    num_stages: int = 1
    # a mapping has no hash; equal choices still compare equal by it
    blocks: Mapping[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Launch:
    """One recorded launch: what the ahead-of-time compiler needs to rebuild it."""

    kernel: Kernel
    args: tuple[Any, ...]
    constants: Mapping[str, Any]
    choices: tuple[Choice, ...]


_recorded: list[Launch] | None = None


@contextmanager
def recording() -> Iterator[list[Launch]]:
    """Note launches instead of running them; tensors may be on the `meta` device. Not thread-safe."""
    global _recorded
    _recorded = []
    try:
        yield _recorded
    finally:
        _recorded = None


def is_recording() -> bool:
    """Whether launches are being noted instead of run."""
    return _recorded is not None


class Kernel:
    """A jitted body, its choices, the arguments its best choice depends on, and whether FMA may be formed.

    `fma=False` is for codes that must be bit-equal to the reference: contracting `x * y + z` moves ties.
    The first GPU call per key and order of magnitude of programs times every choice: a choice made on a short
    context does not serve a long one, and a CUDA graph is captured after one call with the same shapes.
    """

    def __init__(
        self, body: Any, choices: Sequence[Choice], *, key: Sequence[str] = (), fma: bool = True
    ) -> None:
        self.body = body
        self.choices = tuple(choices)
        self.key = tuple(key)
        self.fma = fma
        self._tuned: dict[tuple[tuple[Choice, ...], int], Any] = {}

    @property
    def name(self) -> str:
        """The body's name."""
        return str(self.body.__name__)

    def __call__(
        self,
        grid: Callable[[Mapping[str, Any]], tuple[int, ...]],
        *args: Any,
        fits: Any = None,
        **constants: Any,
    ) -> None:
        """Launch over `grid(blocks and constants)`.

        `fits(choice) -> bool`, where given, drops the choices that do not suit these shapes; one must be left.
        """
        choices = tuple(choice for choice in self.choices if fits is None or fits(choice))
        if _recorded is not None:
            _recorded.append(Launch(self, args, constants, choices))
            return
        first = choices[0]
        if INTERPRETED:
            self.body[grid({**constants, **first.blocks})](*args, **constants, **first.blocks)
            return
        device = next(arg.device for arg in args if isinstance(arg, torch.Tensor))
        with torch.cuda.device(device):
            if len(choices) == 1:
                self.body[grid({**constants, **first.blocks})](
                    *args,
                    **constants,
                    **first.blocks,
                    num_warps=first.num_warps,
                    num_stages=first.num_stages,
                    enable_fp_fusion=self.fma,
                )
            else:
                size = magnitude(math.prod(grid({**constants, **first.blocks})))
                self._autotuner(choices, size)[grid](*args, **constants, enable_fp_fusion=self.fma)

    def _autotuner(self, choices: tuple[Choice, ...], size: int) -> Any:
        if (choices, size) not in self._tuned:
            configs = [
                triton.Config(dict(c.blocks), num_warps=c.num_warps, num_stages=c.num_stages) for c in choices
            ]
            self._tuned[choices, size] = triton.autotune(configs=configs, key=list(self.key))(self.body)
        return self._tuned[choices, size]


def magnitude(programs: int) -> int:
    """Launches of the same magnitude share a tuned choice: fewer than 8 programs, fewer than 64, and so on."""
    return (max(1, programs).bit_length() - 1) // 3


def pow2(n: int, least: int = 1) -> int:
    """The smallest power of two that is at least `n` and `least`: a block length Triton can hold."""
    return max(least, 1 << max(0, n - 1).bit_length())


def cdiv(n: int, d: int) -> int:
    """`n / d` rounded up."""
    return -(-n // d)
