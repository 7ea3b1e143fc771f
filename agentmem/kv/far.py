"""What a layer attends to beside its own cache, and how several such things are one.

Axes: `B` batch (or 1), `Hq`/`H` query and KV heads, `T` query tokens, `N` far tokens, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from agentmem.kv import ops


class Far(Protocol):
    """Keys and values outside a cache: coded, chosen by the queries, or of some heads only."""

    @property
    def longest(self) -> int:
        """The most queries that `attend` takes."""

    def attend(self, query: Tensor, scaling: float) -> Any:
        """Output `[B, Hq, T, D]` and log-sum-exp `[B, Hq, T]` (`-inf`: saw nothing) of at most `longest` queries."""

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values `[B, H, N, D]` as the queries see them, and who may be seen: `[B, H, 1, N]`."""


@dataclass(frozen=True, slots=True)
class Several:
    """Parts with different tokens, attended to as one."""

    parts: tuple[Far, ...]

    @property
    def longest(self) -> int:
        """What every part takes."""
        return min(part.longest for part in self.parts)

    def attend(self, query: Tensor, scaling: float) -> Any:
        """Merged by log-sum-exp."""
        return merged([part.attend(query, scaling) for part in self.parts])

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One after the other."""
        each = [part.laid_out(query) for part in self.parts]
        batch = max(keys.shape[0] for keys, _, _ in each)
        keys, values = (
            torch.cat([one[at].expand(batch, -1, -1, -1) for one in each], dim=2) for at in (0, 1)
        )
        return keys, values, torch.cat([one[2] for one in each], dim=3)


@dataclass(frozen=True, slots=True)
class OnHeads:
    """A part that only some of the layer's `total` KV heads have: those in `heads` `[h]`, in that order."""

    part: Far
    heads: Tensor
    total: int

    @property
    def longest(self) -> int:
        """What the part takes."""
        return self.part.longest

    def attend(self, query: Tensor, scaling: float) -> Any:
        """The other heads see nothing."""
        rows = self._rows(query)
        found = self.part.attend(query[:, rows], scaling)
        out = torch.zeros_like(query)
        lse = torch.full(query.shape[:3], -torch.inf, dtype=found.lse.dtype, device=query.device)
        out[:, rows], lse[:, rows] = found.out, found.lse
        return type(found)(out, lse)

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Zeros that nobody sees for the other heads."""
        rows = self._rows(query)
        found = self.part.laid_out(query[:, rows])
        wide = [part.new_zeros(part.shape[0], self.total, *part.shape[2:]) for part in found]
        for part, mine in zip(wide, found, strict=True):
            part[:, self.heads] = mine
        return wide[0], wide[1], wide[2]

    def _rows(self, query: Tensor) -> Tensor:
        """The query heads that read these KV heads."""
        group = query.shape[1] // self.total
        return (self.heads[:, None] * group + torch.arange(group, device=query.device)).flatten()


def merged(parts: Sequence[Any]) -> Any:
    """Attention over disjoint tokens as one: what each found, its `out` and `lse`, merged by log-sum-exp."""
    return ops.run(
        "merge_lse", torch.stack([one.out for one in parts]), torch.stack([one.lse for one in parts])
    )


def together(parts: Sequence[Far | None]) -> Far | None:
    """The parts that there are, as one; none where there are none."""
    held = tuple(part for part in parts if part is not None)
    return held[0] if len(held) == 1 else Several(held) if held else None
