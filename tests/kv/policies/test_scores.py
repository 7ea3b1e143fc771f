"""Each policy's score is its formula."""

from __future__ import annotations

import math

import pytest
import torch

from agentmem.errors import InvalidInputError
from agentmem.kv import policies
from agentmem.kv.policies.expected_attention import before_rope, mean_rotation
from agentmem.kv.policies.policy import sum_weights

from .conftest import MakeStep


def test_sinks_and_recent_are_what_their_names_say(fed: MakeStep) -> None:
    slots = policies.SinkRecent(sinks=2, recent=3).slots(fed(9, budget=5))

    assert slots.tolist() == [[[0, 1, 6, 7, 8]]]


def test_heavy_hitters_add_up_what_every_query_gave(fed: MakeStep) -> None:
    policy, first = policies.H2O(recent_share=0.0), fed(6)
    policy.observe(first)
    second = fed(3, again=True)
    policy.observe(second)

    keys = second.layer.kv[0]
    early = sum_weights(first.query, keys[:, :, :6], torch.ones(6, 6).tril().bool()[None, None], 0.25)
    late = sum_weights(second.query, keys, torch.ones(3, 9).tril(6).bool()[None, None], 0.25)
    want = torch.nn.functional.pad(early, (0, 3)) + late
    assert torch.allclose(policy.score(second), want, atol=1e-5)


def test_heavy_hitters_leave_half_the_budget_to_the_last_tokens(fed: MakeStep) -> None:
    policy, step = policies.H2O(), fed(20, budget=8)
    policy.observe(step)

    slots = policy.slots(step)

    assert slots.shape == (1, 2, 8)
    assert slots[0, :, 4:].tolist() == [[16, 17, 18, 19]] * 2


def test_tova_asks_the_last_query_of_all_heads(fed: MakeStep) -> None:
    step = fed(6)

    score = policies.TOVA().score(step)

    keys = step.layer.kv[0].repeat_interleave(2, dim=1)
    weight = (step.query[:, :, -1:] @ keys.transpose(2, 3) * 0.25).softmax(dim=-1)
    assert torch.allclose(score[0, 0], weight[0, :, 0].sum(dim=0) / 2, atol=1e-6)


def test_snapkv_pools_the_weights_of_its_window_over_neighbours(fed: MakeStep) -> None:
    policy, step = policies.SnapKV(window=2, kernel=3), fed(7)
    policy.observe(step)

    score = policy.score(step)

    table = torch.ones(2, 7).tril(5).bool()[None, None]
    mass = sum_weights(step.query[:, :, -2:], step.layer.kv[0], table, 0.25)
    assert torch.allclose(score[..., 3], mass[..., 2:5].amax(dim=-1), atol=1e-6)
    assert torch.allclose(score[..., 0], mass[..., :2].amax(dim=-1), atol=1e-6)


def test_snapkv_keeps_asking_the_queries_of_earlier_calls(fed: MakeStep) -> None:
    policy, first = policies.SnapKV(window=3, kernel=1), fed(5)
    policy.observe(first)
    second = fed(1, again=True)
    policy.observe(second)

    score = policy.score(second)

    queries = torch.cat([first.query[:, :, -2:], second.query], dim=2)
    want = sum_weights(queries, second.layer.kv[0], torch.ones(3, 6).tril(3).bool()[None, None], 0.25)
    assert torch.allclose(score, want, atol=1e-6)


def test_entropy_keeps_what_surprised_and_fades_at_each_turn(fed: MakeStep) -> None:
    policy = policies.TokenEntropy(sinks=1, recent_share=0.0, decay=0.5)
    policy.observe(fed(3, surprise=torch.tensor([[1.0, 8.0, 2.0]])))
    policy.observe(fed(1, again=True, surprise=torch.tensor([[3.0]])))
    last = fed(2, again=True, budget=3, surprise=torch.tensor([[6.0, 0.1]]))
    policy.observe(last)

    assert last.layer.scores.tolist() == [[[0.5, 4.0, 1.0, 1.5, 6.0, pytest.approx(0.1)]]]
    assert policy.slots(last).tolist() == [[[0, 1, 4]]]


def test_queries_are_turned_back_to_before_their_rotation(fed: MakeStep) -> None:
    plain, frequencies = torch.randn(1, 4, 6, 16), 100.0 ** -(torch.arange(8) / 8)
    angle = torch.arange(6)[:, None] * frequencies
    low, high = plain.chunk(2, dim=-1)
    turned = torch.cat(
        [low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()], dim=-1
    )

    assert torch.allclose(before_rope(fed(6, query=turned)), plain, atol=1e-5)


def test_mean_rotation_of_one_position_is_its_rotation(fed: MakeStep) -> None:
    step = fed(5)

    turn = mean_rotation(step, 1, 20)

    assert turn[0, 0, 0] == pytest.approx(math.cos(5.0))
    assert turn[0, 8, 0] == pytest.approx(math.sin(5.0))
    assert torch.equal(turn[0, 16:, 16:], torch.eye(4))


def test_expected_attention_is_the_mean_over_queries_drawn_from_the_moments(fed: MakeStep) -> None:
    """The closed form against 200,000 draws, at one future position."""
    policy, step = (
        policies.ExpectedAttention(future=1, epsilon=0.0, recent_share=0.0),
        fed(40, query=0.5 * torch.randn(1, 4, 40, 16)),
    )
    policy.observe(step)

    score = policy.score(step)

    plain = before_rope(step)[0, 0]
    mean, spread = plain.mean(dim=0), torch.cov(plain.T, correction=0)
    draws = torch.distributions.MultivariateNormal(mean, spread + 1e-6 * torch.eye(16)).sample((200_000,))
    paid = (draws @ mean_rotation(step, 1, 16)[0].T @ step.layer.kv[0][0, 0].T * 0.25).exp().mean(dim=0)
    heads = policies.ExpectedAttention(future=1, epsilon=0.0, recent_share=0.0)
    alone = fed(40, k=step.layer.kv[0], v=step.layer.kv[1], query=step.query[:, [0, 0, 2, 2]])
    heads.observe(alone)
    want = paid / paid.sum() * step.layer.kv[1][0, 0].norm(dim=-1)
    assert score.shape == (1, 2, 40)
    assert torch.allclose(heads.score(alone)[0, 0], want, rtol=0.05)


def test_expected_attention_leaves_half_the_budget_to_the_last_tokens(fed: MakeStep) -> None:
    """Without them a model that writes on loses the words it has just read."""
    policy, step = policies.ExpectedAttention(sinks=1), fed(20, budget=8)
    policy.observe(step)

    slots = policy.slots(step)

    assert slots[0, :, 0].tolist() == [0, 0]
    assert slots[0, :, 4:].tolist() == [[16, 17, 18, 19]] * 2


def test_expected_attention_does_not_count_padding(fed: MakeStep) -> None:
    policy = policies.ExpectedAttention()
    real = torch.tensor([[[False] * 4 + [True] * 6]])
    step = fed(10, real=real, first=torch.tensor([[[4]]]))
    policy.observe(step)

    assert step.layer.notes["count"].tolist() == [6.0]
    assert torch.allclose(step.layer.notes["sum"], before_rope(step)[:, :, 4:].sum(dim=2), atol=1e-5)


def test_rungs_of_the_ladder_hold_different_runs_and_span_everything(fed: MakeStep) -> None:
    ladder = policies.Ladder(rungs=2, run=2, sinks=0, recent_share=0.0)

    lower = ladder.slots(fed(8, budget=4, index=0, depth=4))
    upper = ladder.slots(fed(8, budget=4, index=3, depth=4))

    assert lower.tolist() == [[[0, 1, 4, 5]]]
    assert upper.tolist() == [[[2, 3, 6, 7]]]


def test_the_past_thins_out_on_the_ladder(fed: MakeStep) -> None:
    """Of four runs, the second round keeps the one that lies on the rung twice."""
    ladder = policies.Ladder(rungs=2, run=1, sinks=0, recent_share=0.0)

    assert ladder.slots(fed(8, budget=2, index=3, depth=4)).tolist() == [[[3, 7]]]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: policies.H2O(recent_share=1.0),
        lambda: policies.SnapKV(kernel=4),
        lambda: policies.TokenEntropy(decay=0.0),
        lambda: policies.ExpectedAttention(future=0),
        lambda: policies.Ladder(rungs=1),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidInputError):
        wrong()  # type: ignore[operator]
