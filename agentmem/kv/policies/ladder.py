"""A ladder over layers: LaCache (Shi et al., arXiv 2507.14204).

Layers are put in `rungs` groups and tokens in runs of `run` positions; a group keeps the runs that fall on its rung, so
what one layer drops another holds, and the model as a whole still spans everything. Compaction repeats: a run on its
rung once survives the first round, twice the second, so the past thins out with age:
    score(t) = how many base-`rungs` digits of t // run, from the last one on, equal the layer's rung; newer first.
Runs, digits and defaults (4 rungs, runs of 16, 4 sinks, half the budget recent) are our form of the paper's pattern.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Step, protect

ROUNDS = 8


@dataclass(frozen=True)
class Ladder(Policy):
    """Each group of layers keeps other parts of the past; heads of a layer keep the same tokens."""

    rungs: int = 4
    run: int = 16
    sinks: int = 4
    recent_share: float = 0.5

    def __post_init__(self) -> None:
        if self.rungs < 2 or self.run < 1 or not 0 <= self.recent_share < 1:
            raise InvalidInputError(
                f"rungs is {self.rungs}, run {self.run} and recent_share {self.recent_share}; "
                "they must be at least 2, at least 1, and in [0, 1)"
            )

    def score(self, step: Step) -> Tensor:
        """Rounds survived, then recency."""
        rung = step.index * self.rungs // max(step.depth, self.rungs)
        digits = (step.positions - step.first).clamp(min=0) // self.run
        survived = torch.zeros(step.positions.shape, device=step.positions.device)
        still = torch.ones_like(survived, dtype=torch.bool)
        for _ in range(ROUNDS):
            still = still & (digits % self.rungs == rung)
            survived += still
            digits = digits // self.rungs
        newness = step.positions / max(1, step.layer.seen)
        return protect(step, survived + newness, 0, int(step.budget * self.recent_share))
