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


@jit
def dot_rows(
    p_a: tl.tensor,
    o_a: tl.tensor,
    m_a: tl.tensor,
    p_b: tl.tensor,
    o_b: tl.tensor,
    m_b: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    UPCAST: tl.constexpr,
) -> tl.tensor:
    """fp32 products of the rows at offsets `o_a` with the rows at `o_b`, `BD` channels at a time.

    For operands too wide to stay in registers; rows are read again from L1 or L2. int8 rows take b's dtype.
    """
    acc = tl.zeros([o_a.shape[0], o_b.shape[0]], tl.float32)
    for start in range(0, D, BD):
        o_d = start + tl.arange(0, BD)
        m_d = o_d < D
        b_a = tl.load(p_a + o_a[:, None] + o_d[None, :], mask=m_a[:, None] & m_d[None, :], other=0)
        b_b = tl.load(p_b + o_b[None, :] + o_d[:, None], mask=m_d[:, None] & m_b[None, :], other=0)
        if b_a.dtype != b_b.dtype:
            b_a = b_a.to(tl.float32).to(b_b.dtype)
        acc += dot(b_a, b_b, UPCAST)
    return acc
