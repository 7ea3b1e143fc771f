"""Attention that future queries are expected to pay: Expected Attention (Devoto et al., arXiv 2510.00636).

Queries before RoPE are taken as normal, N(m, S), and turned by the mean rotation over the next `future` positions:
m' = R m, S' = R S R^T. Then E exp(q.k / sqrt d) = exp(k.m' / sqrt d + k^T S' k / (2 d)), and
    score(k) = (softmax over held keys of that exponent + epsilon) * |v|,  mean over the query heads of a KV head.
The moments are of all queries so far. Defaults are the authors': 512 positions, 4 sinks, epsilon 0.02. The paper
compresses a prompt once; where the budget also holds while text is generated, what a far future looks at is not what
the next token needs, so here `recent_share` of the budget is the last tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import ops
from agentmem.kv.policies.policy import Policy, Step, protect


@dataclass(frozen=True)
class ExpectedAttention(Policy):
    """Moments of the queries, one matrix a query head."""

    future: int = 512
    sinks: int = 4
    epsilon: float = 0.02
    recent_share: float = 0.5
    turns = True

    def __post_init__(self) -> None:
        if self.future < 1 or self.epsilon < 0 or not 0 <= self.recent_share < 1:
            raise InvalidInputError(
                f"future is {self.future}, epsilon {self.epsilon} and recent_share {self.recent_share}; "
                "they must be at least 1, at least 0, and in [0, 1)"
            )

    def observe(self, step: Step) -> None:
        """Add the call's queries, turned back to before RoPE, to the moments."""
        plain = before_rope(step)
        if step.real is not None:
            plain = plain * step.real[:, :1, -step.new :, None]
        notes, count = step.layer.notes, counted(step)
        for name, added in (
            ("count", count),
            ("sum", plain.sum(dim=2)),
            ("outer", plain.transpose(2, 3) @ plain),
        ):
            notes[name] = notes[name] + added if name in notes else added

    def score(self, step: Step) -> Tensor:
        """Expected weight times the value's length."""
        notes, keys = step.layer.notes, step.layer.kv[0].float()
        count = notes["count"].clamp(min=1)[:, None, None]
        mean = notes["sum"] / count
        spread = notes["outer"] / count[..., None] - mean[..., None] * mean[..., None, :]
        turn = mean_rotation(step, self.future, keys.shape[-1])[:, None]
        mean, spread = (turn @ mean[..., None])[..., 0], turn @ spread @ turn.transpose(2, 3)
        keys = keys.repeat_interleave(mean.shape[1] // keys.shape[1], dim=1)
        expected = (keys @ mean[..., None])[..., 0] * step.scaling
        expected = expected + ((keys @ spread) * keys).sum(dim=-1) * (step.scaling**2 / 2)
        if step.real is not None:
            real = step.real.repeat_interleave(expected.shape[1] // step.real.shape[1], dim=1)
            expected = expected.masked_fill(~real, -torch.inf)
        heads, held = step.layer.kv[0].shape[1:3]
        weight = expected.softmax(dim=-1).view(-1, heads, mean.shape[1] // heads, held).mean(dim=2)
        lengths: Tensor = step.layer.kv[1].float().norm(dim=-1)
        return protect(step, (weight + self.epsilon) * lengths, 0, int(step.budget * self.recent_share))


def counted(step: Step) -> Tensor:
    """Real tokens of the call, `[B]` fp32."""
    if step.real is None:
        return torch.full((step.query.shape[0],), float(step.new), device=step.query.device)
    return step.real[:, 0, -step.new :].sum(dim=-1).float()


def before_rope(step: Step) -> Tensor:
    """The call's queries as they were before their rotation, fp32."""
    at = torch.arange(step.layer.end - step.new, step.layer.end, device=step.query.device)
    tables = ops.part("rope_tables")(step.inv_freq, (step.first[:, 0] - at).contiguous())
    turned: Tensor = ops.run("rotate", step.query.float().contiguous(), tables.cos, tables.sin)
    return turned


def mean_rotation(step: Step, future: int, dim: int) -> Tensor:
    """The mean of the rotations to the next positions: `[B, D, D]` fp32, the identity on channels that do not turn."""
    ahead = torch.arange(future, device=step.query.device)
    tables = ops.part("rope_tables")(step.inv_freq, step.layer.end - step.first[:, 0] + ahead)
    cos, sin = (table.mean(dim=1) for table in tables)
    half = step.inv_freq.numel()
    low, high = torch.arange(half), torch.arange(half, 2 * half)
    turn = torch.eye(dim, device=cos.device).repeat(cos.shape[0], 1, 1)
    turn[:, low, low] = turn[:, high, high] = cos
    turn[:, low, high], turn[:, high, low] = -sin, sin
    return turn
