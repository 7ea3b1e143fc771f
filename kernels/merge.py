"""Merge partial attentions over disjoint sets of keys, exactly.

lse = log sum_s exp(lse_s);  out = sum_s exp(lse_s - lse) out_s   (the reduction of FlashAttention's split keys)

Axes: `S` partial results, `R` rows (batch, heads and queries together), `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit_any_size, pow2
from .layout import Attended

CHOICES = (Choice(4, blocks={"BR": 4}), Choice(1, blocks={"BR": 1}), Choice(4, blocks={"BR": 8}))


@jit_any_size
def merge_body(
    p_outs: tl.tensor,
    p_lses: tl.tensor,
    p_out: tl.tensor,
    p_lse: tl.tensor,
    n_parts: tl.tensor,
    n_rows: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BR: tl.constexpr,
) -> None:
    o_r = tl.program_id(0).to(tl.int64) * BR + tl.arange(0, BR)
    o_c = tl.arange(0, BD)
    m_r = o_r < n_rows
    mask = m_r[:, None] & (o_c < D)[None, :]
    b_max = tl.full([BR], float("-inf"), tl.float32)
    b_sum = tl.zeros([BR], tl.float32)
    b_acc = tl.zeros([BR, BD], tl.float32)
    o_part = o_r
    for _ in range(n_parts):
        # [BR]
        b_lse = tl.load(p_lses + o_part, mask=m_r, other=float("-inf"))
        # [BR, D]
        b_out = tl.load(p_outs + o_part[:, None] * D + o_c[None, :], mask=mask, other=0.0).to(tl.float32)
        top = tl.maximum(b_max, b_lse)
        # a NaN log-sum-exp must not vanish in the maximum
        top = tl.where(b_lse == b_lse, top, b_lse)
        base = tl.where(top == float("-inf"), 0.0, top)
        keep = tl.exp(b_max - base)
        weight = tl.exp(b_lse - base)
        # a part that saw nothing may hold anything
        b_out = tl.where((b_lse == float("-inf"))[:, None], 0.0, b_out)
        b_acc = b_acc * keep[:, None] + b_out * weight[:, None]
        b_sum = b_sum * keep + weight
        b_max = top
        o_part += n_rows
    some = b_sum != 0.0
    b_acc = b_acc / tl.where(some, b_sum, 1.0)[:, None]
    b_lse = tl.where(some, b_max + tl.log(tl.where(some, b_sum, 1.0)), float("-inf"))
    tl.store(p_out + o_r[:, None] * D + o_c[None, :], b_acc.to(p_out.dtype.element_ty), mask=mask)
    tl.store(p_lse + o_r, b_lse, mask=m_r)


merge = Kernel(merge_body, CHOICES, key=("D",))


def merge_into(outs: Tensor, lses: Tensor, out: Tensor, lse: Tensor) -> None:
    """`merge_lse` into given, checked tensors: what attention calls on its own partial results."""
    dim, rows = outs.shape[-1], lses[0].numel()
    merge(
        lambda meta: (cdiv(rows, meta["BR"]),),
        outs,
        lses,
        out,
        lse,
        outs.shape[0],
        rows,
        D=dim,
        BD=pow2(dim),
    )


def merge_lse(outs: Tensor, lses: Tensor) -> Attended:
    """Merge attention outputs over disjoint key sets into attention over their union.

    Args:
        outs: `[S, ..., D]` floats. lses: `[S, ...]` fp32, natural log, -inf for a part that saw nothing, whose
            output is then ignored whatever it holds.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    A NaN goes through to its own row. Moves `(S + 1) R D` elements and `4 (S + 1) R` bytes; `3 S R D` FLOPs.
    """
    op = "merge_lse"
    check.option(op, outs.ndim >= 2, f"outs has shape {list(outs.shape)}, must be [S, ..., D]")
    check.tensor(op, "outs", outs, (None,) * outs.ndim, check.FLOATS)
    check.tensor(op, "lses", lses, tuple(outs.shape[:-1]), (torch.float32,))
    check.same_device(op, outs, lses)
    check.option(op, outs.shape[-1] <= 1024, f"head dim is {outs.shape[-1]}, must be at most 1024")
    out, lse = torch.empty_like(outs[0]), torch.empty_like(lses[0])
    if lse.numel():
        merge_into(outs, lses, out, lse)
    return Attended(out, lse)
