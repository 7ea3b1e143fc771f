"""Sinks and a recent window: StreamingLLM (Xiao et al., arXiv 2309.17453).

keep(t) = t < sinks or t >= now - recent. The first tokens take the attention that softmax must put somewhere; without
them a window collapses. Tokens keep the positions they came with, so the result is that of the same mask over
everything.
Defaults: 4 sinks, as in the paper.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Rolling, Step


@dataclass(frozen=True)
class SinkRecent(Policy):
    """`sinks` first tokens and the last ones: `recent` of them, or what the budget leaves when 0."""

    sinks: int = 4
    recent: int = 0

    def tokens(self, budget: int | None) -> int | None:
        """The budget, or sinks and recent together.

        Raises:
            InvalidInputError: neither a budget nor `recent`, or both and they disagree.
        """
        own = self.sinks + self.recent
        if self.recent and budget is not None and budget != own:
            raise InvalidInputError(
                f"SinkRecent of {self.sinks} + {self.recent} tokens does not fit a budget of {budget}; give one of them"
            )
        if self.recent:
            return own
        return super().tokens(budget)

    def score(self, step: Step) -> Tensor:
        """Later is higher."""
        return step.positions.float()

    def rolling(self, budget: int | None) -> Rolling | None:
        """Each token takes the place of the oldest after the sinks."""
        return None if budget is None else Rolling(budget + 1, self.sinks, wraps=True)
