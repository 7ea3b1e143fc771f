"""What tokens leave behind when they go: a linear state of fixed size, in which older ones fade.

For each KV head, with queries and keys before RoPE and a trained map phi(x) = exp(min(x W + c, 10)):
    S <- d S + phi(k) v^T,  z <- d z + phi(k)                     as a token goes, with a trained decay d in (0, 1);
    out(q) = phi(q) S / (phi(q) z),  lse(q) = log(phi(q) z) + b    beside the window, merged by log-sum-exp.
So phi(q) phi(k) e^b stands for exp(q.k / sqrt D) of the tokens that went. The idea is B'MOJO's fading memory (Zancato
et al., arXiv 2407.06324) and Hybrid Forcing's; a map trained to imitate softmax is Hedgehog's (arXiv 2402.04347).
Axes: `B` batch, `Hq`/`H` query and KV heads, `T` tokens, `D` head dim, `F` features.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops

LEAST, MOST = 1e-6, 10.0
NAMES = ("weight", "shift", "decay", "bias")


@dataclass(frozen=True, slots=True, eq=False)
class HeadMaps:
    """The maps of one layer: `weight` `[H, D, F]`, `shift` `[H, F]`, `decay` in (0, 1) and `bias` `[H]`."""

    weight: Tensor
    shift: Tensor
    decay: Tensor
    bias: Tensor

    def features(self, x: Tensor) -> Tensor:
        """`[B, n H, T, F]` of queries or keys before RoPE; `n` heads share a map."""
        heads = self.weight.shape[0]
        grouped = x.float().unflatten(1, (heads, -1))  # type: ignore[no-untyped-call]
        found: Tensor = grouped @ self.weight[:, None].to(x.device) + self.shift[:, None, None].to(x.device)
        return found.clamp(max=MOST).exp().flatten(1, 2)

    def folded(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """What tokens leave, `[B, H, F, D]` and `[B, H, F]`, the last one undimmed."""
        found = self.features(keys)
        age = torch.arange(keys.shape[2] - 1, -1, -1, device=keys.device)
        found = found * (self.decay.to(keys.device)[:, None] ** age)[..., None]
        return found.transpose(2, 3) @ values.float(), found.sum(dim=2)

    def read(self, queries: Tensor, state: Tensor, total: Tensor) -> tuple[Tensor, Tensor]:
        """Output `[B, Hq, T, D]` and log-sum-exp `[B, Hq, T]` of queries before RoPE."""
        group = queries.shape[1] // state.shape[1]
        found = self.features(queries)
        weight = (found @ total.repeat_interleave(group, 1)[..., None])[..., 0].clamp(min=LEAST)
        out = (found @ state.repeat_interleave(group, 1)) / weight[..., None]
        return out, weight.log() + self.bias.to(queries.device).repeat_interleave(group)[:, None]


@dataclass(frozen=True, slots=True, eq=False)
class FadingMaps:
    """Maps of every layer under the policy: `weight` `[L, H, D, F]` and so on; trained for one model."""

    weight: Tensor
    shift: Tensor
    decay: Tensor
    bias: Tensor

    def layer(self, place: int) -> HeadMaps:
        """Those of one layer."""
        return HeadMaps(*(getattr(self, name)[place] for name in NAMES))

    def check(self, depth: int, heads: int, dim: int) -> None:
        """Refuse another model's.

        Raises:
            InvalidInputError: they are of other layers, heads or channels.
        """
        if tuple(self.weight.shape[:3]) != (depth, heads, dim):
            raise InvalidInputError(
                f"these maps are of (layers, KV heads, channels) {tuple(self.weight.shape[:3])}, the model has "
                f"{(depth, heads, dim)}: train its own"
            )

    def save(self, path: Path) -> None:
        """Write them as safetensors."""
        save_file({name: getattr(self, name).contiguous() for name in NAMES}, path)

    @classmethod
    def load(cls, path: Path) -> FadingMaps:
        """Read what `save` wrote."""
        held = load_file(path)
        return cls(*(held[name] for name in NAMES))


@dataclass(frozen=True, slots=True, eq=False)
class Faded:
    """The state of one layer, to be attended to: `state` `[B, H, F, D]`, `total` `[B, H, F]`; a `Far` for any call.

    `end` is the position after the call's last token.
    """

    maps: HeadMaps
    state: Tensor
    total: Tensor
    inv_freq: Tensor
    end: int

    @property
    def longest(self) -> int:
        """Any call."""
        return 1 << 30

    def attend(self, query: Tensor, scaling: float) -> Any:
        """Read the state with queries turned back to before RoPE."""
        at = torch.arange(self.end - query.shape[2], self.end, device=query.device)
        plain = turned(query, self.inv_freq, -at)
        out, lse = self.maps.read(plain, self.state, self.total)
        return ops.part("Attended")(out.to(query.dtype), lse)

    def laid_out(self, query: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """A state has no keys."""
        raise InvalidInputError(
            "a fading state has no keys to lay out: with it, recall in calls of 8 tokens or fewer, and not on models "
            "that cap their scores"
        )


def turned(x: Tensor, inv_freq: Tensor, by: Tensor) -> Tensor:
    """`[B, H, T, D]` fp32 turned by `by` `[T]` positions."""
    tables = ops.part("rope_tables")(inv_freq, by[None])
    found: Tensor = ops.run("rotate", x.float().contiguous(), tables.cos, tables.sin)
    return found
