"""Read pages back: the unpacking that attention does in registers, and the op that writes floats.

value = code * scale + zero. A tile holds the two halves of the channels apart (`low`: `j`, `high`: `j + D/2`): they
come out of the same bytes and are the two members of a rotary pair.

Axes: `B` batch, `H` KV heads, `T` tokens, `P` pages of 64, `D` head dim, `G` groups of 64 channels.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, jit_any_size, pow2
from .layout import BITS, GROUP, PAGE, Pages, code_bytes


@jit
def load_halves(
    p_tile: tl.tensor, o_t: tl.tensor, m_t: tl.tensor, o_c: tl.tensor, BITS: tl.constexpr, D: tl.constexpr
) -> tl.tensor:
    """Columns `o_c` of both halves of a page's tokens `o_t`, codes or plain floats, as fp32; 0 where masked."""
    mask = m_t[:, None] & (o_c < D // 2)[None, :]
    if BITS == 16:
        p_low = p_tile + o_t[:, None] * D + o_c[None, :]
        low = tl.load(p_low, mask=mask, other=0.0).to(tl.float32)
        high = tl.load(p_low + D // 2, mask=mask, other=0.0).to(tl.float32)
    elif BITS == 8:
        p_low = p_tile + o_t[:, None] * D + o_c[None, :]
        low = tl.load(p_low, mask=mask, other=0).to(tl.float32)
        high = tl.load(p_low + D // 2, mask=mask, other=0).to(tl.float32)
    elif BITS == 4:
        byte = tl.load(p_tile + o_t[:, None] * (D // 2) + o_c[None, :], mask=mask, other=0).to(tl.int32)
        low = (byte & 15).to(tl.float32)
        high = (byte >> 4).to(tl.float32)
    else:
        # each byte serves two channels of each half; the second read of it comes from L1
        o_byte = o_c % (D // 4)
        byte = tl.load(p_tile + o_t[:, None] * (D // 4) + o_byte[None, :], mask=mask, other=0).to(tl.int32)
        byte = byte >> (2 * (o_c // (D // 4)))[None, :]
        low = (byte & 3).to(tl.float32)
        high = ((byte >> 4) & 3).to(tl.float32)
    return low, high


@jit
def key_scale(p_scale: tl.tensor, o_c: tl.tensor, D: tl.constexpr) -> tl.tensor:
    """A page's key scales or zeros for columns `o_c` of both halves, fp32."""
    low = tl.load(p_scale + o_c, mask=o_c < D // 2, other=0.0).to(tl.float32)
    return low, tl.load(p_scale + D // 2 + o_c, mask=o_c < D // 2, other=0.0).to(tl.float32)


@jit
def value_scale(
    p_scale: tl.tensor, o_t: tl.tensor, m_t: tl.tensor, o_c: tl.tensor, D: tl.constexpr
) -> tl.tensor:
    """A page's value scales or zeros for tokens `o_t`: fp32, `[BT, 1]` where one group spans a half."""
    GROUPS: tl.constexpr = (D + 63) // 64
    if D == 64 or D == 128:
        low = tl.load(p_scale + o_t * GROUPS, mask=m_t, other=0.0).to(tl.float32)[:, None]
        high = tl.load(p_scale + o_t * GROUPS + GROUPS - 1, mask=m_t, other=0.0).to(tl.float32)[:, None]
    else:
        mask = m_t[:, None] & (o_c < D // 2)[None, :]
        p_row = p_scale + o_t[:, None] * GROUPS
        low = tl.load(p_row + (o_c // 64)[None, :], mask=mask, other=0.0).to(tl.float32)
        high = tl.load(p_row + ((o_c + D // 2) // 64)[None, :], mask=mask, other=0.0).to(tl.float32)
    return low, high


@jit_any_size
def unpack_body(
    p_codes: tl.tensor,
    p_scale: tl.tensor,
    p_zero: tl.tensor,
    p_out: tl.tensor,
    n_tokens: tl.tensor,
    n_pages: tl.tensor,
    n_out: tl.tensor,
    D: tl.constexpr,
    BH: tl.constexpr,
    BITS: tl.constexpr,
    PAGE: tl.constexpr,
    BY_TOKEN: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    pid = tl.program_id(0)
    page = pid % n_out
    row = (pid // n_out).to(tl.int64)
    # the pool may hold more pages than are read
    o_page = row * n_pages + page
    o_t = tl.program_id(1) * BT + tl.arange(0, BT)
    o_c = tl.arange(0, BH)
    m_t = page * PAGE + o_t < n_tokens
    # [BT, D/2] each
    low, high = load_halves(p_codes + o_page * PAGE * (D * BITS // 8), o_t, m_t, o_c, BITS, D)
    if BY_TOKEN:
        GROUPS: tl.constexpr = (D + 63) // 64
        s_low, s_high = value_scale(p_scale + o_page * PAGE * GROUPS, o_t, m_t, o_c, D)
        z_low, z_high = value_scale(p_zero + o_page * PAGE * GROUPS, o_t, m_t, o_c, D)
        low, high = low * s_low + z_low, high * s_high + z_high
    else:
        s_low, s_high = key_scale(p_scale + o_page * D, o_c, D)
        z_low, z_high = key_scale(p_zero + o_page * D, o_c, D)
        low = low * s_low[None, :] + z_low[None, :]
        high = high * s_high[None, :] + z_high[None, :]
    mask = m_t[:, None] & (o_c < D // 2)[None, :]
    p_low = p_out + (row * n_tokens + page * PAGE + o_t)[:, None] * D + o_c[None, :]
    tl.store(p_low, low.to(p_out.dtype.element_ty), mask=mask)
    tl.store(p_low + D // 2, high.to(p_out.dtype.element_ty), mask=mask)


unpack = Kernel(
    unpack_body,
    (Choice(8, blocks={"BT": 16}), Choice(4, blocks={"BT": 8})),
    key=("D", "BITS", "BY_TOKEN"),
)


def check_pages(op: str, pages: Pages) -> None:
    """Check that the pages' tensors agree with one another.

    Raises:
        KernelShapeError, KernelDtypeError: naming the tensor that does not fit.
    """
    dim = pages.dim
    check.head_dim(op, dim)
    shape = tuple(pages.k.shape[:3])
    v_groups = (*shape, PAGE, cdiv(dim, GROUP))
    sides = (
        ("k", pages.k, pages.k_bits, pages.k_scale, pages.k_zero, (*shape, dim)),
        ("v", pages.v, pages.v_bits, pages.v_scale, pages.v_zero, v_groups),
    )
    for name, codes, bits, scale, zero, groups in sides:
        if scale is None or zero is None:
            check.tensor(op, f"pages.{name}", codes, (*shape, PAGE, dim), check.FLOATS)
            continue
        check.option(op, bits in BITS, f"pages.{name}_bits is {bits}, must be 2, 4 or 8")
        check.tensor(op, f"pages.{name}", codes, (*shape, PAGE, code_bytes(dim, bits)), (torch.uint8,))
        check.tensor(op, f"pages.{name}_scale", scale, groups, (torch.float16,))
        check.tensor(op, f"pages.{name}_zero", zero, groups, (torch.float16,))
    check.same_device(op, pages.k, pages.v, pages.k_scale, pages.k_zero, pages.v_scale, pages.v_zero)


def dequantize(pages: Pages, tokens: int, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Keys and values `[B, H, tokens, D]` back from quantised pages: the inverse of `quantize_pack`.

    The error of a finite element is at most `scale / 2` inside the fp16 range of its group; at the group's ends the
    rounding of zero and scale to fp16 adds up to `2^-11 |zero| + 2^-11 (2^bits - 1) scale`.

    Raises:
        KernelShapeError, KernelDtypeError: the pages are plain, too few for `tokens`, or do not fit together.

    Moves the codes, scales and zeros in and `2 B H T D` elements out; 2 FLOPs an element.
    """
    op = "dequantize"
    check_pages(op, pages)
    check.option(op, dtype in check.FLOATS, f"dtype is {dtype}, must be float32, float16 or bfloat16")
    if pages.k_scale is None or pages.v_scale is None:
        raise check.KernelShapeError(f"{op}: the pages are plain; read pages.k and pages.v as they are")
    batch, heads, held = pages.k.shape[:3]
    read = cdiv(tokens, PAGE)
    check.option(op, 0 < read <= held, f"{tokens} tokens asked of {held} pages of {PAGE}")
    outs = [
        torch.empty(batch, heads, tokens, pages.dim, dtype=dtype, device=pages.k.device) for _ in range(2)
    ]
    for out, codes, scale, zero, bits in (
        (outs[0], pages.k, pages.k_scale, pages.k_zero, pages.k_bits),
        (outs[1], pages.v, pages.v_scale, pages.v_zero, pages.v_bits),
    ):
        unpack(
            lambda meta: (batch * heads * read, PAGE // meta["BT"]),
            codes,
            scale,
            zero,
            out,
            tokens,
            held,
            read,
            D=pages.dim,
            BH=pow2(pages.dim // 2),
            BITS=bits,
            PAGE=PAGE,
            BY_TOKEN=out is outs[1],
        )
    return outs[0], outs[1]
