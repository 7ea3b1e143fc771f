"""Decode attention over selected KV pages: dequantised, turned and attended in registers.

For every KV head `h` and query row `m` over the tokens `t` of the pages that `table[h]` names:
    s_t = scale q_m . R(base + t) k_t;  out = sum_t softmax(s)_t v_t;  lse = log sum_t exp(s_t)

R(base + t) = R(base) R(t): the query is turned back by the page's base angle, the keys by their offset inside the
page, whose table all programs share; so a page costs one row of angles, not 64. Pages are dealt to `splits`
programs per KV head and their partial results merged, exactly (FlashDecoding).

Both dot products take fp16 operands for 16-bit and coded pages (fp16 keeps 11 bits of what bf16 held in 8, and the
interpreter's bf16 dot is silently wrong), three tf32 passes for fp32 pages; sums are fp32.

Axes: `B` batch, `Hq` query heads, `H` KV heads, `Tq` query tokens, `P` pages of 64, `S` selected pages, `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .dequantize import check_pages, key_scale, load_halves, value_scale
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import PAGE, Attended, PageRotation, Pages
from .merge import merge_into
from .mma import dot_half
from .select import check_rotation

CHOICES = (
    Choice(4, 2, {"BT": 32}),
    Choice(4, 3, {"BT": 32}),
    Choice(4, 2, {"BT": 16}),
    Choice(8, 2, {"BT": 64}),
    Choice(8, 2, {"BT": 32}),
)
MAX_QUERIES = 8
MAX_ROWS = 64
FILL_PROGRAMS = 264
"""Programs that fill a large GPU: two for each of an H100's 132 multiprocessors."""


@jit
def load_query(
    p_q: tl.tensor,
    pid: tl.tensor,
    o_m: tl.tensor,
    o_c: tl.tensor,
    factor: tl.tensor,
    ROWS: tl.constexpr,
    D: tl.constexpr,
) -> tl.tensor:
    """Columns `o_c` of both halves of the queries, scaled so that scores come in units of log 2."""
    o_q = (pid * ROWS + o_m)[:, None] * D + o_c[None, :]
    mask = (o_m < ROWS)[:, None] & (o_c < D // 2)[None, :]
    low = tl.load(p_q + o_q, mask=mask, other=0.0).to(tl.float32) * (factor * 1.4426950408889634)
    high = tl.load(p_q + o_q + D // 2, mask=mask, other=0.0).to(tl.float32) * (factor * 1.4426950408889634)
    return low, high


@jit_any_size
def attend_body(
    p_q: tl.tensor,
    p_k: tl.tensor,
    p_v: tl.tensor,
    p_k_scale: tl.tensor,
    p_k_zero: tl.tensor,
    p_v_scale: tl.tensor,
    p_v_zero: tl.tensor,
    p_table: tl.tensor,
    p_lengths: tl.tensor,
    p_cos: tl.tensor,
    p_sin: tl.tensor,
    p_rows: tl.tensor,
    p_offset_cos: tl.tensor,
    p_offset_sin: tl.tensor,
    p_out: tl.tensor,
    p_lse: tl.tensor,
    factor: tl.tensor,
    n_pages: tl.tensor,
    n_heads: tl.tensor,
    n_slots: tl.tensor,
    n_each: tl.tensor,
    s_pool: tl.tensor,
    s_lengths: tl.tensor,
    s_rows: tl.tensor,
    ROWS: tl.constexpr,
    BM: tl.constexpr,
    D: tl.constexpr,
    BH: tl.constexpr,
    BC: tl.constexpr,
    K_BITS: tl.constexpr,
    V_BITS: tl.constexpr,
    PAGE: tl.constexpr,
    TURN: tl.constexpr,
    WIDE: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    GROUPS: tl.constexpr = (D + 63) // 64
    split = tl.program_id(0)
    problem = tl.program_id(1)
    # divided in 32 bits: a 64-bit division is a call, with a stack
    batch, head = (problem // n_heads).to(tl.int64), problem % n_heads
    pid = problem.to(tl.int64)
    # more rows than a tile holds go to another program, which finds the pages in L2
    o_m = tl.program_id(2) * BM + tl.arange(0, BM)
    o_c = tl.arange(0, BH)
    # codes come by the byte, floats by the element
    K_UNIT: tl.constexpr = 16 if K_BITS == 16 else 8
    V_UNIT: tl.constexpr = 16 if V_BITS == 16 else 8
    # query heads of a KV head and their tokens lie back to back: [BM, D/2] each
    b_q0, b_q1 = load_query(p_q, pid, o_m, o_c, factor, ROWS, D)
    b_max = tl.full([BM], float("-inf"), tl.float32)
    b_sum = tl.zeros([BM], tl.float32)
    b_acc0 = tl.zeros([BM, BH], tl.float32)
    b_acc1 = tl.zeros([BM, BH], tl.float32)

    first = split * n_each
    for step in range(tl.minimum(n_each, n_slots - first) * (PAGE // BT)):
        slot = first + step // (PAGE // BT)
        page = tl.load(p_table + pid * n_slots + slot)
        real = page >= 0
        page = tl.maximum(page, 0)
        held = tl.where(real, tl.load(p_lengths + batch * s_lengths + page), 0)
        o_page = batch * s_pool + head * n_pages + page
        o_t = (step % (PAGE // BT)) * BT + tl.arange(0, BT)
        m_t = o_t < held
        b_s = tl.zeros([BM, BT], tl.float32)
        for column in tl.static_range(0, BH, BC):
            o_k = column + tl.arange(0, BC)
            m_k = o_k < D // 2
            if BC < BH:
                # too wide to stay in registers next to the keys; L1 has it
                b_p0, b_p1 = load_query(p_q, pid, o_m, o_k, factor, ROWS, D)
            else:
                b_p0, b_p1 = b_q0, b_q1
            # [BT, BC] each
            b_k0, b_k1 = load_halves(p_k + o_page * (PAGE * D * K_BITS // K_UNIT), o_t, m_t, o_k, K_BITS, D)
            if K_BITS != 16:
                s0, s1 = key_scale(p_k_scale + o_page * D, o_k, D)
                z0, z1 = key_scale(p_k_zero + o_page * D, o_k, D)
                b_k0 = b_k0 * s0[None, :] + z0[None, :]
                b_k1 = b_k1 * s1[None, :] + z1[None, :]
            if TURN:
                o_a = tl.load(p_rows + batch * s_rows + page).to(tl.int64) * (D // 2) + o_k
                # [1, BC]
                cos = tl.load(p_cos + o_a, mask=m_k, other=0.0)[None, :]
                sin = tl.load(p_sin + o_a, mask=m_k, other=0.0)[None, :]
                b_p0, b_p1 = b_p0 * cos + b_p1 * sin, b_p1 * cos - b_p0 * sin
                o_i = o_t[:, None] * (D // 2) + o_k[None, :]
                m_i = (o_t >= 0)[:, None] & m_k[None, :]
                # [BT, BC]
                cos = tl.load(p_offset_cos + o_i, mask=m_i, other=0.0)
                sin = tl.load(p_offset_sin + o_i, mask=m_i, other=0.0)
                b_k0, b_k1 = b_k0 * cos - b_k1 * sin, b_k1 * cos + b_k0 * sin
            # [BM, BT]
            b_s += dot_half(b_p0, tl.trans(b_k0), WIDE) + dot_half(b_p1, tl.trans(b_k1), WIDE)
        b_s = tl.where(m_t[None, :], b_s, float("-inf"))
        top = tl.maximum(b_max, tl.max(b_s, axis=1))
        base = tl.where(top == float("-inf"), 0.0, top)
        keep = tl.exp2(b_max - base)
        b_w = tl.exp2(b_s - base[:, None])
        # [BT, D/2] each
        b_v0, b_v1 = load_halves(p_v + o_page * (PAGE * D * V_BITS // V_UNIT), o_t, m_t, o_c, V_BITS, D)
        if V_BITS != 16:
            s0, s1 = value_scale(p_v_scale + o_page * PAGE * GROUPS, o_t, m_t, o_c, D)
            z0, z1 = value_scale(p_v_zero + o_page * PAGE * GROUPS, o_t, m_t, o_c, D)
            b_v0 = b_v0 * s0 + z0
            b_v1 = b_v1 * s1 + z1
        b_acc0 = b_acc0 * keep[:, None] + dot_half(b_w, b_v0, WIDE)
        b_acc1 = b_acc1 * keep[:, None] + dot_half(b_w, b_v1, WIDE)
        b_sum = b_sum * keep + tl.sum(b_w, axis=1)
        b_max = top

    some = b_sum != 0.0
    b_over = 1.0 / tl.where(some, b_sum, 1.0)
    b_lse = tl.where(some, (b_max + tl.log2(tl.where(some, b_sum, 1.0))) * 0.6931471805599453, float("-inf"))
    o_row = (split.to(tl.int64) * tl.num_programs(1) + pid) * ROWS + o_m
    o_o = o_row[:, None] * D + o_c[None, :]
    m_q = (o_m < ROWS)[:, None] & (o_c < D // 2)[None, :]
    tl.store(p_out + o_o, (b_acc0 * b_over[:, None]).to(p_out.dtype.element_ty), mask=m_q)
    tl.store(p_out + o_o + D // 2, (b_acc1 * b_over[:, None]).to(p_out.dtype.element_ty), mask=m_q)
    tl.store(p_lse + o_row, b_lse, mask=o_m < ROWS)


attend = Kernel(attend_body, CHOICES, key=("ROWS", "D", "K_BITS", "V_BITS", "TURN", "WIDE"))


def suits(choice: Choice, dim: int, wide: bool) -> bool:
    """Whether the choice runs without spills: large tiles need eight warps, small ones cannot feed them."""
    if dim > 128:
        return choice.num_warps == 8 and choice.blocks["BT"] == 32
    if choice.num_warps == 8:
        return dim == 128 and choice.blocks["BT"] == 64 and not wide
    return choice.blocks["BT"] > 16 or not wide


def choose_splits(problems: int, slots: int) -> int:
    """Programs per KV head: enough to fill the GPU, at least two pages each. Depends on shapes only."""
    return max(1, min(cdiv(slots, 2), FILL_PROGRAMS // max(1, problems)))


def check_call(q: Tensor, pages: Pages, table: Tensor, lengths: Tensor, rotation: PageRotation | None) -> int:
    """Check one call; the number of query rows that share a KV head."""
    op = "sparse_paged_attention"
    check_pages(op, pages)
    check.tensor(op, "q", q, (None, None, None, pages.dim), check.FLOATS)
    batch, q_heads, queries, _ = q.shape
    pool, heads, held = pages.k.shape[:3]
    shared = check.groups(op, q_heads, heads)
    check.option(op, 1 <= queries <= MAX_QUERIES, f"{queries} query tokens, must be 1 to {MAX_QUERIES}")
    check.option(
        op, shared * queries <= MAX_ROWS, f"{shared * queries} query rows a KV head, at most {MAX_ROWS}"
    )
    check.tensor(op, "table", table, (batch, heads, None), (torch.int32,))
    check.option(op, table.shape[2] > 0, "the page table has no slots")
    check.tensor(op, "lengths", lengths, (None, held), (torch.int32,))
    for name, have in (("pages", pool), ("lengths", lengths.shape[0])):
        check.option(op, have in (1, batch), f"{name} have batch {have}, must be 1 or {batch}")
    if rotation is not None:
        check_rotation(op, rotation, batch, held, pages.dim)
    check.same_device(op, q, pages.k, table, lengths, rotation.rows if rotation else None)
    return shared * queries


def sparse_paged_attention(
    q: Tensor,
    pages: Pages,
    table: Tensor,
    lengths: Tensor,
    *,
    scale: float | None = None,
    rotation: PageRotation | None = None,
    splits: int | None = None,
) -> Attended:
    """Attend from each query to every token of the pages selected for its KV head.

    Args:
        q: `[B, Hq, Tq, D]`, `Tq` 1 to 8, post-RoPE at its own position. No mask among the queries: selected pages
            are past; attention within the new tokens is the caller's, merged with `merge_lse`.
        pages: plain or coded; batch `B`, or 1 for a pool that all sequences read.
        table: `[B, H, S]` int32 page ids below `P`, any order, each at most once, -1 for an empty slot.
        lengths: `[B or 1, P]` int32 tokens in each page (`layout.page_lengths`).
        scale: of the scores; `D ** -0.5` when not given.
        rotation: where pre-RoPE pages stand; none for keys already turned.
        splits: programs per KV head; chosen from the shapes when not given. Sets only the rounding of the sums.

    Returns:
        `out` in q's dtype and `lse` `[B, Hq, Tq]`, ready to merge with attention over other keys.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit. Page ids are not checked.

    Page ids, lengths and rotations are read on the device, shapes are static and nothing waits: after a first call
    (which tunes) it can be captured in a CUDA graph. Magnitudes over 65504 overflow unless the pages are fp32. NaN in
    an attended token goes to the rows that see it; cells past a page's length are never read.

    Moves, per KV head and selected page, `64 D (k_bits + v_bits) / 8` bytes of codes, `4 D` and `4 * 64 G` of scales
    and zeros, `4 D` of angles, and partial results of `4 splits Hq Tq (D + 1)` each way; `4 Hq Tq 64 S D` FLOPs.
    """
    rows = check_call(q, pages, table, lengths, rotation)
    batch, heads, slots = table.shape
    pool, _, held = pages.k.shape[:3]
    parts = choose_splits(batch * heads, slots) if splits is None else splits
    check.option("sparse_paged_attention", 1 <= parts <= slots, f"{parts} splits of {slots} slots")
    each = cdiv(slots, parts)
    # a split past the last slot would have nothing to say
    parts = cdiv(slots, each)
    wide = torch.float32 in (q.dtype, pages.k.dtype, pages.v.dtype)
    partial = torch.float32 if parts > 1 else q.dtype
    outs = torch.empty(parts, *q.shape, dtype=partial, device=q.device)
    lses = torch.empty(parts, *q.shape[:-1], dtype=torch.float32, device=q.device)
    attend(
        lambda meta: (parts, batch * heads, cdiv(rows, meta["BM"])),
        q,
        pages.k,
        pages.v,
        pages.k_scale,
        pages.k_zero,
        pages.v_scale,
        pages.v_zero,
        table,
        lengths,
        rotation.cos if rotation else None,
        rotation.sin if rotation else None,
        rotation.rows if rotation else None,
        rotation.offset_cos if rotation else None,
        rotation.offset_sin if rotation else None,
        outs,
        lses,
        pages.dim**-0.5 if scale is None else float(scale),
        held,
        heads,
        slots,
        each,
        heads * held if pool > 1 else 0,
        held if lengths.shape[0] > 1 else 0,
        held if rotation and rotation.rows.shape[0] > 1 else 0,
        fits=lambda choice: suits(choice, pages.dim, wide),
        ROWS=rows,
        BM=min(16 if wide or pages.dim > 128 else 32, pow2(rows, 16)),
        D=pages.dim,
        BH=pow2(pages.dim // 2, 16),
        BC=32 if wide and pages.dim > 128 else pow2(pages.dim // 2, 16),
        K_BITS=pages.k_bits,
        V_BITS=pages.v_bits,
        PAGE=PAGE,
        TURN=rotation is not None,
        WIDE=wide,
    )
    if parts == 1:
        return Attended(outs[0], lses[0])
    out, lse = torch.empty_like(q), torch.empty_like(lses[0])
    merge_into(outs, lses, out, lse)
    return Attended(out, lse)
