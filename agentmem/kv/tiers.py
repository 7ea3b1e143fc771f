"""Pages in tiers of precision, and which of them go down a tier when the bytes do not suffice.

Knows widths, bytes and errors, and no keys or values: those are in a layer's notes. Axes: `P` pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

import torch
from torch import Tensor

WIDTHS = (8, 4, 2)
GONE = 0
STEPS = (*WIDTHS, GONE)


@dataclass(slots=True)
class Tier:
    """Pages of one width: `positions` of their first tokens and `mass` `[P]`, `errors` `[P, 4]` by step of `STEPS`."""

    positions: Tensor
    mass: Tensor
    errors: Tensor
    standing: Any = None
    """Their angles, once they are known to stay."""

    def of(self, at: Tensor) -> Tier:
        """Some of the pages."""
        return Tier(self.positions[at], self.mass[at], self.errors[at])

    def with_(self, other: Tier) -> Tier:
        """These pages and others."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in ("positions", "mass", "errors"))
        return Tier(*(torch.cat(pair) for pair in pairs))


@dataclass(slots=True)
class Tiers:
    """What a layer holds in pages, width by width, and the bytes of one page of each width."""

    held: dict[int, Tier] = field(default_factory=dict)
    page_bytes: dict[int, int] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Of all codes."""
        return sum(len(tier.mass) * self.page_bytes[bits] for bits, tier in self.held.items())

    def falling(self, spare_bytes: int) -> dict[tuple[int, int], list[int]]:
        """Which pages change so that all fit: (from, to) -> their places in the tier.

        The page whose next step adds the least distortion for each byte that it frees goes down, again and again.
        """
        width = {**self.page_bytes, GONE: 0}
        steps = [
            (self._cost(bits, at, place), bits, at, place)
            for bits, tier in self.held.items()
            for place in (STEPS.index(bits),)
            for at in range(len(tier.mass))
        ]
        heapify(steps)
        now: dict[tuple[int, int], int] = {}
        over = self.size_bytes - spare_bytes
        while over > 0 and steps:
            _, bits, at, place = heappop(steps)
            now[bits, at] = place + 1
            over -= width[STEPS[place]] - width[STEPS[place + 1]]
            if STEPS[place + 1] != GONE:
                heappush(steps, (self._cost(bits, at, place + 1), bits, at, place + 1))
        moves: dict[tuple[int, int], list[int]] = {}
        for (bits, at), place in sorted(now.items()):
            moves.setdefault((bits, STEPS[place]), []).append(at)
        return moves

    def _cost(self, bits: int, at: int, place: int) -> float:
        """Distortion that the step after `place` adds, for each byte that it frees."""
        tier, width = self.held[bits], {**self.page_bytes, GONE: 0}
        added = float(tier.mass[at] * (tier.errors[at, place + 1] - tier.errors[at, place]))
        return added / max(1, width[STEPS[place]] - width[STEPS[place + 1]])


def page_errors(whole: Sequence[Tensor], coded: Sequence[Tensor], tokens: int) -> Tensor:
    """`|x - x_b|^2 / |x|^2` of keys plus that of values, for each run of `tokens`: `[P]` fp32.

    Args:
        whole, coded: keys and values `[B, H, P * tokens, D]`.
    """
    total = torch.zeros(whole[0].shape[2] // tokens, device=whole[0].device)
    for was, now in zip(whole, coded, strict=True):
        lost, size = (
            (x.float() ** 2).sum(dim=(0, 1, 3)).view(-1, tokens).sum(dim=1) for x in (was - now, was)
        )
        total += lost / size.clamp(min=1e-12)
    return total
