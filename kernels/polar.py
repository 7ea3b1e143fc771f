"""Keys as angles: encode after a random rotation, and score queries straight from the codes.

y = k R, R orthogonal;  pair j is (y_j, y_{j + D/2}) = r (cos t, sin t);  a code holds a sector of t and a level of
r sqrt(D/2) / |k|, from a codebook that needs no data (`polar_code`; PolarQuant, arXiv 2502.02617; Spherical KV).
q . k = (q R) . y, so scoring turns the query once and reads one byte a pair.

A sector is found by comparing |b| cos(edge) with |a| sin(edge): no arc tangent, and bit-equal to the reference for
equal `y`. With 2 bits a channel, byte `j` holds pairs `j` (low nibble) and `j + D/4`.

Axes: `B` batch, `Hq` query heads, `H` KV heads, `T` tokens, `Tq` query tokens, `D` head dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import PolarKeys
from .mma import dot_half
from .polar_code import SPLIT, angle_edges, angle_table, radius_edges, radius_table

ENCODE_CHOICES = (Choice(8, 2, {"BT": 64}), Choice(8, 2, {"BT": 128}))
SCORE_CHOICES = (Choice(8, 2, {"BT": 32}), Choice(8, 2, {"BT": 64}), Choice(4, 2, {"BT": 16}))
MAX_ROWS = 64


@jit
def pair_code(
    a: tl.tensor,
    b: tl.tensor,
    square: tl.tensor,
    p_edges: tl.tensor,
    p_radii: tl.tensor,
    D: tl.constexpr,
    SECTORS: tl.constexpr,
    LEVELS: tl.constexpr,
) -> tl.tensor:
    """Code of each pair; `square` is the key's squared norm, per row."""
    sector = tl.zeros(a.shape, tl.int32)
    for edge in tl.static_range(SECTORS - 1):
        cos = tl.load(p_edges + edge)
        sin = tl.load(p_edges + SECTORS - 1 + edge)
        sector += (tl.abs(b) * cos > tl.abs(a) * sin).to(tl.int32)
    quadrant = (a < 0.0).to(tl.int32) + 2 * (b < 0.0).to(tl.int32)
    radius = (a * a + b * b) * (D // 2)
    level = tl.zeros(a.shape, tl.int32)
    for edge in tl.static_range(LEVELS - 1):
        bound = tl.load(p_radii + edge)
        level += (radius > (square * bound * bound)[:, None]).to(tl.int32)
    return level + (sector + quadrant * SECTORS) * LEVELS


@jit_any_size
def encode_body(
    p_k: tl.tensor,
    p_rotation: tl.tensor,
    p_edges: tl.tensor,
    p_radii: tl.tensor,
    p_codes: tl.tensor,
    p_norm: tl.tensor,
    n_rows: tl.tensor,
    D: tl.constexpr,
    BQ: tl.constexpr,
    BK: tl.constexpr,
    BITS: tl.constexpr,
    SECTORS: tl.constexpr,
    LEVELS: tl.constexpr,
    WIDE: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    Q: tl.constexpr = D // 4
    o_t = tl.program_id(0).to(tl.int64) * BT + tl.arange(0, BT)
    m_t = o_t < n_rows
    o_q = tl.arange(0, BQ)
    m_q = o_q < Q
    y0 = tl.zeros([BT, BQ], tl.float32)
    y1 = tl.zeros([BT, BQ], tl.float32)
    y2 = tl.zeros([BT, BQ], tl.float32)
    y3 = tl.zeros([BT, BQ], tl.float32)
    square = tl.zeros([BT], tl.float32)
    for start in range(0, D, BK):
        o_k = start + tl.arange(0, BK)
        # [BT, BK]
        b_k = tl.load(
            p_k + o_t[:, None] * D + o_k[None, :], mask=m_t[:, None] & (o_k < D)[None, :], other=0.0
        ).to(tl.float32)
        square += tl.sum(b_k * b_k, axis=1)
        p_row = p_rotation + o_k[:, None] * D + o_q[None, :]
        m_r = (o_k < D)[:, None] & m_q[None, :]
        # four times [BK, D/4]
        y0 += dot_half(b_k, tl.load(p_row, mask=m_r, other=0.0), WIDE)
        y1 += dot_half(b_k, tl.load(p_row + Q, mask=m_r, other=0.0), WIDE)
        y2 += dot_half(b_k, tl.load(p_row + 2 * Q, mask=m_r, other=0.0), WIDE)
        y3 += dot_half(b_k, tl.load(p_row + 3 * Q, mask=m_r, other=0.0), WIDE)
    c0 = pair_code(y0, y2, square, p_edges, p_radii, D, SECTORS, LEVELS)
    c1 = pair_code(y1, y3, square, p_edges, p_radii, D, SECTORS, LEVELS)
    mask = m_t[:, None] & m_q[None, :]
    p_out = p_codes + o_t[:, None] * (D * BITS // 8) + o_q[None, :]
    if BITS == 4:
        tl.store(p_out, c0.to(tl.uint8), mask=mask)
        tl.store(p_out + Q, c1.to(tl.uint8), mask=mask)
    else:
        tl.store(p_out, (c0 | (c1 << 4)).to(tl.uint8), mask=mask)
    tl.store(p_norm + o_t, tl.sqrt(square).to(tl.float16), mask=m_t)


@jit
def score_body(
    p_q: tl.tensor,
    p_codes: tl.tensor,
    p_norm: tl.tensor,
    p_angle: tl.tensor,
    p_radius: tl.tensor,
    p_out: tl.tensor,
    factor: tl.tensor,
    n_tokens: tl.tensor,
    ROWS: tl.constexpr,
    BM: tl.constexpr,
    D: tl.constexpr,
    BH: tl.constexpr,
    BITS: tl.constexpr,
    ANGLES: tl.constexpr,
    LEVELS: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    pid = tl.program_id(1).to(tl.int64)
    o_t = tl.program_id(0) * BT + tl.arange(0, BT)
    m_t = o_t < n_tokens
    o_m = tl.arange(0, BM)
    o_c = tl.arange(0, BH)
    m_c = o_c < D // 2
    m_q = (o_m < ROWS)[:, None] & m_c[None, :]
    # [BM, D/2] each, already turned by R
    p_row = p_q + (pid * ROWS + o_m)[:, None] * D + o_c[None, :]
    b_q0 = tl.load(p_row, mask=m_q, other=0.0)
    b_q1 = tl.load(p_row + D // 2, mask=m_q, other=0.0)
    o_row = (pid * n_tokens + o_t)[:, None] * (D * BITS // 8)
    mask = m_t[:, None] & m_c[None, :]
    # [BT, D/2]
    if BITS == 4:
        code = tl.load(p_codes + o_row + o_c[None, :], mask=mask, other=0).to(tl.int32)
    else:
        byte = tl.load(p_codes + o_row + (o_c % (D // 4))[None, :], mask=mask, other=0).to(tl.int32)
        code = (byte >> (4 * (o_c // (D // 4)))[None, :]) & 15
    # each table fits in one cache line, so a gather is one access
    radius = tl.load(p_radius + code % LEVELS, mask=mask, other=0.0)
    b_a = radius * tl.load(p_angle + code // LEVELS, mask=mask, other=0.0)
    b_b = radius * tl.load(p_angle + ANGLES + code // LEVELS, mask=mask, other=0.0)
    b_s = dot_half(b_q0, tl.trans(b_a), False) + dot_half(b_q1, tl.trans(b_b), False)
    norm = tl.load(p_norm + pid * n_tokens + o_t, mask=m_t, other=0.0).to(tl.float32)
    b_s *= (norm * factor)[None, :]
    m_o = (o_m < ROWS)[:, None] & m_t[None, :]
    tl.store(p_out + (pid * ROWS + o_m)[:, None] * n_tokens + o_t[None, :], b_s, mask=m_o)


# a contracted a * a + b * b would move codes off the reference's
encode = Kernel(encode_body, ENCODE_CHOICES, key=("D", "BITS", "WIDE"), fma=False)
score = Kernel(score_body, SCORE_CHOICES, key=("ROWS", "D", "BITS"))


def check_bits(op: str, bits: int, dim: int) -> None:
    """Refuse a width without a codebook."""
    check.option(op, bits in SPLIT, f"bits is {bits}, must be 2 or 4")
    check.head_dim(op, dim)


def polar_encode(k: Tensor, rotation: Tensor, *, bits: int = 4) -> PolarKeys:
    """Code keys by angle and radius of their channel pairs.

    Args:
        k: `[B, H, T, D]` floats at the position they will be scored at: codes cannot be moved along RoPE.
        rotation: `[D, D]` fp32 orthogonal (`polar_code.random_rotation`).
        bits: per channel: 4 (5 of angle, 3 of radius a pair) or 2 (3 and 1).

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    16-bit keys are rotated in fp16, so a pair within 2^-11 of an edge may fall to the other side of it. A NaN
    makes its token's norm NaN. Moves `B H T D` elements in and `B H T (D bits / 8 + 2)` bytes out, the rotation
    from L2 once a program; `2 B H T D^2` FLOPs.
    """
    op = "polar_encode"
    check.tensor(op, "k", k, (None, None, None, None), check.FLOATS)
    batch, heads, tokens, dim = k.shape
    check_bits(op, bits, dim)
    check.tensor(op, "rotation", rotation, (dim, dim), (torch.float32,))
    check.same_device(op, k, rotation)
    codes = torch.empty(batch, heads, tokens, dim * bits // 8, dtype=torch.uint8, device=k.device)
    norm = torch.empty(batch, heads, tokens, dtype=torch.float16, device=k.device)
    split, rows = SPLIT[bits], batch * heads * tokens
    if rows:
        encode(
            lambda meta: (cdiv(rows, meta["BT"]),),
            k,
            rotation,
            angle_edges(split.angle, k.device),
            radius_edges(split.radius, k.device),
            codes,
            norm,
            rows,
            D=dim,
            BQ=pow2(dim // 4, 16),
            BK=32,
            BITS=bits,
            SECTORS=2 ** (split.angle - 2),
            LEVELS=2**split.radius,
            WIDE=k.dtype == torch.float32,
        )
    return PolarKeys(codes, norm)


def polar_scores(
    q: Tensor, keys: PolarKeys, rotation: Tensor, *, bits: int = 4, scale: float | None = None
) -> Tensor:
    """`scale * q . k` for every query and coded key of its KV head.

    Args:
        q: `[B, Hq, Tq, D]` floats, at most 64 query rows (`Tq * Hq / H`) a KV head.
        keys: from `polar_encode` with the same rotation and bits.
        scale: `D ** -0.5` when not given.

    Returns:
        `[B, Hq, Tq, T]` fp32.

    Raises:
        KernelShapeError, KernelDtypeError: an operand or option does not fit.

    A NaN norm makes its token's scores NaN. Moves `B H T (D bits / 8 + 2)` bytes in and `4 B Hq Tq T` out;
    `2 B Hq Tq T D` FLOPs.
    """
    op = "polar_scores"
    check.tensor(op, "q", q, (None, None, None, None), check.FLOATS)
    batch, q_heads, queries, dim = q.shape
    check_bits(op, bits, dim)
    check.tensor(op, "keys.norm", keys.norm, (batch, None, None), (torch.float16,))
    heads, tokens = keys.norm.shape[1:]
    rows = check.groups(op, q_heads, heads) * queries
    check.option(op, 1 <= rows <= MAX_ROWS, f"{rows} query rows a KV head, must be 1 to {MAX_ROWS}")
    check.tensor(op, "keys.codes", keys.codes, (batch, heads, tokens, dim * bits // 8), (torch.uint8,))
    check.tensor(op, "rotation", rotation, (dim, dim), (torch.float32,))
    check.same_device(op, q, keys.codes, keys.norm, rotation)
    out = torch.empty(batch, q_heads, queries, tokens, dtype=torch.float32, device=q.device)
    if tokens == 0:
        return out
    split = SPLIT[bits]
    factor = dim**-0.5 if scale is None else float(scale)
    score(
        lambda meta: (cdiv(tokens, meta["BT"]), batch * heads),
        torch.matmul(q.float(), rotation),
        keys.codes,
        keys.norm,
        angle_table(split.angle, q.device),
        radius_table(split.radius, q.device),
        out,
        factor * (dim // 2) ** -0.5,
        tokens,
        fits=lambda choice: dim <= 128 or (choice.num_warps == 8 and choice.blocks["BT"] == 32),
        ROWS=rows,
        BM=pow2(rows, 16),
        D=dim,
        BH=pow2(dim // 2, 16),
        BITS=bits,
        ANGLES=2**split.angle,
        LEVELS=2**split.radius,
    )
    return out
