"""An observation window: SnapKV (Li et al., arXiv 2404.14469).

score(k) = pooled sum of the last `window` queries' weights for k; the window itself is kept. Pooling takes the greatest
of `kernel` neighbours (the paper pools, its code averages or takes the maximum), so that what stands around a
looked-at token stays with it. The paper compresses the prompt once; here the last queries are remembered, so that
the budget also holds while text is generated. Defaults: window 32, kernel 7, within the paper's ranges.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.policies.policy import Policy, Step, attention_mass, sum_weights


@dataclass(frozen=True)
class SnapKV(Policy):
    """The last `window` queries decide."""

    window: int = 32
    kernel: int = 7

    def __post_init__(self) -> None:
        if self.window < 1 or self.kernel < 1 or self.kernel % 2 == 0:
            raise InvalidInputError(
                f"window is {self.window} and kernel {self.kernel}; both must be positive and the kernel odd"
            )
        # the window is kept: its tokens have not been looked at by later ones
        object.__setattr__(self, "recent", self.window)

    def observe(self, step: Step) -> None:
        """Remember the last queries."""
        before = step.layer.notes.get("queries")
        together = step.query if before is None else torch.cat([before, step.query], dim=2)
        step.layer.notes["queries"] = together[:, :, -self.window :].clone()
        step.layer.turning = ("queries",)

    def score(self, step: Step) -> Tensor:
        """The window's weights, pooled over neighbours."""
        queries = step.layer.notes["queries"]
        count = queries.shape[2]
        if count <= step.new:
            mass = attention_mass(step, count)
        else:
            at = torch.arange(step.layer.seen - count, step.layer.seen, device=queries.device)
            seen = step.positions[:, :, None] <= at[:, None]
            seen = seen if step.real is None else seen & step.real[:, :, None]
            mass = sum_weights(queries, step.layer.kv[0], seen, step.scaling)
        return torch.nn.functional.max_pool1d(mass, self.kernel, stride=1, padding=self.kernel // 2)
