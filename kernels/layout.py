"""How KV lies in memory: pages, packed codes, page rotations. Plain tensors, no arithmetic on their values.

Axes: `B` batch, `H` KV heads, `P` pages, `D` head dim, `G` groups of 64 channels. A page is 64 tokens.

Codes are packed along the channels so that the two members of a rotary pair, `j` and `j + D/2`, come out of
the same load: with 4 bits, byte `j` holds channel `j` (low nibble) and `j + D/2` (high); with 2 bits, byte `j`
holds channels `j`, `j + D/4`, `j + D/2`, `j + 3D/4` from the low bits up; with 8 bits, byte `j` holds channel `j`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

PAGE = 64
"""Tokens in a page; also the length of a key group."""
GROUP = 64
"""Channels in a value group."""
PLAIN = 16
"""The `bits` of pages that hold floats as they are."""
BITS = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Pages:
    """A run of KV pages, plain or quantised; `B` may be 1 for a pool that every sequence reads.

    Plain: `k`, `v` are `[B, H, P, 64, D]` floats. Quantised: `uint8` `[B, H, P, 64, D * bits / 8]`, and value =
    `code * scale + zero`, with `k_scale`, `k_zero` `[B, H, P, D]` and `v_scale`, `v_zero` `[B, H, P, 64, G]`
    in fp16. `k_min`, `k_max` `[B, H, P, D]` summarise each page's keys. Cells past the last token are zeros.
    """

    k: Tensor
    v: Tensor
    dim: int
    k_bits: int
    v_bits: int
    k_min: Tensor
    k_max: Tensor
    k_scale: Tensor | None = None
    k_zero: Tensor | None = None
    v_scale: Tensor | None = None
    v_zero: Tensor | None = None

    @property
    def is_cuda(self) -> bool:
        """Whether the pages lie on a CUDA device."""
        return bool(self.k.is_cuda)

    @property
    def size_bytes(self) -> int:
        """Bytes held, summaries included."""
        held = (self.k, self.v, self.k_min, self.k_max, self.k_scale, self.k_zero, self.v_scale, self.v_zero)
        return sum(t.numel() * t.element_size() for t in held if t is not None)


@dataclass(frozen=True, slots=True)
class PageRotation:
    """Where pre-RoPE pages are to stand: key `i` of page `p` is rotated by angle(base of `p`) + angle(`i`).

    `cos`, `sin` `[N, D/2]` hold base angles, `rows` `[B, P]` int32 says which row each page uses, and
    `offset_cos`, `offset_sin` `[64, D/2]` hold the angles inside a page; all fp32, made by `tables.page_rotation`.
    Moving an episode means new `rows` (or a new small table), never touching the keys.
    """

    cos: Tensor
    sin: Tensor
    rows: Tensor
    offset_cos: Tensor
    offset_sin: Tensor


class Selection(NamedTuple):
    """`ids` `[B, H, k]` int32, best first, -1 where there were fewer pages; `scores` fp32, -inf there."""

    ids: Tensor
    scores: Tensor


class Attended(NamedTuple):
    """`out` `[..., D]` and the natural log-sum-exp `[...]` fp32 of its scores, -inf where nothing was seen."""

    out: Tensor
    lse: Tensor


class Assignment(NamedTuple):
    """`ids` `[..., N]` int32 of the nearest centroid (lowest on a tie); `distance` fp32, squared Euclidean."""

    ids: Tensor
    distance: Tensor


class Clusters(NamedTuple):
    """`centroids` `[..., K, D]` fp32 and the last assignment to the centroids before them."""

    centroids: Tensor
    ids: Tensor
    distance: Tensor


class Surprise(NamedTuple):
    """`surprise` `[T]` = -log p(target) and `entropy` `[T]` of the distribution, fp32, in nats."""

    surprise: Tensor
    entropy: Tensor


class PolarKeys(NamedTuple):
    """`codes` uint8 `[B, H, T, D * bits / 8]` of angle and radius per channel pair; `norm` fp16 `[B, H, T]`."""

    codes: Tensor
    norm: Tensor


class Kept(NamedTuple):
    """`at` `[B, H, M]` int32 of kept tokens in order, -1 past the last; `asked` `[B, H]` int32 were marked."""

    at: Tensor
    asked: Tensor


def pages_for(tokens: int) -> int:
    """Pages that hold this many tokens."""
    return -(-tokens // PAGE)


def page_lengths(tokens: int, *, batch: int = 1, device: torch.device | str = "cpu") -> Tensor:
    """Tokens in each page, `[batch, P]` int32, when `tokens` lie back to back: 64 in all but the last."""
    first = torch.arange(pages_for(tokens), device=device, dtype=torch.int32) * PAGE
    return (tokens - first).clamp(max=PAGE).repeat(batch, 1)


def code_bytes(dim: int, bits: int) -> int:
    """Bytes of one token's codes."""
    return dim * bits // 8
