"""Attention to recalled blocks beside a model's own cache, merged exactly by log-sum-exp.

A few query tokens (decoding) read the coded pages with the paged attention op; more of them (a prompt) see the decoded
keys in front of their own. Both are one softmax over the same keys. Axes: `B` batch, `Hq`/`H` query and KV heads,
`T` query tokens, `P` pages of 64 tokens, `D` head dim.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agentmem.kv import ops
from agentmem.kv.far import Far, merged
from agentmem.kv.pages import PAGE, decode
from agentmem.kv.standing import Standing

PAGED_QUERIES = 8
"""Queries that the paged op takes; also those that choose blocks, the last of a call."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """What one layer may attend to: coded pages `[1 or B, H, P, 64, ...]`, where they stand, how many a head takes."""

    pages: Any
    standing: Standing
    take: int

    @property
    def longest(self) -> int:
        """Those that the paged op takes."""
        return PAGED_QUERIES

    @property
    def count(self) -> int:
        """Pages there are, or will be."""
        return self.standing.count

    def choose(self, query: Tensor) -> Tensor:
        """Pages `[B, H, S]` int32 for each KV head: all, or the best by the last queries' greatest bound (Quest)."""
        batch, heads = query.shape[0], self.pages.k.shape[1]
        if self.count <= self.take:
            every = torch.arange(self.count, dtype=torch.int32, device=query.device)
            return every.repeat(batch, heads, 1)
        last, filled = query[:, :, -PAGED_QUERIES:], self.standing.filled
        ids: Tensor = ops.run(
            "block_score_topk",
            last.reshape(batch, -1, last.shape[-1]).contiguous(),
            self.pages.k_min,
            self.pages.k_max,
            self.take,
            n_blocks=None if filled is None else filled.repeat(batch),
            sinks=0,
            recent=0,
            rotation=self.standing.rotation,
        ).ids
        return ids

    def ordered(self, query: Tensor) -> Tensor:
        """The queries in the pages' channel order."""
        order = self.standing.order
        return query if order is None else query[..., order]

    def attend(self, query: Tensor, scaling: float) -> Any:
        """Output and log-sum-exp of at most 8 queries over the chosen pages."""
        asked = self.ordered(query).contiguous()
        return ops.run(
            "sparse_paged_attention",
            asked,
            self.pages,
            self.choose(asked),
            self.standing.lengths,
            scale=scaling,
            rotation=self.standing.rotation,
        )

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values `[1, H, P * 64, D]` at their positions, and who may be seen `[B, H, 1, P * 64]`."""
        asked = self.ordered(query)
        tokens = self.count * PAGE
        keys, values = decode(self.pages, tokens)
        keys = ops.run("rotate", keys.contiguous(), *self.standing.token_tables())
        if self.standing.order is not None:
            keys = keys[..., self.standing.order.argsort()]
        chosen = self.choose(asked)
        batch, heads, _ = chosen.shape
        open_pages = torch.zeros(batch, heads, self.count + 1, dtype=torch.bool, device=query.device)
        # an empty slot is -1: the page after the last
        open_pages.scatter_(2, chosen.long() % (self.count + 1), True)
        inside = torch.arange(PAGE, device=query.device) < self.standing.lengths[0, :, None]
        seen = (open_pages[:, :, : self.count, None] & inside).flatten(2)[:, :, None]
        return keys.to(query.dtype), values.to(query.dtype), seen


def attend_both(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, blocks: Far, scaling: float
) -> Tensor:
    """Attention `[B, Hq, T, D]` of at most `blocks.longest` queries to their own cache and to the blocks, merged.

    Args:
        seen: `[B, 1 or H, T, keys]` who sees whom in the cache; none where every query sees every key.
    """
    far = blocks.attend(query, scaling)
    near_out, near_lse = local(query, key, value, seen, scaling)
    near = ops.part("Attended")(near_out.to(query.dtype), near_lse)
    out: Tensor = merged([near, far]).out
    return out


def local(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, scaling: float
) -> tuple[Tensor, Tensor]:
    """Plain attention with its log-sum-exp, fp32: `[B, Hq, T, D]` and `[B, Hq, T]`."""
    batch, heads, _, dim = key.shape
    grouped = query.float().view(batch, heads, -1, query.shape[2], dim)
    score = grouped @ key.float()[:, :, None].transpose(3, 4) * scaling
    if seen is not None:
        score = score.masked_fill(~seen[:, :, None], -torch.inf)
    lse = score.logsumexp(dim=-1)
    # a padded query sees nothing
    weight = (score - lse.masked_fill(lse == -torch.inf, 0.0)[..., None]).exp()
    out = weight @ value.float()[:, :, None]
    return out.view(query.shape), lse.view(query.shape[:-1])


def in_front(
    key: Tensor, value: Tensor, seen: Tensor, query: Tensor, blocks: Far
) -> tuple[Tensor, Tensor, Tensor]:
    """The cache's keys, values and table with the blocks' before them."""
    keys, values, visible = blocks.laid_out(query)
    batch = key.shape[0]
    heads = max(seen.shape[1], visible.shape[1])
    table = torch.cat(
        [
            visible.expand(batch, heads, query.shape[2], -1),
            seen.expand(batch, heads, query.shape[2], -1),
        ],
        dim=3,
    )
    return (
        torch.cat([keys.expand(batch, -1, -1, -1), key], dim=2),
        torch.cat([values.expand(batch, -1, -1, -1), value], dim=2),
        table,
    )
