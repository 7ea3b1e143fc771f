"""The contract of a policy: give every held token a score, and the lowest go.

Axes: `B` batch, `Hq`/`H` query and KV heads, `T` tokens of the call, `P` slots held (the call's tokens last), `D` head
dim.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops
from agentmem.kv.far import Far
from agentmem.kv.layer import KVLayer

QUERY_ROWS = 256
"""Queries whose weights are held at once where the attention mass op does not apply."""


@dataclass(frozen=True, slots=True)
class Step:
    """One layer after one call.

    `query` `[B, Hq, T, D]` is post-RoPE, as the attention saw it; `seen` `[B, 1 or H, T, P]` says who saw whom, none
    for plain causal; `real` `[B, 1 or H, P]` is false for padding, none where there is none, and `first` `[B, 1, 1]`
    is each sequence's first token that is not; `inv_freq` `[R/2]` are the layer's rotary frequencies; `index` of
    `depth` is the layer's place among those under the policy; `surprise` `[B, T]` is there if the policy wants it.
    """

    layer: KVLayer
    query: Tensor
    seen: Tensor | None
    real: Tensor | None
    first: Tensor
    scaling: float
    inv_freq: Tensor
    index: int
    depth: int
    budget: int
    surprise: Tensor | None = None

    @property
    def positions(self) -> Tensor:
        """`[B, 1 or H, P]` int32 of the held tokens."""
        assert self.layer.positions is not None
        return self.layer.positions

    @property
    def new(self) -> int:
        """Tokens of the call."""
        return int(self.query.shape[2])


@dataclass(frozen=True, slots=True)
class Rolling:
    """How many tokens a layer holds while it attends, where the order in which they came decides alone what goes.

    `slots` counts the call's own token; none: there is no limit. With `wraps` each token takes the place of the oldest
    after the first `sinks`; else the layer fills up, and then the policy takes what it wants.
    """

    slots: int | None
    sinks: int = 0
    wraps: bool = False


class Policy(ABC):
    """Scores tokens. `sinks` first and `recent` last tokens are kept whatever their score.

    Subclasses write `score`; `observe` sees every call, evicting or not, and may add to `layer.scores`.
    """

    sinks: int = 0
    recent: int = 0
    surprise: bool = False
    """Whether tokens' surprise is wanted: eviction then waits for the end of the call."""
    turns: bool = False
    """Whether keys or queries are turned back or on by position, as the model would."""
    movable: bool = True
    """Whether held tokens may be turned to other positions: not where far keys are kept at theirs."""

    def tokens(self, budget: int | None) -> int | None:
        """How many tokens a layer may hold under this budget; none for no limit.

        Raises:
            InvalidInputError: no budget was given, or it is too small for the protected tokens.
        """
        name = type(self).__name__
        if budget is None:
            raise InvalidInputError(f"{name} needs a budget: attach(model, policy=..., budget_tokens=4096)")
        if budget <= self.sinks + self.recent:
            raise InvalidInputError(
                f"a budget of {budget} tokens leaves nothing for {name} beside {self.sinks} sinks and "
                f"{self.recent} recent tokens; raise it or lower those"
            )
        return budget

    def observe(self, step: Step) -> None:  # noqa: B027 - most policies need not look
        """See one layer after one call, before anything goes."""

    @abstractmethod
    def score(self, step: Step) -> Tensor:
        """`[B, 1 or H, P]` fp32, higher is kept; heads keep the same tokens where the head axis is 1."""

    def shrink(self, step: Step) -> None:
        """Bring the layer down to the budget."""
        if step.layer.held > step.budget:
            step.layer.keep(self.slots(step))

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """What left the layer and can still be attended to; none where it is freed for good.

        `place` is the layer's among those under the policy.
        """
        return None

    def rolling(self, budget: int | None) -> Rolling | None:
        """How a layer rolls on, token by token, so that its shape is fixed; none where more than order decides."""
        return None

    def reserve(self, layer: KVLayer, inv_freq: Tensor, tokens: int) -> None:  # noqa: B027 - most keep nothing there
        """Make room for `tokens` more in what `far` hands out, so that it stays where it lies while they come."""

    def trim(self, layer: KVLayer) -> None:  # noqa: B027 - as above
        """Free the room that `reserve` made and nothing took."""

    def slots(self, step: Step) -> Tensor:
        """The slots to keep, `[B, 1 or H, budget]`, ascending: sinks, recent, then by score, ties to the later."""
        score = protect(step, self.score(step), self.sinks, self.recent)
        last_first = torch.sort(score.flip(-1), dim=-1, descending=True, stable=True).indices
        kept = score.shape[-1] - 1 - last_first[..., : step.budget]
        return kept.sort(dim=-1).values


def protect(step: Step, score: Tensor, sinks: int, recent: int) -> Tensor:
    """Put sinks and recent tokens above every score, and padding below."""
    positions = step.positions
    forced = (positions < step.first + sinks) | (positions >= step.layer.seen - recent)
    score = torch.where(forced, torch.inf, score.nan_to_num(nan=0.0, posinf=3e38, neginf=-3e38))
    return score if step.real is None else score.masked_fill(~step.real, -torch.inf)


def attention_mass(step: Step, queries: int | None = None) -> Tensor:
    """Attention each held key receives from the call's last `queries` tokens, summed over their heads: `[B, H, P]`.

    Source: H2O, arXiv 2306.14048. Softmax weights, so each query and query head gives one unit.
    """
    query = step.query if queries is None else step.query[:, :, -queries:]
    keys, rows = step.layer.kv[0], query.shape[2]
    if step.seen is None:
        mass: Tensor = ops.run(
            "attention_mass",
            query.contiguous(),
            keys.contiguous(),
            start=keys.shape[2] - rows,
            scale=step.scaling,
        )
        return mass
    seen = step.seen[:, :, -rows:]
    return sum_weights(query, keys, seen, step.scaling)


def sum_weights(query: Tensor, keys: Tensor, seen: Tensor, scaling: float) -> Tensor:
    """`attention_mass` under any table of who sees whom, some queries at a time."""
    batch, heads, held, dim = keys.shape
    grouped = query.float().view(batch, heads, -1, query.shape[2], dim)
    total = torch.zeros(batch, heads, held, device=keys.device)
    for at in range(0, query.shape[2], QUERY_ROWS):
        part = grouped[:, :, :, at : at + QUERY_ROWS]
        weight = part @ keys.float().transpose(2, 3)[:, :, None] * scaling
        weight = weight.masked_fill(~seen[:, :, None, at : at + QUERY_ROWS], -torch.inf).softmax(dim=-1)
        # a padded query sees nothing
        total += weight.nan_to_num(0.0).sum(dim=(2, 3))
    return total
