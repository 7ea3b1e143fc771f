"""Pages of keys and values, read back as floats, whatever their width."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from agentmem.kv import ops

PAGE = 64
"""Tokens a page."""
PLAIN = 16
"""The width of pages that hold floats as they are."""
BITS = (2, 4, 8, PLAIN)


def decode(pages: Any, tokens: int) -> tuple[Tensor, Tensor]:
    """Keys and values `[1, H, tokens, D]` fp32 of one layer's pages."""
    if pages.k_bits == PLAIN:
        keys, values = (part.flatten(2, 3)[:, :, :tokens].float() for part in (pages.k, pages.v))
        return keys, values
    decoded: tuple[Tensor, Tensor] = ops.run("dequantize", pages, tokens)
    return decoded
