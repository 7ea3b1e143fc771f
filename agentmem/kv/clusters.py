"""Far tokens in the order of clusters of their keys, read cluster by cluster.

Tokens are laid in pages of 64 in that order, so that a page's keys are alike and code well; they carry the rotation
they came with. Axes: `B` batch, `Hq`/`H` query and KV heads, `T` query tokens, `P` pages, `C` clusters, `D` head dim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from agentmem.kv import ops
from agentmem.kv.blocks import PAGED_QUERIES, local
from agentmem.kv.pages import FIELDS, PAGE, PLAIN, decode


@dataclass(frozen=True, slots=True)
class Clusters:
    """`pages` `[B, H, P, 64, ...]` in cluster order; `centroids` `[B, H, C, D]`; `sizes` `[B, H, C]` tokens in each.

    A KV head reads the clusters that the call's last queries score highest, while they hold at most `tokens`.
    """

    pages: Any
    centroids: Tensor
    sizes: Tensor
    tokens: int

    @property
    def longest(self) -> int:
        """Few queries: all of a call choose together."""
        return PAGED_QUERIES

    def choose(self, query: Tensor) -> Tensor:
        """Which tokens are read, `[B, H, P * 64]`: those of the best clusters that fit, the best one in any case."""
        batch, heads, _, dim = self.centroids.shape
        last = query[:, :, -PAGED_QUERIES:].float().reshape(batch, heads, -1, dim)
        score = (last @ self.centroids.float().transpose(2, 3)).amax(dim=2)
        score = score.masked_fill(self.sizes == 0, -torch.inf)
        order = score.argsort(dim=-1, descending=True, stable=True)
        sizes = self.sizes.gather(2, order)
        fits = sizes.cumsum(dim=-1) <= self.tokens
        fits[..., 0] = True
        open_clusters = torch.zeros_like(fits).scatter(2, order, fits)
        ends = self.sizes.cumsum(dim=-1)
        at = torch.arange(self.pages.k.shape[2] * PAGE, device=query.device).expand(batch, heads, -1)
        mine = torch.searchsorted(ends, at.contiguous(), right=True)
        return open_clusters.gather(2, mine)

    def attend(self, query: Tensor, scaling: float) -> Any:
        """Decode the pages that the chosen clusters touch, and no others."""
        keys, values, seen = self.laid_out(query)
        out, lse = local(query, keys, values, seen, scaling)
        return ops.part("Attended")(out.to(query.dtype), lse)

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The pages touched, for each head its own; where a head touches fewer, others stand in unseen."""
        chosen = self.choose(query)
        seen = chosen.view(*chosen.shape[:2], -1, PAGE)
        touched = seen.any(dim=3)
        most = int(touched.sum(dim=2).max())
        at = touched.to(torch.int8).argsort(dim=2, descending=True, stable=True)[:, :, :most]
        keys, values = decode(self._pages(at), most * PAGE)
        index = at[..., None].expand(*at.shape, PAGE)
        return keys.to(query.dtype), values.to(query.dtype), seen.gather(2, index).flatten(2)[:, :, None]

    def _pages(self, at: Tensor) -> Any:
        """Pages `at` `[B, H, p]`, for each head its own."""
        found = {}
        for field in FIELDS if self.pages.k_bits < PLAIN else FIELDS[:2]:
            part = getattr(self.pages, field)
            if field not in ("k_min", "k_max"):
                index = at.view(*at.shape, *(1,) * (part.ndim - 3)).expand(*at.shape, *part.shape[3:])
                found[field] = part.gather(2, index)
        return replace(self.pages, **found)
