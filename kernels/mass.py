"""Attention mass: how much attention each key receives, without the T x T table.

mass_j = sum over query rows i and the query heads of a KV head of exp(scale q_i . k_j - lse_i)   (H2O, arXiv
2306.14048; SnapKV, arXiv 2404.14469, with the last window as queries)

Two passes over the keys: the first makes each row's log-sum-exp, the second sums columns. A program owns its keys
in the second pass, so there are no atomics and the result is the same on every run.

Axes: `B` batch, `Hq` query heads, `H` KV heads, `Tq` query tokens, `T` keys, `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import INTERPRETED, Choice, Kernel, cdiv, jit_any_size, pow2
from .mma import dot, dot_rows

LSE_CHOICES = (Choice(4, 2, {"BM": 64, "BN": 64}), Choice(8, 2, {"BM": 128, "BN": 64}))
MASS_CHOICES = (Choice(8, 2, {"BM": 64, "BN": 64}), Choice(8, 2, {"BM": 64, "BN": 128}))


@jit_any_size
def lse_body(
    p_q: tl.tensor,
    p_k: tl.tensor,
    p_lse: tl.tensor,
    factor: tl.tensor,
    n_queries: tl.tensor,
    n_tokens: tl.tensor,
    n_first: tl.tensor,
    SHARED: tl.constexpr,
    D: tl.constexpr,
    BD: tl.constexpr,
    RESIDENT: tl.constexpr,
    UPCAST: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
) -> None:
    o_m = tl.program_id(0) * BM + tl.arange(0, BM)
    pid = tl.program_id(1)
    o_d = tl.arange(0, BD)
    m_d = o_d < D
    m_m = o_m < n_queries
    o_q = (pid.to(tl.int64) * n_queries + o_m) * D
    p_keys = p_k + (pid // SHARED).to(tl.int64) * n_tokens * D
    if RESIDENT:
        # [BM, D]
        b_q = tl.load(p_q + o_q[:, None] + o_d[None, :], mask=m_m[:, None] & m_d[None, :], other=0.0)
    b_max = tl.full([BM], float("-inf"), tl.float32)
    b_sum = tl.zeros([BM], tl.float32)
    seen = tl.minimum(n_tokens, n_first + (tl.program_id(0) + 1) * BM)
    for start in range(0, seen, BN):
        o_n = start + tl.arange(0, BN)
        o_k = o_n.to(tl.int64) * D
        m_n = o_n < n_tokens
        if RESIDENT:
            # [D, BN]
            b_k = tl.load(p_keys + o_k[None, :] + o_d[:, None], mask=m_d[:, None] & m_n[None, :], other=0.0)
            b_s = dot(b_q, b_k, UPCAST)
        else:
            b_s = dot_rows(p_q, o_q, m_m, p_keys, o_k, m_n, D, BD, UPCAST)
        b_s *= factor * 1.4426950408889634
        visible = (o_n[None, :] <= (n_first + o_m)[:, None]) & m_n[None, :]
        b_s = tl.where(visible, b_s, float("-inf"))
        top = tl.maximum(b_max, tl.max(b_s, axis=1))
        base = tl.where(top == float("-inf"), 0.0, top)
        b_sum = b_sum * tl.exp2(b_max - base) + tl.sum(tl.exp2(b_s - base[:, None]), axis=1)
        b_max = top
    # in units of log 2, as the second pass wants it
    tl.store(p_lse + pid.to(tl.int64) * n_queries + o_m, b_max + tl.log2(b_sum), mask=m_m)


@jit_any_size
def mass_body(
    p_q: tl.tensor,
    p_k: tl.tensor,
    p_lse: tl.tensor,
    p_mass: tl.tensor,
    factor: tl.tensor,
    n_queries: tl.tensor,
    n_tokens: tl.tensor,
    n_first: tl.tensor,
    SHARED: tl.constexpr,
    D: tl.constexpr,
    BD: tl.constexpr,
    RESIDENT: tl.constexpr,
    UPCAST: tl.constexpr,
    BM: tl.constexpr,
    BN: tl.constexpr,
) -> None:
    o_n = tl.program_id(0) * BN + tl.arange(0, BN)
    pid = tl.program_id(1).to(tl.int64)
    o_d = tl.arange(0, BD)
    m_d = o_d < D
    m_n = o_n < n_tokens
    o_k = (pid * n_tokens + o_n) * D
    if RESIDENT:
        # [D, BN]
        b_k = tl.load(p_k + o_k[None, :] + o_d[:, None], mask=m_d[:, None] & m_n[None, :], other=0.0)
    b_mass = tl.zeros([BN], tl.float32)
    # queries before the block's first key see none of it
    early = tl.maximum(tl.program_id(0) * BN - n_first, 0) // BM * BM
    for member in range(SHARED):
        o_head = (pid * SHARED + member) * n_queries
        for start in range(early, n_queries, BM):
            o_m = start + tl.arange(0, BM)
            m_m = o_m < n_queries
            o_q = (o_head + o_m) * D
            if RESIDENT:
                # [BM, D]
                b_q = tl.load(p_q + o_q[:, None] + o_d[None, :], mask=m_m[:, None] & m_d[None, :], other=0.0)
                b_s = dot(b_q, b_k, UPCAST)
            else:
                b_s = dot_rows(p_q, o_q, m_m, p_k, o_k, m_n, D, BD, UPCAST)
            b_lse = tl.load(p_lse + o_head + o_m, mask=m_m, other=0.0)
            b_s *= factor * 1.4426950408889634
            visible = (o_n[None, :] <= (n_first + o_m)[:, None]) & m_m[:, None]
            b_mass += tl.sum(tl.where(visible, tl.exp2(b_s - b_lse[:, None]), 0.0), axis=0)
    tl.store(p_mass + pid * n_tokens + o_n, b_mass, mask=m_n)


row_lse = Kernel(lse_body, LSE_CHOICES, key=("D",))
column_mass = Kernel(mass_body, MASS_CHOICES, key=("D",))


def attention_mass(q: Tensor, k: Tensor, *, start: int | None = None, scale: float | None = None) -> Tensor:
    """Causal attention that each key receives from all queries and the query heads that share it.

    Args:
        q: `[B, Hq, Tq, D]` floats, post-RoPE. k: `[B, H, T, D]` in q's dtype, `D` up to 256.
        start: position of the first query among the keys; the queries are the last `Tq` tokens when not given.
        scale: `D ** -0.5` when not given.

    Returns:
        `[B, H, T]` fp32; sums to `Tq Hq / H` over the keys of a KV head.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    A NaN in a query or key makes the keys that its rows see NaN. Moves the keys twice and the queries once plus
    `T / BN` times from L2; `4 B Hq Tq T D` FLOPs, half of it where queries and keys are the same tokens.
    """
    op = "attention_mass"
    check.tensor(op, "q", q, (None, None, None, None), check.FLOATS)
    batch, q_heads, queries, dim = q.shape
    check.tensor(op, "k", k, (batch, None, None, dim), (q.dtype,))
    check.same_device(op, q, k)
    heads, tokens = k.shape[1:3]
    shared = check.groups(op, q_heads, heads)
    first = tokens - queries if start is None else start
    check.option(op, 1 <= dim <= 256, f"head dim is {dim}, must be 1 to 256")
    check.option(
        op, queries > 0 and tokens > 0, f"{queries} queries and {tokens} keys; both must be positive"
    )
    check.option(op, first >= 0, f"the first query stands at {first}, must not be before the first key")
    mass = torch.empty(batch, heads, tokens, dtype=torch.float32, device=k.device)
    lse = torch.empty(batch, q_heads, queries, dtype=torch.float32, device=k.device)
    factor = dim**-0.5 if scale is None else float(scale)
    resident = q.dtype != torch.float32
    row_lse(
        lambda meta: (cdiv(queries, meta["BM"]), batch * q_heads),
        q,
        k,
        lse,
        factor,
        queries,
        tokens,
        first,
        fits=lambda choice: resident or choice.num_warps == 4,
        SHARED=shared,
        D=dim,
        BD=pow2(dim, 16) if resident else 32,
        RESIDENT=resident,
        UPCAST=INTERPRETED,
    )
    column_mass(
        lambda meta: (cdiv(tokens, meta["BN"]), batch * heads),
        q,
        k,
        lse,
        mass,
        factor,
        queries,
        tokens,
        first,
        SHARED=shared,
        D=dim,
        BD=pow2(dim, 16) if resident else 32,
        RESIDENT=resident,
        UPCAST=INTERPRETED,
    )
    return mass
