from __future__ import annotations

from dataclasses import dataclass

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem.kv.layer import KVLayer
from agentmem.kv.policies import Policy, Step
from agentmem.kv.policies.policy import attention_mass, protect, sum_weights

from .conftest import MakeStep


@dataclass(frozen=True)
class Given(Policy):
    """Scores from a list."""

    values: tuple[float, ...] = ()
    sinks: int = 0
    recent: int = 0

    def score(self, step: Step) -> torch.Tensor:
        return torch.tensor(self.values)[None, None]


def test_the_highest_scores_stay_in_the_order_of_their_positions(fed: MakeStep) -> None:
    slots = Given((5.0, 1.0, 4.0, 2.0, 3.0)).slots(fed(5, budget=3))

    assert slots.tolist() == [[[0, 2, 4]]]


def test_sinks_and_recent_tokens_stay_whatever_they_score(fed: MakeStep) -> None:
    slots = Given((0.0, 9.0, 8.0, 7.0, 0.0), sinks=1, recent=1).slots(fed(5, budget=3))

    assert slots.tolist() == [[[0, 1, 4]]]


def test_of_equal_scores_the_later_stays(fed: MakeStep) -> None:
    assert Given((1.0, 1.0, 1.0, 2.0)).slots(fed(4, budget=2)).tolist() == [[[2, 3]]]


def test_padding_goes_first_and_sinks_come_after_it(fed: MakeStep) -> None:
    real = torch.tensor([[[False, False, True, True, True, True]]])
    step = fed(6, budget=2, real=real, first=torch.tensor([[[2]]]))

    assert Given((9.0, 9.0, 1.0, 2.0, 3.0, 4.0), sinks=1).slots(step).tolist() == [[[2, 5]]]


def test_a_score_that_is_no_number_counts_as_nothing(fed: MakeStep) -> None:
    score = protect(fed(4), torch.tensor([[[torch.nan, torch.inf, -torch.inf, 1.0]]]), 0, 0)

    assert score[0, 0, 0] == 0
    assert score.isfinite().all()


def test_mass_is_one_for_each_query_and_head(fed: MakeStep) -> None:
    step = fed(12)

    mass = attention_mass(step, 5)

    assert torch.allclose(mass.sum(dim=-1), torch.full((1, 2), 10.0), atol=1e-4)
    assert (mass[:, :, 7:] > 0).all()


def test_mass_is_the_same_with_and_without_a_table_of_who_sees_whom(fed: MakeStep) -> None:
    step = fed(30)
    table = torch.ones(30, 30, dtype=torch.bool).tril()[None, None]

    assert torch.allclose(
        attention_mass(step), sum_weights(step.query, step.layer.kv[0], table, 0.25), atol=1e-5
    )


def test_a_query_that_sees_nothing_gives_nothing() -> None:
    mass = sum_weights(
        torch.randn(1, 2, 3, 4), torch.randn(1, 1, 5, 4), torch.zeros(1, 1, 3, 5, dtype=torch.bool), 1.0
    )

    assert (mass == 0).all()


@settings(max_examples=25)
@given(
    calls=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    budget=st.integers(1, 8),
    seed=st.integers(0, 2**31),
)
def test_what_is_held_is_always_what_came_at_those_positions(
    calls: list[int], budget: int, seed: int
) -> None:
    """Keys stay with their positions through any calls and evictions, per head."""
    torch.manual_seed(seed)
    layer, total = KVLayer(), sum(calls)
    keys, values = torch.randn(2, 3, total, 4), torch.randn(2, 3, total, 4)

    feed(layer, keys, values, calls, budget)

    at = layer.positions.expand(-1, 3, -1).long()[..., None].expand(-1, -1, -1, 4)
    assert torch.equal(layer.keys, keys.gather(2, at))
    assert torch.equal(layer.values, values.gather(2, at))
    assert (layer.positions.diff(dim=-1) > 0).all()
    assert layer.held == min(budget, total)
    assert layer.seen == total


def feed(layer: KVLayer, keys: torch.Tensor, values: torch.Tensor, calls: list[int], budget: int) -> None:
    """Give the layer its tokens call by call, and let random ones go."""
    for k, v in zip(keys.split(calls, dim=2), values.split(calls, dim=2), strict=True):
        layer.update(k, v)
        if layer.held > budget:
            layer.keep(torch.rand(2, 3, layer.held).topk(budget).indices.sort().values)
