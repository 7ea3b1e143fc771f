"""Heavy hitters: H2O (Zhang et al., arXiv 2306.14048).

score(k) = attention that k received from every query since it came, summed over the query heads of its KV head. Half of
the budget goes to the last tokens, half to the heaviest others, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Step, attention_mass, protect


@dataclass(frozen=True)
class H2O(Policy):
    """`recent_share` of the budget is the recent window."""

    recent_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.recent_share < 1:
            raise InvalidInputError(f"recent_share is {self.recent_share}, must be at least 0 and below 1")

    def observe(self, step: Step) -> None:
        """Add this call's attention to each token's account."""
        before = step.layer.scores
        mass = attention_mass(step)
        step.layer.scores = mass if before is None else before + mass

    def score(self, step: Step) -> Tensor:
        """What was received; the recent window above all."""
        assert step.layer.scores is not None
        return protect(step, step.layer.scores, 0, int(step.budget * self.recent_share))
