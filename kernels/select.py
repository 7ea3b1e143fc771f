"""Score every KV page against the query and take the best: Quest's bound, or one centre per page.

score(p) = max or mean, over the query heads of a KV head, of
    sum_d max(q_d low_pd, q_d high_pd)    Quest's bound, arXiv 2406.10774
    q . centre_p                          InfLLM's mean key, ReSV's cluster centroid

The top-k is by rank: page `i` stands at place `#{j : s_j > s_i or (s_j = s_i and j < i)}`, which is its slot of the
result. No sort, no atomics, no bound on the number of pages; ties go to the lower page, so it is deterministic.

Axes: `B` batch, `Hq` query heads, `H` KV heads, `P` pages, `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import PAGE, PageRotation, Selection

SCORE_CHOICES = (Choice(4, blocks={"BP": 16}), Choice(8, blocks={"BP": 32}))
RANK_CHOICES = (Choice(4, blocks={"BI": 32, "BJ": 128}), Choice(4, blocks={"BI": 64, "BJ": 64}))


@jit_any_size
def score_body(
    p_q: tl.tensor,
    p_low: tl.tensor,
    p_high: tl.tensor,
    p_count: tl.tensor,
    p_cos: tl.tensor,
    p_sin: tl.tensor,
    p_rows: tl.tensor,
    p_score: tl.tensor,
    n_pages: tl.tensor,
    n_heads: tl.tensor,
    s_pool: tl.tensor,
    s_rows: tl.tensor,
    n_sinks: tl.tensor,
    n_recent: tl.tensor,
    SHARED: tl.constexpr,
    D: tl.constexpr,
    BH: tl.constexpr,
    BOUND: tl.constexpr,
    MEAN: tl.constexpr,
    TURN: tl.constexpr,
    BP: tl.constexpr,
) -> None:
    o_p = tl.program_id(0) * BP + tl.arange(0, BP)
    problem = tl.program_id(1)
    # divided in 32 bits: a 64-bit division is a call, with a stack
    batch, head = (problem // n_heads).to(tl.int64), problem % n_heads
    pid = problem.to(tl.int64)
    m_p = o_p < n_pages
    o_c = tl.arange(0, BH)
    m_c = o_c < D // 2
    mask = m_p[:, None] & m_c[None, :]
    o_tile = (batch * s_pool + head * n_pages + o_p)[:, None] * D + o_c[None, :]
    # [BP, D/2] each
    b_low0 = tl.load(p_low + o_tile, mask=mask, other=0.0).to(tl.float32)
    b_low1 = tl.load(p_low + o_tile + D // 2, mask=mask, other=0.0).to(tl.float32)
    if BOUND:
        b_high0 = tl.load(p_high + o_tile, mask=mask, other=0.0).to(tl.float32)
        b_high1 = tl.load(p_high + o_tile + D // 2, mask=mask, other=0.0).to(tl.float32)
    if TURN:
        row = tl.load(p_rows + batch * s_rows + o_p, mask=m_p, other=0).to(tl.int64)
        o_a = row[:, None] * (D // 2) + o_c[None, :]
        b_cos = tl.load(p_cos + o_a, mask=mask, other=0.0)
        b_sin = tl.load(p_sin + o_a, mask=mask, other=0.0)
    b_score = tl.zeros([BP], tl.float32)
    for member in tl.static_range(SHARED):
        p_head = p_q + (pid * SHARED + member) * D + o_c
        # [1, D/2]
        b_q0 = tl.load(p_head, mask=m_c, other=0.0).to(tl.float32)[None, :]
        b_q1 = tl.load(p_head + D // 2, mask=m_c, other=0.0).to(tl.float32)[None, :]
        if TURN:
            # the query as seen from the page's base: turned by minus its angle
            b_q0, b_q1 = b_q0 * b_cos + b_q1 * b_sin, b_q1 * b_cos - b_q0 * b_sin
        if BOUND:
            b_term = tl.maximum(b_q0 * b_low0, b_q0 * b_high0) + tl.maximum(b_q1 * b_low1, b_q1 * b_high1)
        else:
            b_term = b_q0 * b_low0 + b_q1 * b_low1
        b_head = tl.sum(b_term, axis=1)
        # max would drop a NaN; a page that is NaN for one head is ranked last
        b_head = tl.where(b_head == b_head, b_head, float("-inf")) if not MEAN else b_head
        if MEAN:
            b_score += b_head / SHARED
        elif member == 0:
            b_score = b_head
        else:
            b_score = tl.where(
                (b_score == float("-inf")) | (b_head == float("-inf")),
                float("-inf"),
                tl.maximum(b_score, b_head),
            )
    b_score = tl.where(b_score == b_score, b_score, -3.0e38)
    b_score = tl.minimum(tl.maximum(b_score, -3.0e38), 3.0e38)
    n_held = tl.load(p_count + batch) if p_count is not None else n_pages
    b_score = tl.where((o_p < n_sinks) | (o_p >= n_held - n_recent), float("inf"), b_score)
    b_score = tl.where(o_p < n_held, b_score, float("-inf"))
    tl.store(p_score + pid * n_pages + o_p, b_score, mask=m_p)


@jit
def rank_body(
    p_score: tl.tensor,
    p_ids: tl.tensor,
    p_best: tl.tensor,
    n_pages: tl.tensor,
    n_wanted: tl.tensor,
    BI: tl.constexpr,
    BJ: tl.constexpr,
) -> None:
    o_i = tl.program_id(0) * BI + tl.arange(0, BI)
    pid = tl.program_id(1).to(tl.int64)
    m_i = o_i < n_pages
    p_row = p_score + pid * n_pages
    # [BI]
    b_i = tl.load(p_row + o_i, mask=m_i, other=float("-inf"))
    b_rank = tl.zeros([BI], tl.int32)
    for start in range(0, n_pages, BJ):
        o_j = start + tl.arange(0, BJ)
        m_j = o_j < n_pages
        # [BJ]
        b_j = tl.load(p_row + o_j, mask=m_j, other=float("-inf"))
        ahead = (b_j[None, :] > b_i[:, None]) | (
            (b_j[None, :] == b_i[:, None]) & (o_j[None, :] < o_i[:, None])
        )
        b_rank += tl.sum((ahead & m_j[None, :]).to(tl.int32), axis=1)
    taken = m_i & (b_rank < n_wanted)
    tl.store(p_ids + pid * n_wanted + b_rank, tl.where(b_i == float("-inf"), -1, o_i), mask=taken)
    tl.store(p_best + pid * n_wanted + b_rank, b_i, mask=taken)


score_pages = Kernel(score_body, SCORE_CHOICES, key=("SHARED", "D", "BOUND", "TURN"))
rank_pages = Kernel(rank_body, RANK_CHOICES)


def check_rotation(op: str, rotation: PageRotation, pool: int, pages: int, dim: int) -> None:
    """Check a page rotation against the pages it is for; the rows' values are the caller's word."""
    for name, table, rows in (
        ("cos", rotation.cos, None),
        ("sin", rotation.sin, rotation.cos.shape[0]),
        ("offset_cos", rotation.offset_cos, PAGE),
        ("offset_sin", rotation.offset_sin, PAGE),
    ):
        check.tensor(op, f"rotation.{name}", table, (rows, dim // 2), (torch.float32,))
    check.tensor(op, "rotation.rows", rotation.rows, (None, pages), (torch.int32,))
    check.option(
        op,
        rotation.rows.shape[0] in (1, pool),
        f"rotation.rows has batch {rotation.rows.shape[0]}, must be 1 or {pool}",
    )


def block_score_topk(
    q: Tensor,
    low: Tensor,
    high: Tensor | None,
    k: int,
    *,
    n_blocks: Tensor | None = None,
    sinks: int = 1,
    recent: int = 1,
    reduce: str = "max",
    rotation: PageRotation | None = None,
) -> Selection:
    """Take the `k` best pages of each KV head for one query token.

    Args:
        q: `[B, Hq, D]`, post-RoPE.
        low, high: `[B or 1, H, P, D]`, `Pages.k_min` and `k_max`; with `high=None`, `low` is a centre per page.
        k: pages to take, forced ones included.
        n_blocks: `[B]` int32, pages in use, at most `P`; all of them when not given. Read on the device.
        sinks, recent: pages forced in at the start and at the end of those in use; at most `k` together.
        reduce: how the query heads of a KV head share a score: `max` or `mean`.
        rotation: for pre-RoPE pages whose summary was made with the offsets' angles; turns the query instead.

    Returns:
        Page ids, best first, forced pages at the front in order. Scores are bounds on `q . k` without the
        softmax scale; a score that is NaN counts as the least.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    Moves `2 B H P D` summary elements (1 for a centre) plus 4 bytes a score written once and read `P / 32` times from
    L2; `4 B Hq P D` FLOPs (8 with a rotation) and `B H P^2` comparisons.
    """
    op = "block_score_topk"
    check.tensor(op, "q", q, (None, None, None), check.FLOATS)
    batch, q_heads, dim = q.shape
    check.head_dim(op, dim)
    check.tensor(op, "low", low, (None, None, None, dim), check.FLOATS)
    pool, heads, pages, _ = low.shape
    shared = check.groups(op, q_heads, heads)
    if high is not None:
        check.tensor(op, "high", high, tuple(low.shape), (low.dtype,))
    if n_blocks is not None:
        check.tensor(op, "n_blocks", n_blocks, (batch,), (torch.int32,))
    if rotation is not None:
        check_rotation(op, rotation, batch, pages, dim)
    check.same_device(op, q, low, high, n_blocks, rotation.rows if rotation else None)
    check.option(op, pool in (1, batch), f"the summaries have batch {pool}, must be 1 or {batch}")
    check.option(op, reduce in ("max", "mean"), f"reduce is {reduce!r}, must be 'max' or 'mean'")
    check.option(op, pages > 0 and k > 0, f"{k} of {pages} pages asked for; both must be positive")
    check.option(
        op,
        sinks >= 0 and recent >= 0 and sinks + recent <= k,
        f"{sinks} sinks and {recent} recent pages do not fit into {k}",
    )
    score = torch.empty(batch * heads, pages, dtype=torch.float32, device=q.device)
    # ranks fill every slot when there are enough pages
    fill = torch.empty if k <= pages else torch.zeros
    ids = fill(batch, heads, k, dtype=torch.int32, device=q.device)
    best = fill(batch, heads, k, dtype=torch.float32, device=q.device)
    if k > pages:
        ids.fill_(-1)
        best.fill_(-torch.inf)
    score_pages(
        lambda meta: (cdiv(pages, meta["BP"]), batch * heads),
        q,
        low,
        high,
        n_blocks,
        rotation.cos if rotation else None,
        rotation.sin if rotation else None,
        rotation.rows if rotation else None,
        score,
        pages,
        heads,
        heads * pages if pool > 1 else 0,
        pages if rotation and rotation.rows.shape[0] > 1 else 0,
        sinks,
        recent,
        SHARED=shared,
        D=dim,
        BH=pow2(dim // 2),
        BOUND=high is not None,
        MEAN=reduce == "mean",
        TURN=rotation is not None,
    )
    rank_pages(lambda meta: (cdiv(pages, meta["BI"]), batch * heads), score, ids, best, pages, k)
    return Selection(ids, best)
