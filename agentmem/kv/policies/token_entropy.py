"""Surprising tokens, with decay: SirLLM (Yao et al., arXiv 2405.12528).

score(t) = -log p(t | what came before), in nats; at the start of each later turn every score is multiplied by `decay`,
so that old surprises give way to new ones. Sinks and a recent window are kept beside the most surprising. A turn is a
call with more than one token. Defaults: 4 sinks as in the paper; a quarter of the budget recent and decay 0.9 are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Step, protect


@dataclass(frozen=True)
class TokenEntropy(Policy):
    """What the model did not expect is worth keeping; all layers keep the same tokens."""

    sinks: int = 4
    recent_share: float = 0.25
    decay: float = 0.9

    surprise = True

    def __post_init__(self) -> None:
        if not (0 <= self.recent_share < 1 and 0 < self.decay <= 1):
            raise InvalidInputError(
                f"recent_share is {self.recent_share} and decay {self.decay}; they must be in [0, 1) and (0, 1]"
            )

    def observe(self, step: Step) -> None:
        """Note how much each token of the call surprised; let earlier notes fade at a new turn."""
        assert step.surprise is not None
        scores = step.layer.scores
        if scores is None:
            scores = step.positions.float() * 0
        if step.new > 1:
            scores = scores * self.decay
        scores[:, :, -step.new :] = step.surprise[:, None]
        step.layer.scores = scores

    def score(self, step: Step) -> Tensor:
        """The faded surprise; the recent window above all."""
        assert step.layer.scores is not None
        return protect(step, step.layer.scores, 0, int(step.budget * self.recent_share))
