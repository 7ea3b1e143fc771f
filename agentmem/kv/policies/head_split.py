"""Heads that look far back and heads that do not: DuoAttention (Xiao et al., arXiv 2410.10819).

Every KV head holds the sinks and the last tokens. What leaves that window is kept for the `retrieval` heads alone, by
the policy `over`; for the other heads it is freed. Which heads retrieve is found once for a model by optimisation
(`agentmem.kv.heads`). The paper keeps everything of the retrieval heads at full width, as our default does:
`over=BlockRetrieval(blocks=None, bits=16)`; 4 bits, fewer blocks, clusters or tiers are other `over`s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.far import Far, OnHeads
from agentmem.kv.layer import KVLayer
from agentmem.kv.policies.block_retrieval import BlockRetrieval
from agentmem.kv.policies.paged import Leaving, Paged
from agentmem.kv.policies.policy import Rolling, Step


@dataclass(frozen=True)
class HeadSplit(Paged):
    """`retrieval` names the KV heads of each layer under the policy, as `((0,), (), (1, 2), ...)`."""

    retrieval: tuple[tuple[int, ...], ...]
    over: Paged = field(default_factory=lambda: BlockRetrieval(blocks=None, bits=16))
    sinks: int = 4

    def __post_init__(self) -> None:
        if isinstance(self.over, HeadSplit):
            raise InvalidInputError("a HeadSplit over a HeadSplit has no meaning; give the heads once")
        if self.sinks < 0 or any(sorted(set(heads)) != list(heads) for heads in self.retrieval):
            raise InvalidInputError(
                f"sinks is {self.sinks} and retrieval {self.retrieval}; heads must be in order, each named once"
            )
        object.__setattr__(self, "unit", self.over.unit)

    def window(self, step: Step) -> int:
        """That of the policy for the retrieval heads."""
        return self.over.window(step)

    def observe(self, step: Step) -> None:
        """Let the policy for the retrieval heads look."""
        self.over.observe(step)

    def put(self, step: Step, leaving: Leaving) -> None:
        """Hand over what the retrieval heads have.

        Raises:
            InvalidInputError: the heads are not those of this model.
        """
        heads = int(leaving.keys.shape[1])
        if len(self.retrieval) != step.depth or any(head >= heads for head in self.retrieval[step.index]):
            raise InvalidInputError(
                f"retrieval names heads of {len(self.retrieval)} layers; this model has {step.depth} layers under the "
                f"policy with {heads} KV heads each: find its own with agentmem.kv.heads"
            )
        if self.retrieval[step.index]:
            self.over.put(step, leaving.of(heads_at(self.retrieval[step.index], leaving.keys.device)))

    def far(self, layer: KVLayer, place: int = 0) -> Far | None:
        """What the retrieval heads of this layer kept."""
        kept = self.over.far(layer, place)
        if kept is None:
            return None
        keys = layer.kv[0]
        return OnHeads(kept, heads_at(self.retrieval[place], keys.device), int(keys.shape[1]))

    def rolling(self, budget: int | None) -> Rolling | None:
        """As the policy for the retrieval heads does."""
        return self.over.rolling(budget)

    def reserve(self, layer: KVLayer, inv_freq: Tensor, tokens: int) -> None:
        """Let the policy for the retrieval heads make room."""
        self.over.reserve(layer, inv_freq, tokens)

    def trim(self, layer: KVLayer) -> None:
        """Let it free what it did not need."""
        self.over.trim(layer)


@lru_cache
def heads_at(heads: tuple[int, ...], device: torch.device) -> Tensor:
    """The numbers of heads, once for a device: a graph reads them where they lie."""
    return torch.tensor(heads, device=device)
