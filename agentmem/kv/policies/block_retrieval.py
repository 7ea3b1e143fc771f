"""Far blocks in few bits, read when looked for: InfLLM (Xiao et al., arXiv 2402.04617), Quest (arXiv 2406.10774).

Sinks and the last tokens are held as they are. What leaves the window is coded in pages of 64 tokens, keys before
RoPE, and each KV head reads for each call the `blocks` pages with the greatest bound on q.k:
    bound(page) = sum_d max(q_d min_d, q_d max_d),   greatest over the call's last 8 queries and the heads of a group.
Nothing is lost, so what is held grows with the text, at `bits` a number instead of the model's 16 or 32; what a step
reads does not. Both papers keep far tokens at full width; defaults are ours: 4 bits, 16 pages (1,024 tokens).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from agentmem.errors import InvalidInputError
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import BITS, PAGE
from agentmem.kv.policies.paged import EVERY, Leaving, Paged, append, coded, pages_in, standing
from agentmem.kv.policies.policy import Step

NOTE = "far "


@dataclass(frozen=True)
class BlockRetrieval(Paged):
    """The budget is of what is held as it is; `blocks` pages are read at a time, or all where it is none."""

    sinks: int = 4
    blocks: int | None = 16
    bits: int = 4

    def __post_init__(self) -> None:
        if self.sinks < 0 or (self.blocks is not None and self.blocks < 1) or self.bits not in BITS:
            raise InvalidInputError(
                f"sinks is {self.sinks}, blocks {self.blocks} and bits {self.bits}; they must be at least 0, at least "
                f"1, and one of {', '.join(map(str, BITS))}"
            )

    def put(self, step: Step, leaving: Leaving) -> None:
        """Code the pages and stand them where they came from."""
        layer = step.layer
        append(layer, NOTE, coded(leaving, step.inv_freq, self.bits))
        before = [] if layer.far is None else [layer.far.positions]
        bases = torch.cat([*before, leaving.positions[::PAGE]])
        pages = pages_in(layer, NOTE, int(leaving.keys.shape[-1]), self.bits)
        layer.far = standing(pages, bases, step.inv_freq)

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """The pages of a layer."""
        if layer.far is None:
            return None
        pages = pages_in(layer, NOTE, int(layer.kv[0].shape[-1]), self.bits)
        found: Far = layer.far.blocks(pages, EVERY if self.blocks is None else self.blocks)
        return found
