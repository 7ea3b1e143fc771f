"""Token omission via attention: TOVA (Oren et al., arXiv 2401.06104).

score(k) = weight of k for the last query, mean over all heads of the layer: all heads keep the same tokens. Of a call
with several tokens only the last one's weights count, where the paper drops one token a step.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from agentmem.kv.policies.policy import Policy, Step, attention_mass


@dataclass(frozen=True)
class TOVA(Policy):
    """No window and no sinks of its own: the model's last look decides."""

    def score(self, step: Step) -> Tensor:
        """The last query's weights."""
        return attention_mass(step, 1).mean(dim=1, keepdim=True)
