"""Layers of fixed shape: one token a call, written into tensors that stay where they are: a step can be a graph.

A `KVLayer` grows and shrinks; a `StaticLayer` takes over what one holds, lets tokens in one at a time, and gives it all
back. Nothing here waits for the device: where the next token goes is counted on the device itself.

Axes: `B` batch, `Hq`/`H` query and KV heads, `C` cells (slots, rounded up to pages of 64), `P` pages, `D` head dim.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from agentmem.kv import ops
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import PAGE, PLAIN


class Ring:
    """Where the next token goes, in all layers that hold as many as `layer`: after the last one, or over the oldest.

    `slots` is how many tokens a layer holds while it attends; with `wraps`, a token that comes when all are taken goes
    over the oldest after the first `sinks`. `held` tokens were there at the start.
    """

    def __init__(self, layer: KVLayer, slots: int, sinks: int, *, wraps: bool) -> None:
        keys, pages = layer.kv[0], -(-slots // PAGE)
        device = keys.device
        self.held, self.slots, self.sinks, self.wraps = layer.held, slots, sinks, wraps
        self.cells = pages * PAGE
        self.count = torch.empty(1, dtype=torch.int64, device=device)
        """Tokens that came into the cells, those that were written over too."""
        self.slot = torch.zeros(1, dtype=torch.int64, device=device)
        """The cell of the newest token."""
        self.lengths = torch.zeros(1, pages, dtype=torch.int32, device=device)
        """`[1, P]` tokens in each page of cells."""
        self.seen = torch.zeros(1, 1, 1, self.cells, dtype=torch.bool, device=device)
        """`[1, 1, 1, C]`, true where a cell is filled."""
        self.table = torch.arange(pages, dtype=torch.int32, device=device).repeat(*keys.shape[:2], 1)
        """`[B, H, P]`: every page, for the paged attention op."""
        self._cell = torch.arange(self.cells, device=device)
        self._starts = torch.arange(pages, device=device)[None] * PAGE
        self.refill(layer.held)

    def refill(self, held: int) -> None:
        """Start anew with the first `held` cells filled."""
        self.held = held
        self.count.fill_(held)

    def advance(self) -> None:
        """Make room for one token; runs on the device alone."""
        at = self.count
        if self.wraps:
            over = self.sinks + torch.remainder(at - self.sinks, self.slots - self.sinks)
            at = torch.where(at < self.slots, at, over)
        self.slot.copy_(at)
        self.count.add_(1)
        filled = self.count.clamp(max=self.slots)
        self.lengths.copy_((filled - self._starts).clamp(0, PAGE))
        self.seen.copy_(self._cell < filled)

    def kept(self, steps: int) -> Tensor:
        """The numbers of the tokens that are held after `steps` of them came, ascending; the first had number 0.

        A ring that wraps holds one less than while it attends, as the policy would.
        """
        total = self.held + steps
        most = self.slots - 1
        if not self.wraps or total <= most:
            return torch.arange(total)
        return torch.cat([torch.arange(self.sinks), torch.arange(total - most + self.sinks, total)])

    def cells_of(self, tokens: Tensor) -> Tensor:
        """The cells where tokens of these numbers lie."""
        over = self.sinks + torch.remainder(tokens - self.sinks, self.slots - self.sinks)
        return torch.where(tokens < self.slots, tokens, over)


class StaticLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """What `source` holds, in keys and values `[B, H, C, D]` that never move."""

    is_compileable = False

    def __init__(self, source: KVLayer, ring: Ring) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.source, self.ring = source, ring
        keys, values = source.kv
        batch, heads, _, dim = keys.shape
        self.cells: tuple[Tensor, Tensor] = (
            keys.new_zeros(batch, heads, ring.cells, dim),
            values.new_zeros(batch, heads, ring.cells, values.shape[-1]),
        )
        blank = keys.new_empty(0)
        paged = [part.view(batch, heads, -1, PAGE, part.shape[-1]) for part in self.cells]
        self.pages = ops.part("Pages")(
            *paged, dim=int(dim), k_bits=PLAIN, v_bits=PLAIN, k_min=blank, k_max=blank
        )
        """The same cells as pages of 64, for the paged attention op."""
        self.keys, self.values = self.cells
        self.is_initialized = True
        self.take()

    def take(self) -> None:
        """Take over what the source holds; it frees its own copy."""
        held, source = self.source.held, self.source
        for cells, part in zip(self.cells, source.kv, strict=True):
            cells[:, :, :held].copy_(part)
        source.keys, source.values = (cells[:, :, :held] for cells in self.cells)

    def give(self, steps: int) -> None:
        """Hand back what is held after `steps` tokens came, in the order of positions."""
        source, tokens = self.source, self.ring.kept(steps)
        assert source.positions is not None
        device = source.positions.device
        at = self.ring.cells_of(tokens).to(device)
        source.keys, source.values = (cells.index_select(2, at) for cells in self.cells)
        tokens = tokens.to(device)
        source.positions = grown(source.positions, source.seen, steps)[:, :, tokens].contiguous()
        if source.next_place is not None:
            before = source.places
            if before is not None:
                source.places = grown(before, source.next_place, steps)[:, :, tokens].contiguous()
            source.next_place += steps
        source.seen += steps

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Nothing: the cells are there from the start."""

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Write one token `[B, H, 1, D]` into its cell; all cells, filled or not."""
        for cells, new in zip(self.cells, (key_states, value_states), strict=True):
            cells.index_copy_(2, self.ring.slot, new)
        return self.cells

    def get_seq_length(self) -> int:
        """Tokens that had come when the layer was taken over: the step says itself where a token stands."""
        return self.source.seen

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """All cells; which of them are seen, the ring says."""
        return self.ring.cells, 0

    def get_max_length(self) -> int:
        """No limit of its own."""
        return -1


class StaticCache(Cache):
    """The static layers of a run, and who hands them out during a call (`agentmem.kv.attention.Watcher`)."""

    def __init__(self, layers: list[StaticLayer], watcher: Any) -> None:
        super().__init__(layers=list(layers))
        self.watcher = watcher


def grown(places: Tensor, end: int, steps: int) -> Tensor:
    """`[B, 1, P + steps]`: the tokens that came since stand from `end` on."""
    new = torch.arange(end, end + steps, dtype=places.dtype, device=places.device)
    return torch.cat([places, new.expand(*places.shape[:2], steps)], dim=2)
