"""Far pages go down in precision so that all fits in the budget's bytes."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies
from agentmem.kv.tiers import STEPS, Tier, Tiers, page_errors

from .test_block_retrieval import TEXT, told

BYTES = {8: 80, 4: 48, 2: 32, 0: 0}


def tiers_of(mass: list[float], errors: list[list[float]]) -> Tiers:
    tier = Tier(torch.arange(len(mass)), torch.tensor(mass), torch.tensor(errors))
    return Tiers({8: tier}, {bits: BYTES[bits] for bits in (8, 4, 2)})


def distortion(mass: list[float], errors: list[list[float]], steps: tuple[int, ...]) -> float:
    return sum(m * e[step] for m, e, step in zip(mass, errors, steps, strict=True))


@given(
    mass=st.lists(st.floats(0.1, 10.0), min_size=1, max_size=4),
    spare=st.integers(0, 320),
    first=st.floats(0.001, 0.01),
)
def test_what_falls_fits_and_no_other_choice_of_those_bytes_loses_less(
    mass: list[float], spare: int, first: float
) -> None:
    """With errors that grow faster than bytes fall, greedy steps are on the convex hull: the best for their bytes."""
    errors = [[first, 20 * first, 60 * first, 2.0]] * len(mass)

    moves = tiers_of(mass, errors).falling(spare)

    step = [0] * len(mass)
    for (_, to), places in moves.items():
        for place in places:
            step[place] = STEPS.index(to)
    taken = sum(BYTES[STEPS[one]] for one in step)
    rivals = [
        distortion(mass, errors, other)
        for other in product(range(4), repeat=len(mass))
        if sum(BYTES[STEPS[one]] for one in other) <= taken
    ]
    assert taken <= max(spare, 0)
    assert distortion(mass, errors, tuple(step)) <= min(rivals) * (1 + 1e-4) + 1e-6


def test_the_page_that_was_looked_at_least_falls_first() -> None:
    held = tiers_of([5.0, 1.0, 9.0], [[0.01, 0.1, 0.5, 2.0]] * 3)

    assert held.falling(3 * 80 - 1) == {(8, 4): [1]}


def test_errors_are_shares_of_each_page() -> None:
    whole = torch.ones(1, 1, 4, 2)
    coded = torch.tensor([1.0, 1.0, 0.5, 0.5])[None, None, :, None].expand(1, 1, 4, 2)

    assert page_errors((whole, whole), (coded, whole), 2).tolist() == [0.0, 0.25]


def held_bytes(model: Any, budget: int, tokens: int) -> int:
    with torch.no_grad(), attach(model, policies.PrecisionTiers(), budget_tokens=budget) as attached:
        cache = None
        for part in TEXT[:1, :tokens].split(50, dim=1):
            cache = model(part, past_key_values=cache).past_key_values
        return attached.stats().size_bytes


def test_what_is_held_does_not_grow_with_the_text(models: Any) -> None:
    """Beside the budget: 63 tokens that wait, and bookkeeping."""
    token = 4 * 2 * 2 * 16 * 4
    slack = 63 * token + (60 // 2 + 63) * 4 * 12

    assert held_bytes(models(), 60, 200) <= 60 * token + slack
    assert held_bytes(models(), 60, 300) <= 60 * token + slack


def test_with_room_for_8_bits_little_is_lost(models: Any) -> None:
    logits, _ = told(models(), policies.PrecisionTiers(window_share=0.1), [100, 60, 1, 1], budget=160)

    want, _ = told(models(), policies.Full(), [100, 60, 1, 1])
    assert float((logits - want).abs().max()) <= 0.05 * float(want.abs().max())


def test_every_tier_stands_where_its_tokens_stood(models: Any) -> None:
    policy = policies.PrecisionTiers(window_share=0.1)
    with torch.no_grad(), attach(models(), policy, budget_tokens=70):
        cache = None
        for part in TEXT[:1].split(50, dim=1):
            cache = models()(part, past_key_values=cache).past_key_values
        cache_layer = cache.layers[0]
    with torch.no_grad():
        whole = models()(TEXT[:1]).past_key_values.layers[0]

    tiers = cache_layer.far
    keys, _, _ = policy.far(cache_layer).laid_out(torch.randn(1, 4, 1, 16))

    places = torch.cat([tier.positions for tier in tiers.held.values()])
    at = (places[:, None] + torch.arange(64)).flatten()
    assert len(tiers.held) >= 2
    assert alike(keys, whole.keys[:, :, at]) > 0.9


def alike(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@pytest.mark.parametrize("wrong", [{"window_share": 0.0}, {"window_share": 1.0}, {"sinks": -1}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError, match="they must be"):
        policies.PrecisionTiers(**wrong)
