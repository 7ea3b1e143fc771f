"""Tiers of precision under one budget, by rate and distortion: Spherical KV's retention, by Lagrangian bit allocation
(Shoham & Gersho, 1988).

`window_share` of the budget is sinks and last tokens as they are. What leaves is coded in pages of 64 tokens, and the
bytes that are left are shared out so that the expected distortion is least:
    D(page, b) = m(page) e(page, b),    e = |K - K_b|^2 / |K|^2 + |V - V_b|^2 / |V|^2,    e(page, gone) = 2,
where m is the attention that the page's tokens received while they were in the window. Over budget, the page whose next
step (8, 4, 2 bits, gone) adds the least distortion for each byte it frees is coded anew, and again until all fits. So
what is held does not grow past the budget, and all of it is read. Defaults are ours: half the budget for the window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.blocks import Blocks
from agentmem.kv.far import Far, together
from agentmem.kv.layer import KVLayer
from agentmem.kv.pages import PAGE, code, decode, order_for
from agentmem.kv.policies.paged import (
    EVERY,
    Leaving,
    Paged,
    append,
    before_rope,
    fields,
    pages_in,
    picked,
    without_summaries,
)
from agentmem.kv.policies.policy import Step, attention_mass
from agentmem.kv.standing import stand_at
from agentmem.kv.tiers import GONE, WIDTHS, Tier, Tiers, page_errors


@dataclass(frozen=True)
class PrecisionTiers(Paged):
    """The budget is of bytes, told in tokens at full width; up to 63 tokens more wait until they fill a page."""

    sinks: int = 4
    window_share: float = 0.5

    def __post_init__(self) -> None:
        if self.sinks < 0 or not 0 < self.window_share < 1:
            raise InvalidInputError(
                f"sinks is {self.sinks} and window_share {self.window_share}; they must be at least 0, and in (0, 1)"
            )

    def window(self, step: Step) -> int:
        """Its share, and room for the sinks."""
        return max(self.sinks + 1, int(step.budget * self.window_share))

    def observe(self, step: Step) -> None:
        """Add this call's attention to each token's account."""
        before, mass = step.layer.scores, attention_mass(step)
        step.layer.scores = mass if before is None else before + mass

    def put(self, step: Step, leaving: Leaving) -> None:
        """Code at the greatest width, then lower widths until all fits."""
        layer, dim = step.layer, int(leaving.keys.shape[-1])
        tiers: Tiers = layer.far or Tiers()
        layer.far = tiers
        take(layer, tiers, leaving, step.inv_freq)
        token_bytes = 2 * leaving.keys[:, :, 0].numel() * leaving.keys.element_size()
        moves = tiers.falling((step.budget - self.window(step)) * token_bytes)
        lower(layer, tiers, moves, step.inv_freq, dim)
        for tier in tiers.held.values():
            tier.standing = stand_at(tier.positions, step.inv_freq, dim)

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """Every tier, all of it."""
        if layer.far is None:
            return None
        dim = int(layer.kv[0].shape[-1])
        return together(
            [
                Blocks(pages_in(layer, note(bits), dim, bits), tier.standing, EVERY)
                for bits, tier in layer.far.held.items()
            ]
        )


def note(bits: int) -> str:
    """Under what a tier's pages are in the notes."""
    return f"{bits}-bit "


def take(layer: KVLayer, tiers: Tiers, leaving: Leaving, inv_freq: Tensor) -> None:
    """Code pages at the greatest width, and note what each width would lose."""
    plain, tokens = before_rope(leaving, inv_freq), leaving.positions.shape[0]
    order = order_for(plain.shape[-1], inv_freq)
    whole = (plain if order is None else plain[..., order]), leaving.values
    errors, greatest = [], None
    for bits in WIDTHS:
        pages = without_summaries(code(plain, leaving.values, inv_freq, bits))
        tiers.page_bytes[bits] = sum(
            part.numel() * part.element_size() * PAGE // tokens for part in fields(pages).values()
        )
        errors.append(page_errors(whole, decode(pages, tokens), PAGE))
        greatest = greatest or pages
    errors.append(torch.full_like(errors[0], 2.0))
    assert leaving.scores is not None
    mass = leaving.scores.float().sum(dim=(0, 1)).view(-1, PAGE).sum(dim=1)
    add(layer, tiers, WIDTHS[0], greatest, Tier(leaving.positions[::PAGE], mass, torch.stack(errors, dim=1)))


def lower(
    layer: KVLayer, tiers: Tiers, moves: dict[tuple[int, int], list[int]], inv_freq: Tensor, dim: int
) -> None:
    """Code the pages anew that fall, and drop those that are gone."""
    coded = []
    for (bits, to), places in moves.items():
        if to == GONE:
            continue
        at = torch.tensor(places, device=inv_freq.device)
        keys, values = decode(picked(pages_in(layer, note(bits), dim, bits), at), len(places) * PAGE)
        order = order_for(dim, inv_freq)
        plain = keys if order is None else keys[..., order.argsort()]
        coded.append((to, without_summaries(code(plain, values, inv_freq, to)), tiers.held[bits].of(at)))
    for bits in {bits for bits, _ in moves}:
        gone = [place for (was, _), places in moves.items() if was == bits for place in places]
        stay = torch.ones(len(tiers.held[bits].mass), dtype=torch.bool, device=inv_freq.device)
        stay[gone] = False
        at = stay.nonzero()[:, 0]
        if len(at) == 0:
            del tiers.held[bits]
            for name in [name for name in layer.notes if name.startswith(note(bits))]:
                del layer.notes[name]
            continue
        tiers.held[bits] = tiers.held[bits].of(at)
        kept = picked(pages_in(layer, note(bits), dim, bits), at)
        layer.notes.update({note(bits) + name: part for name, part in fields(kept).items()})
    for to, pages, tier in coded:
        add(layer, tiers, to, pages, tier)


def add(layer: KVLayer, tiers: Tiers, bits: int, pages: Any, tier: Tier) -> None:
    """Put pages into a tier."""
    append(layer, note(bits), pages)
    tiers.held[bits] = tiers.held[bits].with_(tier) if bits in tiers.held else tier
