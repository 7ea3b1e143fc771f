"""Far blocks in few bits, read when looked for: InfLLM (Xiao et al., arXiv 2402.04617), Quest (arXiv 2406.10774).

Sinks and the last tokens are held as they are. What leaves the window is coded in pages of 64 tokens, keys before
RoPE, and each KV head reads for each call the `blocks` pages with the greatest bound on q.k:
    bound(page) = sum_d max(q_d min_d, q_d max_d),   greatest over the call's last 8 queries and the heads of a group.
Nothing is lost, so what is held grows with the text, at `bits` a number instead of the model's 16 or 32; what a step
reads does not. Both papers keep far tokens at full width; defaults are ours: 4 bits, 16 pages (1,024 tokens).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.blocks import Blocks
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import BITS, PAGE
from agentmem.kv.policies.paged import (
    EVERY,
    Leaving,
    Paged,
    append,
    coded,
    pages_in,
    put_in,
    resize,
)
from agentmem.kv.policies.policy import Rolling, Step
from agentmem.kv.standing import stand_at

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
        made, bases = coded(leaving, step.inv_freq, self.bits), leaving.positions[::PAGE]
        if layer.far is not None and layer.far.has_room_at(bases):
            put_in(layer, NOTE, made, layer.far.used)
            layer.far = layer.far.fill(int(bases.shape[0]))
            return
        self.trim(layer)
        append(layer, NOTE, made)
        new = stand_at(bases, step.inv_freq, made.dim)
        layer.far = new if layer.far is None else layer.far.joined_by(new)

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """The pages of a layer."""
        if layer.far is None:
            return None
        return Blocks(self._pages(layer), layer.far, EVERY if self.blocks is None else self.blocks)

    def rolling(self, budget: int | None) -> Rolling | None:
        """The window fills up until a page can leave."""
        return None if budget is None else Rolling(budget + self.unit - 1, self.sinks)

    def reserve(self, layer: KVLayer, inv_freq: Tensor, tokens: int) -> None:
        """Pages that hold nothing yet, behind those that do."""
        if layer.far is not None and not layer.far.spare:
            # one page more than can leave, so that there is always room
            spare = tokens // PAGE + 2
            resize(layer, NOTE, layer.far.used + spare)
            layer.far = layer.far.with_room(spare, inv_freq, self._pages(layer).dim)

    def trim(self, layer: KVLayer) -> None:
        """The pages that hold something, and no more."""
        if layer.far is not None and layer.far.spare:
            resize(layer, NOTE, layer.far.used)
            layer.far = layer.far.trimmed()

    def _pages(self, layer: KVLayer) -> Any:
        return pages_in(layer, NOTE, int(layer.kv[0].shape[-1]), self.bits)
