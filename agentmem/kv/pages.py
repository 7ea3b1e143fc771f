"""Pages of keys and values: coded at any width, read back as floats. Axes: `H` KV heads, `T` tokens, `D` head dim."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agentmem.kv import ops

PAGE = 64
"""Tokens a page."""
PLAIN = 16
"""The width of pages that hold floats as they are."""
BITS = (2, 4, 8, PLAIN)
FIELDS = ("k", "v", "k_min", "k_max", "k_scale", "k_zero", "v_scale", "v_zero")
"""The tensors of pages; plain ones have the first four."""


def order_for(dim: int, inv_freq: Tensor) -> Tensor | None:
    """How the channels of keys and queries must stand; none where every channel turns."""
    rotary = 2 * int(inv_freq.numel())
    order: Tensor | None = None if rotary == dim else ops.part("pair_order")(dim, rotary)
    return order


def code(keys: Tensor, values: Tensor, inv_freq: Tensor, bits: int) -> Any:
    """Pages of pre-RoPE keys and values `[B, H, T, D]` in one of `BITS`; 16 keeps the numbers as they are."""
    dim = keys.shape[-1]
    order = order_for(dim, inv_freq)
    keys = (keys if order is None else keys[..., order.to(keys.device)]).contiguous()
    start = torch.zeros(1, 1, dtype=torch.int64, device=keys.device)
    inside = ops.part("page_rotation")(inv_freq, start, dim)
    turned = {"cos": inside.offset_cos, "sin": inside.offset_sin}
    if bits == PLAIN:
        return ops.part("plain_pages")(keys, values.contiguous(), **turned)
    return ops.run("quantize_pack", keys, values.contiguous(), k_bits=bits, v_bits=bits, **turned)


def decode(pages: Any, tokens: int) -> tuple[Tensor, Tensor]:
    """Keys and values `[1, H, tokens, D]` fp32 of one layer's pages."""
    if pages.k_bits == PLAIN:
        keys, values = (part.flatten(2, 3)[:, :, :tokens].float() for part in (pages.k, pages.v))
        return keys, values
    decoded: tuple[Tensor, Tensor] = ops.run("dequantize", pages, tokens)
    return decoded
