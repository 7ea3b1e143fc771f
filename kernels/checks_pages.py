"""Checks of the ops on KV pages: shapes that are no power of two, every dtype and width, pools, gaps, GQA 1, 4, 8."""

from __future__ import annotations

from typing import Any

import torch

from . import attend, dequantize, merge, quantize, reference, rotate, select
from .case import BF16, FP16, FP32, Inputs, floats, short
from .layout import PLAIN, page_lengths, pages_for
from .tables import page_rotation, rope_tables
from .verify import Check

HALF_OPERANDS = 4e-3
"""fp32 results of fp16 products."""


def frequencies(count: int, base: float = 10_000.0) -> torch.Tensor:
    """Inverse frequencies of a plain rotary embedding."""
    return base ** -(torch.arange(count, dtype=torch.float64) / count)


def quantize_check(
    tokens: int, dim: int, k_bits: int, v_bits: int, dtype: torch.dtype, turned: bool = False
) -> Check:
    def make(device: torch.device) -> Inputs:
        heads = 1 if tokens > 500 else 2
        k, v = (floats(1, heads, tokens, dim, device=device, dtype=dtype) * 3 + 1 for _ in range(2))
        # a constant channel and a constant token have scale 0
        k[..., 1] = 2.5
        v[:, :, 0] = -1.0
        options: dict[str, Any] = {"k_bits": k_bits, "v_bits": v_bits}
        if turned:
            still = torch.zeros(1, 1, dtype=torch.int64, device=device)
            angles = page_rotation(frequencies(dim // 2), still, dim)
            options |= {"cos": angles.offset_cos, "sin": angles.offset_sin}
        return (k, v), options

    label = f"t{tokens}-d{dim}-k{k_bits}v{v_bits}-{short(dtype)}" + ("-turned" if turned else "")
    # codes, scales and zeros are compared bit by bit; only a turned summary has rounding in it
    tolerance = None if turned else 0.0
    return Check("quantize_pack", label, quantize.quantize_pack, reference.quantize_pack, make, tolerance)


def dequantize_check(tokens: int, dim: int, k_bits: int, v_bits: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        k, v = (floats(1, 2, tokens, dim, device=device, dtype=FP32) for _ in range(2))
        pages = reference.quantize_pack(k, v, k_bits=k_bits, v_bits=v_bits)
        return (pages, max(1, tokens - 3)), {"dtype": dtype}

    label = f"t{tokens}-d{dim}-k{k_bits}v{v_bits}-{short(dtype)}"
    return Check("dequantize", label, dequantize.dequantize, reference.dequantize, make)


def select_check(
    pages: int,
    dim: int,
    shared: int,
    k: int,
    dtype: torch.dtype,
    *,
    batch: int = 1,
    pool: int = 1,
    bound: bool = True,
    turned: bool = False,
    reduce: str = "max",
    counted: bool = False,
) -> Check:
    def make(device: torch.device) -> Inputs:
        q = floats(batch, 2 * shared, dim, device=device, dtype=dtype)
        low = floats(pool, 2, pages, dim, device=device, dtype=dtype)
        # equal pages: the lower one comes first
        low[:, :, -1] = low[:, :, 0]
        bases = torch.randint(0, 500_000, (batch, pages), device=device)
        options: dict[str, Any] = {"reduce": reduce}
        if turned:
            options["rotation"] = page_rotation(frequencies(dim // 2), bases, dim)
        if counted:
            options["n_blocks"] = torch.arange(batch, device=device, dtype=torch.int32) % pages + 1
        return (q, low, low + low.abs() if bound else None, k), options

    label = (
        f"b{batch}-p{pages}-d{dim}-g{shared}-k{k}-{'bound' if bound else 'centre'}-{reduce}-{short(dtype)}"
    )
    label += ("-turned" if turned else "") + ("-counted" if counted else "")
    return Check("block_score_topk", label, select.block_score_topk, reference.block_score_topk, make)


def attend_check(
    tokens: int,
    dim: int,
    shared: int,
    queries: int,
    slots: int,
    k_bits: int,
    v_bits: int,
    dtype: torch.dtype,
    *,
    batch: int = 1,
    pool: int = 1,
    turned: bool = True,
    splits: int | None = None,
    empty: bool = False,
) -> Check:
    heads, held = 2, pages_for(tokens)

    def make(device: torch.device) -> Inputs:
        q = floats(batch, heads * shared, queries, dim, device=device, dtype=dtype)
        k, v = (floats(pool, heads, tokens, dim, device=device, dtype=dtype) for _ in range(2))
        plain = k_bits == PLAIN
        pages = (
            reference.plain_pages(k, v)
            if plain
            else reference.quantize_pack(k, v, k_bits=k_bits, v_bits=v_bits)
        )
        rows = [torch.randperm(held)[:slots] for _ in range(batch * heads)]
        table = torch.stack(rows).view(batch, heads, slots).to(device, torch.int32)
        table[0, 0, 0] = -1
        if empty:
            table[0, 1] = -1
        options: dict[str, Any] = {"splits": splits}
        if turned:
            bases = torch.randint(0, 500_000, (batch, held), device=device)
            options["rotation"] = page_rotation(frequencies(dim // 2), bases, dim)
        return (q, pages, table, page_lengths(tokens, device=device)), options

    label = f"b{batch}-t{tokens}-d{dim}-g{shared}-q{queries}-s{slots}-k{k_bits}v{v_bits}-{short(dtype)}"
    label += ("-turned" if turned else "") + ("-empty" if empty else "")
    tolerance = None if dtype == FP32 else 2e-2 if dtype == BF16 else HALF_OPERANDS
    call, definition = attend.sparse_paged_attention, reference.sparse_paged_attention
    return Check("sparse_paged_attention", label, call, definition, make, tolerance)


def merge_check(parts: int, rows: int, dim: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        outs = floats(parts, rows, dim, device=device, dtype=dtype)
        lses = floats(parts, rows, device=device, dtype=FP32) * 20
        # a part that saw nothing, and holds NaN; a row that nobody saw
        lses[0, 0] = -torch.inf
        outs[0, 0] = torch.nan
        lses[:, -1] = -torch.inf
        return (outs, lses), {}

    return Check(
        "merge_lse", f"{parts}x{rows}-d{dim}-{short(dtype)}", merge.merge_lse, reference.merge_lse, make
    )


def rotate_check(tokens: int, dim: int, rotary_dim: int, dtype: torch.dtype, *, moved: bool = False) -> Check:
    def make(device: torch.device) -> Inputs:
        shape = (1, 1) if moved else (2, tokens)
        positions = torch.randint(-1_000_000, 1_000_000, shape, device=device)
        cos, sin = rope_tables(frequencies(rotary_dim // 2), positions)
        return (floats(2, 2, tokens, dim, device=device, dtype=dtype), cos, sin), {}

    label = f"t{tokens}-d{dim}-r{rotary_dim}-{short(dtype)}" + ("-moved" if moved else "")
    return Check("rotate", label, rotate.rotate, reference.rotate, make)


PAGE_CHECKS: tuple[Check, ...] = (
    quantize_check(1, 64, 4, 4, FP32, turned=True),
    quantize_check(63, 80, 2, 8, BF16),
    quantize_check(65, 96, 8, 2, FP16),
    quantize_check(65, 128, 4, 4, BF16, turned=True),
    quantize_check(70, 256, 4, 2, FP32, turned=True),
    quantize_check(1000, 64, 4, 4, FP32),
    dequantize_check(1, 64, 4, 4, FP32),
    dequantize_check(65, 80, 2, 8, BF16),
    dequantize_check(63, 96, 8, 2, FP16),
    dequantize_check(100, 256, 4, 4, FP32),
    dequantize_check(130, 128, 2, 2, FP32),
    select_check(1, 64, 1, 2, FP32),
    select_check(63, 80, 4, 10, BF16, turned=True),
    select_check(65, 128, 8, 65, FP16, bound=False, reduce="mean"),
    select_check(65, 96, 1, 80, FP32, batch=3, pool=3, turned=True, counted=True),
    select_check(130, 256, 4, 7, FP32, batch=2, reduce="mean", counted=True),
    attend_check(1, 64, 1, 1, 1, 4, 4, FP32, batch=2, pool=2),
    attend_check(63, 80, 4, 3, 1, PLAIN, PLAIN, BF16, turned=False, batch=2),
    attend_check(200, 96, 8, 8, 3, 8, 4, FP16, splits=2),
    attend_check(1000, 64, 4, 1, 5, 2, 2, BF16, splits=5),
    attend_check(130, 128, 1, 5, 3, 4, 2, FP32, splits=1, empty=True),
    attend_check(130, 128, 4, 1, 2, PLAIN, PLAIN, FP32, batch=2, pool=2),
    attend_check(130, 256, 8, 4, 2, PLAIN, PLAIN, FP32, splits=1),
    attend_check(130, 256, 4, 1, 3, 4, 4, BF16),
    merge_check(1, 3, 64, FP32),
    merge_check(5, 9, 80, FP32),
    merge_check(3, 63, 96, BF16),
    merge_check(33, 5, 256, FP16),
    rotate_check(1, 64, 64, FP32),
    rotate_check(63, 80, 40, BF16),
    rotate_check(65, 96, 24, FP16, moved=True),
    rotate_check(65, 256, 256, FP32, moved=True),
)
