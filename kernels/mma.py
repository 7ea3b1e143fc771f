"""Dot products that mean the same on the tensor cores and in the interpreter."""

from __future__ import annotations

import triton.language as tl

from .launch import jit


@jit
def dot(a: tl.tensor, b: tl.tensor, UPCAST: tl.constexpr) -> tl.tensor:
    """fp32 `a @ b`: 16-bit operands as they are, fp32 ones in three tf32 passes (error about 1e-6).

    `UPCAST` is set in the interpreter, whose bf16 products are silently wrong.
    """
    if UPCAST:
        return tl.dot(a.to(tl.float32), b.to(tl.float32), input_precision="ieee")
    return tl.dot(a, b, input_precision="tf32x3")


@jit
def dot_half(a: tl.tensor, b: tl.tensor, WIDE: tl.constexpr) -> tl.tensor:
    """fp32 `a @ b` of fp32 operands, rounded to fp16 first unless `WIDE`."""
    if WIDE:
        return tl.dot(a, b, input_precision="tf32x3")
    return tl.dot(a.to(tl.float16), b.to(tl.float16))
