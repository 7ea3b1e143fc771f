"""What a budget and a reach come to for a model and a policy, or why they cannot be."""

from __future__ import annotations

from typing import Any

from agentmem.errors import InvalidInputError
from agentmem.kv.policies import Policy
from agentmem.kv.support import Shape

BOOKKEEPING = 8
"""Bytes a token and KV head: its position and its score."""


def resolve_budget(
    model: Any, shape: Shape, policy: Policy, budget_tokens: int | None, budget_bytes: int | None
) -> int | None:
    """Tokens a layer may hold for each sequence.

    Raises:
        InvalidInputError: two budgets, one that is not positive, or one that the policy cannot work in.
    """
    if budget_tokens is not None and budget_bytes is not None:
        raise InvalidInputError("give budget_tokens or budget_bytes, not both")
    for name, value in (("budget_tokens", budget_tokens), ("budget_bytes", budget_bytes)):
        if value is not None and value < 1:
            raise InvalidInputError(f"{name} is {value}, must be positive")
    if budget_bytes is not None:
        element = next(model.parameters()).element_size()
        per_token = (
            shape.kv_heads * (2 * shape.head_dim * element + BOOKKEEPING) * max(1, len(shape.full_layers))
        )
        budget_tokens = budget_bytes // per_token
        if budget_tokens == 0:
            raise InvalidInputError(
                f"budget_bytes is {budget_bytes}; one token of this model takes {per_token}"
            )
    return policy.tokens(budget_tokens)


def check_reach(policy: Policy, budget: int | None, reach: int | None) -> None:
    """Refuse a reach that the policy cannot keep.

    Raises:
        InvalidInputError: nothing is let go, or not enough, or held tokens cannot be moved.
    """
    if reach is None:
        return
    if budget is None or reach <= budget:
        raise InvalidInputError(
            f"reach is {reach} and the budget {'without limit' if budget is None else f'{budget} tokens'}: "
            "a reach needs a policy with a budget below it"
        )
    if not policy.movable:
        raise InvalidInputError(
            f"{type(policy).__name__} keeps far keys at their positions, so held tokens cannot be moved: "
            "use another policy with reach"
        )
