"""Rotary tables, made on the host in fp64 and rounded once to fp32.

In fp32 the angle itself errs by 5e-4 at position 100,000; in fp64 the error left is the table's rounding, 6e-8.
Scaled frequencies (llama3, yarn) come in through `inv_freq` as the model holds them; schemes that change
frequencies with length (`dynamic`, `longrope`) must be refused by the caller. Models with one set of
frequencies per layer type get one set of tables per type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .layout import PAGE, PageRotation


class Tables(NamedTuple):
    """`cos`, `sin` `[..., R/2]` fp32, one row per position, where `R` is the rotary dim."""

    cos: Tensor
    sin: Tensor


def rope_tables(inv_freq: Tensor, positions: Tensor, *, scale: float = 1.0) -> Tables:
    """Tables for `positions` (any shape, may be negative or offsets) on `positions.device`.

    `scale` is yarn's attention scaling, for tables that turn pre-RoPE vectors; leave it 1 when moving vectors
    that already carry it.
    """
    angle = positions.detach().cpu().double()[..., None] * inv_freq.detach().cpu().double()
    cos, sin = (angle.cos() * scale).float(), (angle.sin() * scale).float()
    return Tables(cos.to(positions.device), sin.to(positions.device))


def rope_tables_by_type(
    inv_freq: Mapping[str, Tensor], positions: Tensor, *, scale: Mapping[str, float] | None = None
) -> dict[str, Tables]:
    """`rope_tables` for each layer type of a model that has several sets of frequencies (Gemma 3)."""
    scales = scale or {}
    return {
        kind: rope_tables(freq, positions, scale=scales.get(kind, 1.0)) for kind, freq in inv_freq.items()
    }


def page_rotation(inv_freq: Tensor, bases: Tensor, dim: int, *, scale: float = 1.0) -> PageRotation:
    """Tables that stand page `p` of sequence `b` at positions `bases[b, p]` to `bases[b, p] + 63`.

    `bases` is `[B, P]` integers. With partial rotary (`2 * len(inv_freq) < dim`) keys and queries must be in
    `pair_order`; the channels that do not turn get cos 1, sin 0. `scale` goes to the keys once, not to queries.
    """
    distinct, rows = torch.unique(bases.detach().cpu(), return_inverse=True)
    base = rope_tables(inv_freq, distinct)
    inside = rope_tables(inv_freq, torch.arange(PAGE), scale=scale)
    still = dim // 2 - inv_freq.numel()

    def widen(table: Tensor, fill: float) -> Tensor:
        return torch.nn.functional.pad(table, (0, still), value=fill).contiguous().to(bases.device)

    return PageRotation(
        cos=widen(base.cos, 1.0),
        sin=widen(base.sin, 0.0),
        rows=rows.to(torch.int32).contiguous().to(bases.device),
        offset_cos=widen(inside.cos, 1.0),
        offset_sin=widen(inside.sin, 0.0),
    )


def pair_order(dim: int, rotary_dim: int) -> Tensor:
    """The channel order `x[..., order]` in which rotary pairs stand `dim / 2` apart; identity when all turn.

    Dot products do not change when queries and keys are both reordered, and values need no reordering.
    """
    half, rest = rotary_dim // 2, (dim - rotary_dim) // 2
    channels = torch.arange(dim)
    return torch.cat(
        [
            channels[:half],
            channels[rotary_dim : rotary_dim + rest],
            channels[half:rotary_dim],
            channels[rotary_dim + rest :],
        ]
    )
