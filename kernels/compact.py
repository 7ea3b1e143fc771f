"""Keep some tokens: from marks to positions, and from positions to a compact cache.

Axes: `B` batch, `H` KV heads, `T` tokens, `M` kept tokens, `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import Kept

INDEX_CHOICES = (Choice(8, 1, {"BT": 2048}), Choice(8, 1, {"BT": 4096}))
GATHER_CHOICES = (Choice(4, 1, {"BM": 16}), Choice(4, 1, {"BM": 32}), Choice(8, 1, {"BM": 64}))


@jit
def index_body(
    p_mask: tl.tensor,
    p_at: tl.tensor,
    p_asked: tl.tensor,
    n_tokens: tl.tensor,
    n_budget: tl.tensor,
    BT: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    asked = 0
    for start in range(0, n_tokens, BT):
        o_t = start + tl.arange(0, BT)
        # [BT]
        b_m = (tl.load(p_mask + row * n_tokens + o_t, mask=o_t < n_tokens, other=0) != 0).to(tl.int32)
        o_slot = asked + tl.cumsum(b_m, axis=0) - b_m
        tl.store(p_at + row * n_budget + o_slot, o_t, mask=(b_m > 0) & (o_slot < n_budget))
        asked += tl.sum(b_m, axis=0)
    tl.store(p_asked + row, asked)
    for start in range(0, n_budget, BT):
        o_slot = start + tl.arange(0, BT)
        tl.store(p_at + row * n_budget + o_slot, -1, mask=(o_slot >= asked) & (o_slot < n_budget))


@jit_any_size
def gather_body(
    p_k: tl.tensor,
    p_v: tl.tensor,
    p_at: tl.tensor,
    p_k_out: tl.tensor,
    p_v_out: tl.tensor,
    n_tokens: tl.tensor,
    n_kept: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BM: tl.constexpr,
) -> None:
    o_m = tl.program_id(0) * BM + tl.arange(0, BM)
    row = tl.program_id(1).to(tl.int64)
    m_m = o_m < n_kept
    o_d = tl.arange(0, BD)
    m_d = o_d < D
    at = tl.load(p_at + row * n_kept + o_m, mask=m_m, other=-1)
    m_in = ((at >= 0) & (at < n_tokens))[:, None] & m_d[None, :]
    o_in = (row * n_tokens + at)[:, None] * D + o_d[None, :]
    o_out = (row * n_kept + o_m)[:, None] * D + o_d[None, :]
    m_out = m_m[:, None] & m_d[None, :]
    # [BM, D] each
    b_k = tl.load(p_k + o_in, mask=m_in, other=0.0)
    b_v = tl.load(p_v + o_in, mask=m_in, other=0.0)
    tl.store(p_k_out + o_out, b_k, mask=m_out)
    tl.store(p_v_out + o_out, b_v, mask=m_out)


index = Kernel(index_body, INDEX_CHOICES)
gather = Kernel(gather_body, GATHER_CHOICES, key=("D",))


def keep_index(mask: Tensor, budget: int) -> Kept:
    """Positions of the first `budget` marked tokens of each row, in order.

    Args:
        mask: `[B, H, T]` bool. budget: slots per row, fixed, so that shapes are static.

    Returns:
        Positions, -1 past the last; and how many were marked, which may be more than the budget.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    Moves `B H T` bytes in and `4 B H budget` out, one program a row; one scan step a token.
    """
    op = "keep_index"
    check.tensor(op, "mask", mask, (None, None, None), (torch.bool,))
    check.option(op, budget > 0, f"budget is {budget}, must be positive")
    batch, heads, tokens = mask.shape
    at = torch.empty(batch, heads, budget, dtype=torch.int32, device=mask.device)
    asked = torch.empty(batch, heads, dtype=torch.int32, device=mask.device)
    if asked.numel():
        index(lambda meta: (batch * heads,), mask.view(torch.uint8), at, asked, tokens, budget)
    return Kept(at, asked)


def gather_tokens(k: Tensor, v: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Copy the kept tokens' keys and values together.

    Args:
        k, v: `[B, H, T, D]` floats, `D` up to 1024. index: `[B, H, M]` int32 positions, -1 for an empty slot.

    Returns:
        `[B, H, M, D]` each, in the order of `index`; zeros in empty slots.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit. Positions past `T` give zeros.

    Bits are copied, NaN too. Moves `4 B H M D` elements and the positions; no FLOPs.
    """
    op = "gather_tokens"
    check.tensor(op, "k", k, (None, None, None, None), check.FLOATS)
    check.tensor(op, "v", v, tuple(k.shape), (k.dtype,))
    batch, heads, tokens, dim = k.shape
    check.tensor(op, "index", index, (batch, heads, None), (torch.int32,))
    check.same_device(op, k, v, index)
    check.option(op, dim <= 1024, f"head dim is {dim}, must be at most 1024")
    kept = index.shape[2]
    k_out, v_out = (torch.empty(batch, heads, kept, dim, dtype=k.dtype, device=k.device) for _ in range(2))
    if k_out.numel():
        gather(
            lambda meta: (cdiv(kept, meta["BM"]), batch * heads),
            k,
            v,
            index,
            k_out,
            v_out,
            tokens,
            kept,
            D=dim,
            BD=pow2(dim),
        )
    return k_out, v_out
