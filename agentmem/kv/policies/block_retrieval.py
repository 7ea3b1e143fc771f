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

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops
from agentmem.kv.blocks import Blocks, blocks_of
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import BITS, FIELDS, PAGE, code, order_for
from agentmem.kv.policies.policy import Policy, Step

NOTE = "far "


@dataclass(frozen=True)
class BlockRetrieval(Policy):
    """The budget is of what is held as it is; up to 63 tokens more wait until they fill a page."""

    sinks: int = 4
    blocks: int = 16
    bits: int = 4

    def __post_init__(self) -> None:
        if self.sinks < 0 or self.blocks < 1 or self.bits not in BITS:
            raise InvalidInputError(
                f"sinks is {self.sinks}, blocks {self.blocks} and bits {self.bits}; they must be at least 0, at least "
                f"1, and one of {', '.join(map(str, BITS))}"
            )

    def score(self, step: Step) -> Tensor:
        """Later is higher."""
        return step.positions.float()

    def shrink(self, step: Step) -> None:
        """Code the oldest whole pages after the sinks.

        Raises:
            InvalidInputError: a padded batch, whose rows stand at different positions.
        """
        layer, count = step.layer, (step.layer.held - step.budget) // PAGE * PAGE
        if count <= 0:
            return
        if step.real is not None:
            raise InvalidInputError("BlockRetrieval takes no padding: give it sequences of one length")
        gone = slice(self.sinks, self.sinks + count)
        positions = step.positions[0, 0, gone].long()
        self._append(layer, coded(layer, gone, positions, step.inv_freq, self.bits))
        held = torch.arange(layer.held, device=positions.device)
        layer.keep(torch.cat([held[: gone.start], held[gone.stop :]]).expand(layer.kv[0].shape[0], 1, -1))
        before = [] if layer.far is None else [layer.far.positions]
        bases = torch.cat([*before, positions[::PAGE]])
        layer.far = self._stand(layer, bases, step.inv_freq)

    def far(self, layer: KVLayer) -> Blocks | None:
        """The pages of a layer, as they are now: a beam search reorders them with everything else."""
        if layer.far is None:
            return None
        known: Blocks = layer.far
        return Blocks(
            pages=self._pages(layer, known.pages.dim),
            lengths=known.lengths,
            positions=known.positions,
            rotation=known.rotation,
            tables=known.tables,
            take=known.take,
            order=known.order,
        )

    def _append(self, layer: KVLayer, pages: Any) -> None:
        for field in FIELDS:
            added = getattr(pages, field)
            if added is not None:
                before = layer.notes.get(NOTE + field)
                layer.notes[NOTE + field] = added if before is None else torch.cat([before, added], dim=2)

    def _stand(self, layer: KVLayer, positions: Tensor, inv_freq: Tensor) -> Blocks:
        dim = int(layer.kv[0].shape[-1])
        lengths = torch.full((1, positions.shape[0]), PAGE, dtype=torch.int32, device=positions.device)
        order = order_for(dim, inv_freq)
        return blocks_of(self._pages(layer, dim), lengths, positions, inv_freq, order, self.blocks)

    def _pages(self, layer: KVLayer, dim: int) -> Any:
        held = {field: layer.notes[NOTE + field] for field in FIELDS if NOTE + field in layer.notes}
        return ops.part("Pages")(**held, dim=dim, k_bits=self.bits, v_bits=self.bits)


def coded(layer: KVLayer, gone: slice, positions: Tensor, inv_freq: Tensor, bits: int) -> Any:
    """Pages of these slots, their keys turned back to before RoPE."""
    keys, values = (part[:, :, gone].contiguous() for part in layer.kv)
    tables = ops.part("rope_tables")(inv_freq, -positions[None])
    plain = ops.run("rotate", keys.float(), tables.cos, tables.sin).to(keys.dtype)
    return code(plain, values, inv_freq, bits)
