"""The contract of a policy that keeps what leaves the window: it is handed whole pages of 64 tokens, the oldest first.

Sinks and the last tokens stay in the layer as they are; what a policy makes of a page, and how the model attends to
that, is its own. Axes: `B` batch, `H` KV heads, `T` tokens that leave, `P` pages, `D` head dim.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import FIELDS, PAGE, code
from agentmem.kv.policies.policy import Policy, Step

EVERY = 1 << 30
"""More pages than there are."""


@dataclass(frozen=True, slots=True)
class Leaving:
    """Keys (after RoPE) and values `[B, H, T, D]` of tokens at `positions` `[T]`; `scores` `[B, 1 or H, T]` or none."""

    keys: Tensor
    values: Tensor
    positions: Tensor
    scores: Tensor | None

    def of(self, heads: Tensor) -> Leaving:
        """Those KV heads alone."""
        scores = self.scores if self.scores is None or self.scores.shape[1] == 1 else self.scores[:, heads]
        return replace(self, keys=self.keys[:, heads], values=self.values[:, heads], scores=scores)


class Paged(Policy):
    """The budget is of what is held as it is; up to `unit - 1` tokens more wait until there are enough to leave."""

    unit: int = PAGE
    turns = True
    movable = False

    def score(self, step: Step) -> Tensor:
        """Later is higher."""
        return step.positions.float()

    def window(self, step: Step) -> int:
        """Tokens that stay as they are."""
        return step.budget

    def shrink(self, step: Step) -> None:
        """Hand over the oldest whole pages after the sinks.

        Raises:
            InvalidInputError: a padded batch, whose rows stand at different positions.
        """
        layer = step.layer
        count = (layer.held - self.window(step)) // self.unit * self.unit
        if count <= 0:
            return
        if step.real is not None:
            raise InvalidInputError(
                f"{type(self).__name__} takes no padding: give it sequences of one length"
            )
        gone = slice(self.sinks, self.sinks + count)
        keys, values = (part[:, :, gone].contiguous() for part in layer.kv)
        scores = None if layer.scores is None else layer.scores[:, :, gone]
        self.put(step, Leaving(keys, values, step.positions[0, 0, gone].long(), scores))
        held = torch.arange(layer.held, device=keys.device)
        layer.keep(torch.cat([held[: gone.start], held[gone.stop :]]).expand(keys.shape[0], 1, -1))

    @abstractmethod
    def put(self, step: Step, leaving: Leaving) -> None:
        """Keep these tokens in the layer's notes; `layer.far` may hold what is the same for the whole batch."""

    @abstractmethod
    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """What was kept, as it is now: a beam search reorders it with everything else."""


def before_rope(leaving: Leaving, inv_freq: Tensor) -> Tensor:
    """The keys of tokens that leave as they were before their rotation."""
    tables = ops.part("rope_tables")(inv_freq, -leaving.positions[None])
    plain: Tensor = ops.run("rotate", leaving.keys.float(), tables.cos, tables.sin).to(leaving.keys.dtype)
    return plain


def coded(leaving: Leaving, inv_freq: Tensor, bits: int) -> Any:
    """Pages of tokens that leave, keys before RoPE."""
    return code(before_rope(leaving, inv_freq), leaving.values, inv_freq, bits)


def append(layer: KVLayer, name: str, pages: Any) -> None:
    """Add pages to the layer's notes under `name`."""
    for field in FIELDS:
        added = getattr(pages, field)
        if added is not None:
            before = layer.notes.get(name + field)
            layer.notes[name + field] = added if before is None else torch.cat([before, added], dim=2)


def put_in(layer: KVLayer, name: str, pages: Any, at: int) -> None:
    """Write pages over those from `at` on in the layer's notes, where they lie."""
    for field in FIELDS:
        added = getattr(pages, field)
        if added is not None:
            layer.notes[name + field][:, :, at : at + added.shape[2]] = added


def resize(layer: KVLayer, name: str, count: int) -> None:
    """Hold so many pages under `name`: new ones are zeros, the last ones go."""
    for field in FIELDS:
        part = layer.notes.get(name + field)
        if part is not None:
            made = part.new_zeros(*part.shape[:2], count, *part.shape[3:])
            kept = min(count, int(part.shape[2]))
            made[:, :, :kept] = part[:, :, :kept]
            layer.notes[name + field] = made


def pages_in(layer: KVLayer, name: str, dim: int, bits: int) -> Any:
    """The pages in the layer's notes under `name`; without summaries where none were kept."""
    held = {field: layer.notes[name + field] for field in FIELDS if name + field in layer.notes}
    blank = held["k"].new_empty(0)
    return ops.part("Pages")(**{"k_min": blank, "k_max": blank, **held}, dim=dim, k_bits=bits, v_bits=bits)


def fields(pages: Any) -> dict[str, Tensor]:
    """The tensors of pages, but for summaries."""
    held = {name: getattr(pages, name) for name in FIELDS if name not in ("k_min", "k_max")}
    return {name: part for name, part in held.items() if part is not None}


def picked(pages: Any, at: Tensor) -> Any:
    """Some of the pages, `at` `[p]`, the same for every sequence and head."""
    return replace(pages, **{name: part[:, :, at] for name, part in fields(pages).items()})


def without_summaries(pages: Any) -> Any:
    """Pages whose least and greatest keys nobody will ask for."""
    return replace(pages, k_min=None, k_max=None)
