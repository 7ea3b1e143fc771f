"""Quantise and pack KV pages, with a fused block summary; and the way back.

code = floor((x - zero) / scale + 1/2), zero = fp16(min), scale = fp16((max - zero) / (2^bits - 1)), both fp16
values rounded before they are used. Keys: per channel over the 64 tokens of a page; values: per token over 64
channels (KIVI, arXiv 2402.02750). The summary is each page's least and greatest key per channel (Quest).

Axes: `B` batch, `H` KV heads, `T` tokens, `P` pages of 64, `D` head dim, `G` groups of 64 channels. A tile holds
the four quarters of the channels apart, because packed bytes and rotary pairs join channels of different quarters.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import BITS, GROUP, PAGE, Pages, code_bytes, pages_for

# bit-equal codes need every product rounded on its own
KEY_CHOICES = (Choice(8, blocks={"BC": 16}), Choice(8, blocks={"BC": 32}))
VALUE_CHOICES = (
    Choice(4, blocks={"BT": 64}),
    Choice(8, blocks={"BT": 64}),
    Choice(4, blocks={"BT": 32}),
)


@jit
def load_quarter(
    p_x: tl.tensor, o_token: tl.tensor, o_c: tl.tensor, mask: tl.tensor, D: tl.constexpr
) -> tl.tensor:
    # [tokens, columns]
    return tl.load(p_x + o_token[:, None] * D + o_c[None, :], mask=mask, other=0.0).to(tl.float32)


@jit
def half_range(low: tl.tensor, high: tl.tensor, n_bad: tl.tensor, LEVELS: tl.constexpr) -> tl.tensor:
    """fp16 zero and scale of a group, the inverse scale, and whether the group is finite."""
    fine = n_bad == 0
    zero = tl.where(fine, low, float("nan")).to(tl.float16)
    scale = tl.math.div_rn(high - zero.to(tl.float32), LEVELS + tl.zeros_like(high))
    scale = tl.where(fine, tl.minimum(tl.maximum(scale, 0.0), 65504.0), 0.0).to(tl.float16)
    wide = scale.to(tl.float32)
    some = wide > 0.0
    inverse = tl.where(some, tl.math.div_rn(tl.zeros_like(wide) + 1.0, tl.where(some, wide, 1.0)), 0.0)
    return zero, scale, inverse, fine


@jit
def to_code(
    x: tl.tensor, zero: tl.tensor, inverse: tl.tensor, mask: tl.tensor, LEVELS: tl.constexpr
) -> tl.tensor:
    code = tl.floor((x - zero.to(tl.float32)) * inverse + 0.5)
    return tl.where(mask, tl.minimum(tl.maximum(code, 0.0), LEVELS), 0.0).to(tl.int32)


@jit
def store_codes(
    p_row: tl.tensor,
    c0: tl.tensor,
    c1: tl.tensor,
    c2: tl.tensor,
    c3: tl.tensor,
    mask: tl.tensor,
    BITS: tl.constexpr,
    D: tl.constexpr,
) -> None:
    if BITS == 8:
        tl.store(p_row, c0.to(tl.uint8), mask=mask)
        tl.store(p_row + D // 4, c1.to(tl.uint8), mask=mask)
        tl.store(p_row + D // 2, c2.to(tl.uint8), mask=mask)
        tl.store(p_row + 3 * (D // 4), c3.to(tl.uint8), mask=mask)
    elif BITS == 4:
        tl.store(p_row, (c0 | (c2 << 4)).to(tl.uint8), mask=mask)
        tl.store(p_row + D // 4, (c1 | (c3 << 4)).to(tl.uint8), mask=mask)
    else:
        tl.store(p_row, (c0 | (c1 << 2) | (c2 << 4) | (c3 << 6)).to(tl.uint8), mask=mask)


@jit
def pack_key_quarter(
    x: tl.tensor,
    m_token: tl.tensor,
    p_scale: tl.tensor,
    p_zero: tl.tensor,
    m_c: tl.tensor,
    LEVELS: tl.constexpr,
) -> tl.tensor:
    held = m_token[:, None]
    low = tl.min(tl.where(held, x, float("inf")), axis=0)
    high = tl.max(tl.where(held, x, float("-inf")), axis=0)
    n_bad = tl.sum((held & ~(tl.abs(x) <= 65504.0)).to(tl.int32), axis=0)
    zero, scale, inverse, fine = half_range(low, high, n_bad, LEVELS)
    tl.store(p_zero, zero, mask=m_c)
    tl.store(p_scale, scale, mask=m_c)
    return to_code(x, zero[None, :], inverse[None, :], held & fine[None, :], LEVELS)


@jit
def store_range(x: tl.tensor, m_token: tl.tensor, p_min: tl.tensor, p_max: tl.tensor, m_c: tl.tensor) -> None:
    held = m_token[:, None]
    low = tl.min(tl.where(held, x, float("inf")), axis=0)
    high = tl.max(tl.where(held, x, float("-inf")), axis=0)
    tl.store(p_min, low.to(p_min.dtype.element_ty), mask=m_c)
    tl.store(p_max, high.to(p_max.dtype.element_ty), mask=m_c)


@jit_any_size
def pack_keys_body(
    p_k: tl.tensor,
    p_codes: tl.tensor,
    p_scale: tl.tensor,
    p_zero: tl.tensor,
    p_min: tl.tensor,
    p_max: tl.tensor,
    p_cos: tl.tensor,
    p_sin: tl.tensor,
    n_tokens: tl.tensor,
    n_pages: tl.tensor,
    D: tl.constexpr,
    BITS: tl.constexpr,
    PAGE: tl.constexpr,
    TURN: tl.constexpr,
    BC: tl.constexpr,
) -> None:
    LEVELS: tl.constexpr = 2**BITS - 1
    Q: tl.constexpr = D // 4
    # divided in 32 bits: a 64-bit division is a call, with a stack
    row = (tl.program_id(0) // n_pages).to(tl.int64)
    page = tl.program_id(0) % n_pages
    pid = tl.program_id(0).to(tl.int64)
    o_t = tl.arange(0, PAGE)
    # a column is the same place in all four quarters: columns share no byte, no group and no rotary pair
    o_c = tl.program_id(1) * BC + tl.arange(0, BC)
    m_t = page * PAGE + o_t < n_tokens
    m_c = o_c < Q
    mask = m_t[:, None] & m_c[None, :]
    m_out = (o_t >= 0)[:, None] & m_c[None, :]
    o_token = row * n_tokens + page * PAGE + o_t
    # four times [64, BC]
    x0 = load_quarter(p_k, o_token, o_c, mask, D)
    x1 = load_quarter(p_k + Q, o_token, o_c, mask, D)
    x2 = load_quarter(p_k + 2 * Q, o_token, o_c, mask, D)
    x3 = load_quarter(p_k + 3 * Q, o_token, o_c, mask, D)

    o_q = pid * D + o_c
    c0 = pack_key_quarter(x0, m_t, p_scale + o_q, p_zero + o_q, m_c, LEVELS)
    c1 = pack_key_quarter(x1, m_t, p_scale + o_q + Q, p_zero + o_q + Q, m_c, LEVELS)
    c2 = pack_key_quarter(x2, m_t, p_scale + o_q + 2 * Q, p_zero + o_q + 2 * Q, m_c, LEVELS)
    c3 = pack_key_quarter(x3, m_t, p_scale + o_q + 3 * Q, p_zero + o_q + 3 * Q, m_c, LEVELS)
    p_row = p_codes + (pid * PAGE + o_t)[:, None] * (D * BITS // 8) + o_c[None, :]
    store_codes(p_row, c0, c1, c2, c3, m_out, BITS, D)

    if TURN:
        o_a = o_t[:, None] * (D // 2) + o_c[None, :]
        # [64, BC], shared by every program
        cos = tl.load(p_cos + o_a, mask=m_out, other=0.0)
        sin = tl.load(p_sin + o_a, mask=m_out, other=0.0)
        x0, x2 = x0 * cos - x2 * sin, x2 * cos + x0 * sin
        cos = tl.load(p_cos + o_a + Q, mask=m_out, other=0.0)
        sin = tl.load(p_sin + o_a + Q, mask=m_out, other=0.0)
        x1, x3 = x1 * cos - x3 * sin, x3 * cos + x1 * sin
    store_range(x0, m_t, p_min + o_q, p_max + o_q, m_c)
    store_range(x1, m_t, p_min + o_q + Q, p_max + o_q + Q, m_c)
    store_range(x2, m_t, p_min + o_q + 2 * Q, p_max + o_q + 2 * Q, m_c)
    store_range(x3, m_t, p_min + o_q + 3 * Q, p_max + o_q + 3 * Q, m_c)


@jit
def quarter_in_group(
    x: tl.tensor, part: tl.tensor, group: tl.tensor, D: tl.constexpr, BQ: tl.constexpr
) -> tl.tensor:
    """Per token, over the quarter's channels that lie in the group: least, greatest, how many are not finite."""
    o_c = part * (D // 4) + tl.arange(0, BQ)
    m_g = ((tl.arange(0, BQ) < D // 4) & (o_c // 64 == group))[None, :]
    low = tl.min(tl.where(m_g, x, float("inf")), axis=1)
    high = tl.max(tl.where(m_g, x, float("-inf")), axis=1)
    return low, high, tl.sum((m_g & ~(tl.abs(x) <= 65504.0)).to(tl.int32), axis=1), m_g


@jit_any_size
def pack_values_body(
    p_v: tl.tensor,
    p_codes: tl.tensor,
    p_scale: tl.tensor,
    p_zero: tl.tensor,
    n_tokens: tl.tensor,
    n_pages: tl.tensor,
    D: tl.constexpr,
    BQ: tl.constexpr,
    BITS: tl.constexpr,
    PAGE: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    LEVELS: tl.constexpr = 2**BITS - 1
    GROUPS: tl.constexpr = (D + 63) // 64
    # divided in 32 bits: a 64-bit division is a call, with a stack
    row = (tl.program_id(0) // n_pages).to(tl.int64)
    page = tl.program_id(0) % n_pages
    pid = tl.program_id(0).to(tl.int64)
    o_t = tl.program_id(1) * BT + tl.arange(0, BT)
    m_t = page * PAGE + o_t < n_tokens
    o_token = row * n_tokens + page * PAGE + o_t
    Q: tl.constexpr = D // 4
    o_c = tl.arange(0, BQ)
    mask = m_t[:, None] & (o_c < Q)[None, :]
    # four times [BT, D/4]
    x0 = load_quarter(p_v, o_token, o_c, mask, D)
    x1 = load_quarter(p_v + Q, o_token, o_c, mask, D)
    x2 = load_quarter(p_v + 2 * Q, o_token, o_c, mask, D)
    x3 = load_quarter(p_v + 3 * Q, o_token, o_c, mask, D)
    c0 = tl.zeros([BT, BQ], tl.int32)
    c1 = tl.zeros([BT, BQ], tl.int32)
    c2 = tl.zeros([BT, BQ], tl.int32)
    c3 = tl.zeros([BT, BQ], tl.int32)
    for group in tl.static_range(GROUPS):
        low0, high0, bad0, m0 = quarter_in_group(x0, 0, group, D, BQ)
        low1, high1, bad1, m1 = quarter_in_group(x1, 1, group, D, BQ)
        low2, high2, bad2, m2 = quarter_in_group(x2, 2, group, D, BQ)
        low3, high3, bad3, m3 = quarter_in_group(x3, 3, group, D, BQ)
        low = tl.minimum(tl.minimum(low0, low1), tl.minimum(low2, low3))
        high = tl.maximum(tl.maximum(high0, high1), tl.maximum(high2, high3))
        zero, scale, inverse, fine = half_range(low, high, bad0 + bad1 + bad2 + bad3, LEVELS)
        # cells past the last token must hold something defined
        o_s = (pid * PAGE + o_t) * GROUPS + group
        tl.store(p_zero + o_s, tl.where(m_t, zero.to(tl.float32), 0.0).to(tl.float16))
        tl.store(p_scale + o_s, tl.where(m_t, scale.to(tl.float32), 0.0).to(tl.float16))
        held = (m_t & fine)[:, None]
        c0 += to_code(x0, zero[:, None], inverse[:, None], held & m0, LEVELS)
        c1 += to_code(x1, zero[:, None], inverse[:, None], held & m1, LEVELS)
        c2 += to_code(x2, zero[:, None], inverse[:, None], held & m2, LEVELS)
        c3 += to_code(x3, zero[:, None], inverse[:, None], held & m3, LEVELS)
    p_row = p_codes + (pid * PAGE + o_t)[:, None] * (D * BITS // 8) + o_c[None, :]
    store_codes(p_row, c0, c1, c2, c3, (o_t >= 0)[:, None] & (o_c < Q)[None, :], BITS, D)


pack_keys = Kernel(pack_keys_body, KEY_CHOICES, key=("D", "BITS", "TURN"), fma=False)
pack_values = Kernel(pack_values_body, VALUE_CHOICES, key=("D", "BITS"), fma=False)


def quantize_pack(
    k: Tensor,
    v: Tensor,
    *,
    k_bits: int = 4,
    v_bits: int = 4,
    cos: Tensor | None = None,
    sin: Tensor | None = None,
) -> Pages:
    """Quantise keys and values into pages, and summarise each page's keys.

    Args:
        k, v: `[B, H, T, D]`, fp32, fp16 or bf16, contiguous, `D` a multiple of 16 up to 256, `T` at least 1.
        k_bits, v_bits: 2, 4 or 8.
        cos, sin: `[64, D/2]` fp32 angles inside a page (`PageRotation.offset_cos`, `offset_sin`). Given for
            pre-RoPE keys, the summary is of the keys turned by them, so that the selection bound holds; the codes
            are of the keys as they come.

    Returns:
        Pages of uint8 codes, fp16 scales and zeros. The last page is filled with zero codes.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    A group holding NaN, Inf or a magnitude over 65504 reads back as NaN; other groups are untouched. The summary
    of such a page is unspecified.

    Moves `2 B H T D` elements in, `B H T D (k_bits + v_bits) / 8` bytes of codes, 8 bytes per 64 elements of K and V
    for scales and zeros (4 each way), and `2 B H P D` summary elements out. About 12 FLOPs an element.
    """
    op = "quantize_pack"
    check.tensor(op, "k", k, (None, None, None, None), check.FLOATS)
    check.tensor(op, "v", v, tuple(k.shape), (k.dtype,))
    check.same_device(op, k, v, cos, sin)
    batch, heads, tokens, dim = k.shape
    check.head_dim(op, dim)
    check.option(op, tokens > 0, "there are no tokens to pack")
    check.option(op, k_bits in BITS and v_bits in BITS, f"bits are {k_bits} and {v_bits}, must be 2, 4 or 8")
    check.option(op, (cos is None) == (sin is None), "cos and sin go together; pass both or neither")
    for name, table in (("cos", cos), ("sin", sin)):
        if table is not None:
            check.tensor(op, name, table, (PAGE, dim // 2), (torch.float32,))
    pages, groups = pages_for(tokens), cdiv(dim, GROUP)
    shape = (batch, heads, pages)

    def halves(*last: int) -> Tensor:
        return torch.empty(*shape, *last, dtype=torch.float16, device=k.device)

    made = Pages(
        k=torch.empty(*shape, PAGE, code_bytes(dim, k_bits), dtype=torch.uint8, device=k.device),
        v=torch.empty(*shape, PAGE, code_bytes(dim, v_bits), dtype=torch.uint8, device=k.device),
        dim=dim,
        k_bits=k_bits,
        v_bits=v_bits,
        k_min=torch.empty(*shape, dim, dtype=k.dtype, device=k.device),
        k_max=torch.empty(*shape, dim, dtype=k.dtype, device=k.device),
        k_scale=halves(dim),
        k_zero=halves(dim),
        v_scale=halves(PAGE, groups),
        v_zero=halves(PAGE, groups),
    )
    pack_keys(
        lambda meta: (batch * heads * pages, cdiv(dim // 4, meta["BC"])),
        k,
        made.k,
        made.k_scale,
        made.k_zero,
        made.k_min,
        made.k_max,
        cos,
        sin,
        tokens,
        pages,
        D=dim,
        BITS=k_bits,
        PAGE=PAGE,
        TURN=cos is not None,
    )
    pack_values(
        lambda meta: (batch * heads * pages, PAGE // meta["BT"]),
        v,
        made.v,
        made.v_scale,
        made.v_zero,
        tokens,
        pages,
        D=dim,
        BQ=pow2(dim // 4),
        BITS=v_bits,
        PAGE=PAGE,
    )
    return made
