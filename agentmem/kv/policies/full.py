"""Keep everything: the plain cache, under the same roof."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Rolling, Step


@dataclass(frozen=True)
class Full(Policy):
    """No token goes but what a sliding layer of the model can no longer see."""

    def tokens(self, budget: int | None) -> int | None:
        """No limit.

        Raises:
            InvalidInputError: a budget was given, which this policy cannot keep.
        """
        if budget is not None:
            raise InvalidInputError(
                "the full policy keeps every token and has no budget; choose another policy"
            )
        return None

    def score(self, step: Step) -> Tensor:
        """All alike."""
        return torch.zeros(step.positions.shape, device=step.positions.device)

    def rolling(self, budget: int | None) -> Rolling:
        """Nothing goes."""
        return Rolling(None)
