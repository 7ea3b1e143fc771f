"""Cases of the ops on KV pages: one layer of an 8B model at the end of a 131,072-token context, and the other widths.

The timed ones are the project's targets; the rest exist so that every dtype, bit width and head dim that a kernel
specialises on is compiled.
"""

from __future__ import annotations

from typing import Any

import torch

from . import attend as attend_file
from . import dequantize as dequantize_file
from . import merge as merge_file
from . import quantize as quantize_file
from . import rotate as rotate_file
from . import select as select_file
from .case import BF16, BUDGET, DIM, FP16, FP32, HEADS, QUERY_HEADS, TOKENS, Case, Inputs, floats, short
from .layout import GROUP, PAGE, PLAIN, PageRotation, Pages, code_bytes, pages_for


def rotation(device: torch.device, pages: int, dim: int, batch: int = 1) -> PageRotation:
    """Tables of the right shape; their values do not matter to time or code."""
    table = [floats(n, dim // 2, device=device, dtype=FP32) for n in (pages, pages, PAGE, PAGE)]
    rows = torch.arange(pages, device=device, dtype=torch.int32).repeat(batch, 1)
    return PageRotation(table[0], table[1], rows, table[2], table[3])


def noise_pages(
    device: torch.device,
    *,
    heads: int = HEADS,
    tokens: int = TOKENS,
    dim: int = DIM,
    bits: int = 4,
    dtype: torch.dtype = BF16,
    v_bits: int | None = None,
) -> Pages:
    """Pages of noise: random codes are as good as real ones to a kernel's time."""
    shape, v_width = (1, heads, pages_for(tokens)), bits if v_bits is None else v_bits
    summary = [floats(*shape, dim, device=device, dtype=dtype) for _ in range(2)]
    if bits == PLAIN:
        k, v = (floats(*shape, PAGE, dim, device=device, dtype=dtype) for _ in range(2))
        return Pages(k, v, dim, PLAIN, PLAIN, summary[0], summary[1])

    def codes(width: int) -> torch.Tensor:
        wide = (*shape, PAGE, code_bytes(dim, width))
        return torch.randint(0, 256, wide, device=device, dtype=torch.uint8)

    def halves(*last: int) -> torch.Tensor:
        return floats(*shape, *last, device=device, dtype=FP16)

    groups = -(-dim // GROUP)
    return Pages(
        codes(bits),
        codes(v_width),
        dim,
        bits,
        v_width,
        summary[0],
        summary[1],
        halves(dim),
        halves(dim),
        halves(PAGE, groups),
        halves(PAGE, groups),
    )


def quantize_case(
    bits: int, dtype: torch.dtype, dim: int = DIM, turned: bool = False, timed: bool = False
) -> Case:
    def make(device: torch.device) -> Inputs:
        k, v = (floats(1, HEADS, TOKENS, dim, device=device, dtype=dtype) for _ in range(2))
        options: dict[str, Any] = {"k_bits": bits, "v_bits": bits}
        if turned:
            tables = rotation(device, 1, dim)
            options |= {"cos": tables.offset_cos, "sin": tables.offset_sin}
        return (k, v), options

    elements = 2 * HEADS * TOKENS * dim
    moved = elements * dtype.itemsize + elements * bits // 8 + elements // GROUP * 4
    summary = 2 * HEADS * (TOKENS // PAGE) * dim * dtype.itemsize
    label = f"int{bits}-{short(dtype)}-d{dim}" + ("-turned" if turned else "")
    return Case(
        "quantize_pack", label, quantize_file.quantize_pack, make, moved + summary, 12 * elements, timed
    )


def dequantize_case(bits: int, dtype: torch.dtype, dim: int = DIM) -> Case:
    def make(device: torch.device) -> Inputs:
        return (noise_pages(device, bits=bits, dim=dim, dtype=dtype), TOKENS), {"dtype": dtype}

    elements = 2 * HEADS * TOKENS * dim
    moved = elements * dtype.itemsize + elements * bits // 8 + elements // GROUP * 4
    label = f"int{bits}-{short(dtype)}-d{dim}"
    return Case(
        "dequantize", label, dequantize_file.dequantize, make, moved, 2 * elements, bits == 4 and dim == DIM
    )


def select_case(
    dtype: torch.dtype, *, bound: bool = True, turned: bool = True, dim: int = DIM, mean: bool = False
) -> Case:
    pages = TOKENS // PAGE

    def make(device: torch.device) -> Inputs:
        low = floats(1, HEADS, pages, dim, device=device, dtype=dtype)
        q = floats(1, QUERY_HEADS, dim, device=device, dtype=dtype)
        options = {
            "rotation": rotation(device, pages, dim) if turned else None,
            "reduce": "mean" if mean else "max",
        }
        return (q, low, low + 0.5 if bound else None, BUDGET // PAGE), options

    moved = HEADS * pages * dim * dtype.itemsize * (2 if bound else 1) + (pages * dim * 4 if turned else 0)
    flops = QUERY_HEADS * pages * dim * (8 if turned else 4)
    label = f"{'bound' if bound else 'centre'}-{short(dtype)}-d{dim}" + ("-turned" if turned else "")
    return Case(
        "block_score_topk",
        label,
        select_file.block_score_topk,
        make,
        moved,
        flops,
        dtype == BF16 and dim == DIM,
    )


def attend_case(
    bits: int,
    dtype: torch.dtype,
    *,
    v_bits: int | None = None,
    dim: int = DIM,
    queries: int = 1,
    shared: int = QUERY_HEADS // HEADS,
    turned: bool = True,
    timed: bool = False,
) -> Case:
    slots, v_width = BUDGET // PAGE, bits if v_bits is None else v_bits

    def make(device: torch.device) -> Inputs:
        pages = noise_pages(device, bits=bits, v_bits=v_width, dim=dim, dtype=dtype)
        held = TOKENS // PAGE
        q = floats(1, HEADS * shared, queries, dim, device=device, dtype=dtype)
        at = torch.arange(slots, device=device, dtype=torch.int32) * (held // slots)
        lengths = torch.full((1, held), PAGE, device=device, dtype=torch.int32)
        options = {"rotation": rotation(device, held, dim) if turned else None}
        return (q, pages, at.repeat(1, HEADS, 1), lengths), options

    element = 2 * dtype.itemsize if bits == PLAIN else (bits + v_width) / 8
    scales = 0 if bits == PLAIN else 4 * dim + 4 * PAGE * -(-dim // GROUP)
    page = int(PAGE * dim * element) + scales
    moved = HEADS * slots * page + (slots * dim * 4 if turned else 0)
    flops = 4 * HEADS * shared * queries * BUDGET * dim
    label = (
        f"{'plain' if bits == PLAIN else f'int{bits}v{v_width}'}-{short(dtype)}-d{dim}-q{queries}x{shared}"
    )
    return Case(
        "sparse_paged_attention",
        label + ("-turned" if turned else ""),
        attend_file.sparse_paged_attention,
        make,
        moved,
        flops,
        timed,
    )


def merge_case(parts: int, dtype: torch.dtype, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        lses = floats(parts, 1, QUERY_HEADS, 1, device=device, dtype=FP32)
        return (floats(parts, 1, QUERY_HEADS, 1, DIM, device=device, dtype=dtype), lses), {}

    rows = QUERY_HEADS
    moved = (parts + 1) * rows * (DIM * dtype.itemsize + 4)
    return Case(
        "merge_lse",
        f"{parts}x-{short(dtype)}",
        merge_file.merge_lse,
        make,
        moved,
        3 * parts * rows * DIM,
        timed,
    )


def rotate_case(dtype: torch.dtype, *, rotary_dim: int = DIM, dim: int = DIM, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        cos, sin = (floats(1, TOKENS, rotary_dim // 2, device=device, dtype=FP32) for _ in range(2))
        return (floats(1, HEADS, TOKENS, dim, device=device, dtype=dtype), cos, sin), {}

    elements = HEADS * TOKENS * dim
    moved = 2 * elements * dtype.itemsize + TOKENS * rotary_dim * 4
    label = f"{short(dtype)}-d{dim}-r{rotary_dim}"
    return Case("rotate", label, rotate_file.rotate, make, moved, 3 * HEADS * TOKENS * rotary_dim, timed)


PAGE_CASES: tuple[Case, ...] = (
    quantize_case(4, BF16, timed=True),
    quantize_case(8, FP16),
    quantize_case(2, FP32, turned=True),
    quantize_case(4, BF16, dim=256, turned=True),
    quantize_case(4, BF16, dim=80),
    dequantize_case(4, BF16),
    dequantize_case(8, FP32),
    dequantize_case(2, FP16, dim=256),
    dequantize_case(4, BF16, dim=80),
    select_case(BF16),
    select_case(BF16, turned=False),
    select_case(BF16, bound=False, turned=False),
    select_case(FP32, bound=False, mean=True, dim=80),
    select_case(FP16, dim=256),
    attend_case(4, BF16, timed=True),
    attend_case(8, BF16, timed=True),
    attend_case(2, BF16, timed=True),
    attend_case(PLAIN, BF16, timed=True),
    attend_case(PLAIN, FP32),
    attend_case(4, FP32, turned=False),
    attend_case(4, BF16, v_bits=2, queries=8, shared=8),
    attend_case(4, FP16, dim=80, turned=False),
    attend_case(8, BF16, dim=256, queries=4),
    attend_case(2, BF16, dim=64),
    attend_case(PLAIN, FP32, dim=256, queries=8, shared=8),
    merge_case(33, FP32, timed=True),
    merge_case(2, BF16),
    rotate_case(BF16, timed=True),
    rotate_case(FP32, dim=256, rotary_dim=256),
    rotate_case(FP16, dim=96, rotary_dim=24),
)
