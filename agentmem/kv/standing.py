"""Where coded pages stand: their positions as angles, how many tokens each holds, and room for pages to come.

Angles are made in fp64 on the host for the first token of each page and for the places inside a page; the angle of a
token is the sum of the two. So pages that join cost their own angles and no others'. Axes: `P` pages, `D` head dim.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from agentmem.kv import ops
from agentmem.kv.pages import PAGE, order_for


@dataclass(frozen=True, slots=True)
class Standing:
    """`positions` `[P]` of each page's first token; `lengths` `[1, P]` int32 tokens in each; `rotation` their angles.

    `order` is the channel order of the pages' keys, if not plain. The last `spare` pages hold nothing yet; where there
    is such room, `filled` `[1]` int32 counts the others on the device.
    """

    positions: Tensor
    lengths: Tensor
    rotation: Any
    order: Tensor | None
    spare: int = 0
    filled: Tensor | None = None

    @property
    def count(self) -> int:
        """Pages, empty ones too."""
        return int(self.positions.shape[0])

    @property
    def used(self) -> int:
        """Pages that hold something."""
        return self.count - self.spare

    def token_tables(self) -> tuple[Tensor, Tensor]:
        """Cosines and sines `[1, P * 64, D / 2]` fp32 of every token, in the pages' channel order."""
        turn, rows = self.rotation, self.rotation.rows[0].long()
        cos, sin = turn.cos[rows][:, None], turn.sin[rows][:, None]
        inside_cos, inside_sin = turn.offset_cos, turn.offset_sin
        tables = cos * inside_cos - sin * inside_sin, sin * inside_cos + cos * inside_sin
        return tables[0].flatten(0, 1)[None], tables[1].flatten(0, 1)[None]

    def has_room_at(self, positions: Tensor) -> bool:
        """Whether the next pages were to stand at these positions."""
        expected = self.positions[self.used : self.used + positions.shape[0]]
        return int(positions.shape[0]) <= self.spare and torch.equal(expected, positions.to(expected))

    def fill(self, count: int) -> Standing:
        """The next pages hold something now; in place."""
        assert self.filled is not None
        self.lengths[:, self.used : self.used + count] = PAGE
        self.filled.add_(count)
        return replace(self, spare=self.spare - count)

    def joined_by(self, other: Standing) -> Standing:
        """These pages, all of them in use, and behind them others."""
        mine, new = self.rotation, other.rotation
        rotation = replace(
            mine,
            cos=torch.cat([mine.cos, new.cos]),
            sin=torch.cat([mine.sin, new.sin]),
            rows=torch.cat([mine.rows, new.rows + mine.cos.shape[0]], dim=1),
        )
        return replace(
            self,
            positions=torch.cat([self.positions, other.positions]),
            lengths=torch.cat([self.lengths, other.lengths], dim=1),
            rotation=rotation,
        )

    def with_room(self, spare: int, inv_freq: Tensor, dim: int) -> Standing:
        """These pages and `spare` more that hold nothing yet, to stand behind the last one without gaps."""
        last = self.positions[-1]
        after = last + PAGE * torch.arange(1, spare + 1, dtype=last.dtype, device=last.device)
        made = self.joined_by(stand_at(after, inv_freq, dim))
        made.lengths[:, self.count :] = 0
        filled = torch.tensor([self.count], dtype=torch.int32, device=last.device)
        return replace(made, spare=spare, filled=filled)

    def trimmed(self) -> Standing:
        """Those that hold something."""
        rows = self.rotation.rows[:, : self.used].contiguous()
        return Standing(
            self.positions[: self.used],
            self.lengths[:, : self.used].contiguous(),
            replace(self.rotation, rows=rows),
            self.order,
        )


def stand_at(positions: Tensor, inv_freq: Tensor, dim: int, lengths: Tensor | None = None) -> Standing:
    """Pages at `positions` `[P]`, full ones where no `lengths` `[1, P]` are given."""
    if lengths is None:
        lengths = torch.full((1, positions.shape[0]), PAGE, dtype=torch.int32, device=positions.device)
    order = order_for(dim, inv_freq)
    return Standing(
        positions=positions,
        lengths=lengths,
        rotation=ops.part("page_rotation")(inv_freq, positions[None], dim),
        order=None if order is None else order.to(positions.device),
    )
