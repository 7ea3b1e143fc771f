"""Move vectors along a rotary embedding by any offset, from tables made in fp64 on the host.

low' = low cos - high sin;  high' = high cos + low sin, on the pairs (j, j + R/2) of the first `R` channels.

In-kernel sine and cosine would cost 128 registers and spill, and lose the angle itself past position 10^5.

Axes: `B` batch, `H` heads, `T` tokens, `D` head dim, `R` rotary dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, pow2

CHOICES = (Choice(4, blocks={"BT": 16}), Choice(4, blocks={"BT": 32}), Choice(8, blocks={"BT": 64}))


@jit
def rotate_body(
    p_x: tl.tensor,
    p_cos: tl.tensor,
    p_sin: tl.tensor,
    p_out: tl.tensor,
    n_tokens: tl.tensor,
    n_heads: tl.tensor,
    s_batch: tl.tensor,
    s_token: tl.tensor,
    D: tl.constexpr,
    R: tl.constexpr,
    BR: tl.constexpr,
    BREST: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    o_t = tl.program_id(0) * BT + tl.arange(0, BT)
    pid = tl.program_id(1)
    m_t = o_t < n_tokens
    o_c = tl.arange(0, BR)
    mask = m_t[:, None] & (o_c < R // 2)[None, :]
    o_row = (pid.to(tl.int64) * n_tokens + o_t)[:, None] * D
    o_a = ((pid // n_heads).to(tl.int64) * s_batch + o_t * s_token)[:, None] + o_c[None, :]
    # [BT, R/2] each
    b_cos = tl.load(p_cos + o_a, mask=mask, other=0.0)
    b_sin = tl.load(p_sin + o_a, mask=mask, other=0.0)
    b_low = tl.load(p_x + o_row + o_c[None, :], mask=mask, other=0.0).to(tl.float32)
    b_high = tl.load(p_x + o_row + o_c[None, :] + R // 2, mask=mask, other=0.0).to(tl.float32)
    low = b_low * b_cos - b_high * b_sin
    high = b_high * b_cos + b_low * b_sin
    tl.store(p_out + o_row + o_c[None, :], low.to(p_out.dtype.element_ty), mask=mask)
    tl.store(p_out + o_row + o_c[None, :] + R // 2, high.to(p_out.dtype.element_ty), mask=mask)
    if R < D:
        o_r = R + tl.arange(0, BREST)
        m_r = m_t[:, None] & (o_r < D)[None, :]
        b_rest = tl.load(p_x + o_row + o_r[None, :], mask=m_r, other=0.0)
        tl.store(p_out + o_row + o_r[None, :], b_rest, mask=m_r)


turn = Kernel(rotate_body, CHOICES, key=("D", "R"))


def rotate(x: Tensor, cos: Tensor, sin: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Turn each token's first `2 * cos.shape[-1]` channels by its angle.

    Args:
        x: `[B, H, T, D]`, `D` at most 256.
        cos, sin: fp32 `[B or 1, T or 1, R/2]` from `tables.rope_tables`: of positions for a first rotation, of one
            offset (`T` axis 1) to move a whole run. Per-layer-type models pass the table of the layer's type.
        out: where to write, `x` itself included; a new tensor when not given.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    Rotate bf16 from the canonical copy, not from a rotated one: each turn rounds by up to 2^-9. NaN and Inf go
    through to their own pair. Moves `2 B H T D` elements and the tables; 6 FLOPs a pair.
    """
    op = "rotate"
    check.tensor(op, "x", x, (None, None, None, None), check.FLOATS)
    batch, heads, tokens, dim = x.shape
    check.tensor(op, "cos", cos, (None, None, None), (torch.float32,))
    check.tensor(op, "sin", sin, tuple(cos.shape), (torch.float32,))
    check.same_device(op, x, cos, sin, out)
    half = cos.shape[-1]
    check.option(
        op, dim <= 256 and 0 < 2 * half <= dim, f"rotary dim {2 * half} and head dim {dim} do not fit"
    )
    check.option(
        op,
        cos.shape[0] in (1, batch) and cos.shape[1] in (1, tokens),
        f"tables of shape {list(cos.shape)} do not serve batch {batch} and {tokens} tokens",
    )
    moved = torch.empty_like(x) if out is None else out
    check.tensor(op, "out", moved, tuple(x.shape), (x.dtype,))
    if x.numel() == 0:
        return moved
    turn(
        lambda meta: (cdiv(tokens, meta["BT"]), batch * heads),
        x,
        cos,
        sin,
        moved,
        tokens,
        heads,
        cos.shape[1] * half if cos.shape[0] > 1 else 0,
        half if cos.shape[1] > 1 else 0,
        # tuning runs a kernel many times over, which must not be in place
        fits=lambda choice: out is None or choice is CHOICES[0],
        D=dim,
        R=2 * half,
        BR=pow2(half),
        BREST=pow2(dim - 2 * half),
    )
    return moved
