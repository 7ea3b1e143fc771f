"""A text longer than the model's positions: what is held moves, and no token passes the reach."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies
from agentmem.kv.layer import KVLayer

from .conftest import build

TEXT = torch.randint(3, 97, (2, 240), generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def fed(model: Any, policy: policies.Policy, calls: list[int], *, reach: int | None, budget: int) -> Any:
    """The cache after a text was fed in calls of these lengths, and the positions that the model was given."""
    given: list[Tensor] = []
    rotary = model.get_decoder().rotary_emb
    hook = rotary.register_forward_pre_hook(
        lambda _, args, kwargs: given.append(kwargs["position_ids"] if "position_ids" in kwargs else args[1]),
        with_kwargs=True,
    )
    cache, at = None, 0
    with attach(model, policy, budget_tokens=budget, reach=reach):
        for length in calls:
            cache = model(TEXT[:1, at : at + length], past_key_values=cache).past_key_values
            at += length
    hook.remove()
    return cache, torch.cat([part.flatten() for part in given])


@pytest.mark.parametrize(
    "policy",
    [
        policies.SinkRecent(),
        policies.H2O(),
        policies.TOVA(),
        policies.Ladder(),
        policies.SnapKV(window=8),
        policies.ExpectedAttention(future=16),
    ],
    ids=repr,
)
def test_no_token_passes_the_reach(models: Any, policy: policies.Policy) -> None:
    cache, positions = fed(models(), policy, [10] * 24, reach=50, budget=30)

    assert int(positions.max()) == 49
    assert cache.get_seq_length() == 240
    assert cache.layers[0].places.max() < 50


def test_within_the_reach_nothing_changes(models: Any) -> None:
    plain, _ = fed(models(), policies.SinkRecent(), [10] * 24, reach=None, budget=30)
    reached, _ = fed(models(), policies.SinkRecent(), [10] * 24, reach=240, budget=30)

    assert torch.equal(plain.layers[3].keys, reached.layers[3].keys)


def test_what_is_held_stands_without_gaps_as_if_it_had_come_there(models: Any) -> None:
    """Of the first layer, whose keys depend on a token and its position alone."""
    cache, _ = fed(models(), policies.SinkRecent(), [20] * 10, reach=60, budget=30)
    layer = cache.layers[0]

    held = TEXT[:1, layer.positions[0, 0].long()]
    with torch.no_grad():
        alone = models()(held, position_ids=layer.places[0].long()).past_key_values.layers[0]

    assert layer.places[0, 0].diff().tolist() == [1] * 3 + [21] + [1] * 25
    assert torch.allclose(layer.keys, alone.keys, atol=1e-4)
    assert torch.allclose(layer.values, alone.values, atol=1e-5)


def test_remembered_queries_move_with_their_tokens(models: Any) -> None:
    """SnapKV's window of the first layer, whose queries depend on a token and its position alone."""
    cache, _ = fed(models(), policies.SnapKV(window=8), [20] * 10, reach=60, budget=30)
    layer, module = cache.layers[0], models().model.layers[0]

    with torch.no_grad():
        states = module.input_layernorm(models().model.embed_tokens(TEXT[:1, 192:200]))
        plain = module.self_attn.q_proj(states).view(1, 8, 4, 16).transpose(1, 2)
        cos, sin = models().model.rotary_emb(plain, layer.places[0, :1, -8:].long())
    low, high = plain.chunk(2, dim=-1)
    want = plain * cos[:, None] + torch.cat([-high, low], dim=-1) * sin[:, None]

    assert torch.allclose(layer.notes["queries"], want, atol=1e-3)


def test_queries_are_the_same_before_their_rotation_wherever_they_stand(models: Any) -> None:
    """Expected Attention's moments in the first layer, which know tokens and no positions."""
    policy = policies.ExpectedAttention(future=16)
    plain, _ = fed(models(), policy, [20] * 10, reach=None, budget=30)
    reached, _ = fed(models(), policy, [20] * 10, reach=60, budget=30)

    far, near = plain.layers[0].notes, reached.layers[0].notes
    assert reached.layers[0].end <= 60
    assert torch.allclose(near["sum"], far["sum"], rtol=1e-4, atol=1e-3)
    assert torch.allclose(near["outer"], far["outer"], rtol=1e-4, atol=1e-2)


def test_heads_that_hold_different_tokens_move_each_by_its_own() -> None:
    torch.manual_seed(0)
    layer, inv_freq = KVLayer(), 100.0 ** -(torch.arange(4) / 4)
    layer.update(torch.randn(1, 2, 6, 8), torch.randn(1, 2, 6, 8))
    layer.keep(torch.tensor([[[0, 2, 5], [1, 3, 4]]]))
    before = layer.keys.clone()

    layer.move(3, inv_freq)

    by = torch.tensor([[0, -1, -3], [-1, -2, -2]])
    angle = by[..., None] * inv_freq
    low, high = before[0].chunk(2, dim=-1)
    want = torch.cat([low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()], -1)
    assert layer.places.tolist() == [[[0, 1, 2]] * 2]
    assert layer.positions.tolist() == [[[0, 2, 5], [1, 3, 4]]]
    assert torch.allclose(layer.keys[0], want, atol=1e-5)
    assert torch.equal(layer.keys[0, 0, 0], before[0, 0, 0])


def test_a_layer_with_a_window_of_its_own_keeps_its_distances() -> None:
    """Gemma's sliding layers hold fewer tokens, right before the next one."""
    model = build("gemma3")

    cache, positions = fed(model, policies.SinkRecent(), [10] * 24, reach=50, budget=30)

    sliding = cache.layers[0]
    assert int(positions.max()) == 49
    assert sliding.places[0, 0].tolist() == list(range(sliding.next_place - 11, sliding.next_place))


def test_generate_goes_past_the_reach(models: Any) -> None:
    with attach(models(), policies.SinkRecent(), budget_tokens=30, reach=50) as attached:
        out = models().generate(
            TEXT[:, :40], attention_mask=torch.ones(2, 40), max_new_tokens=60, do_sample=False
        )

    assert out.shape == (2, 100)
    assert attached.stats().logical_tokens == 99


@pytest.mark.parametrize(
    ("policy", "budget", "reach", "why"),
    [
        (policies.Full(), None, 100, "needs a policy with a budget"),
        (policies.SinkRecent(), 100, 100, "needs a policy with a budget"),
        (policies.ClusteredRetrieval(), 50, 100, "cannot be moved"),
        (policies.BlockRetrieval(), 50, 100, "cannot be moved"),
    ],
    ids=["full", "too short", "clusters", "pages"],
)
def test_a_reach_that_cannot_be_kept_is_refused(
    models: Any, policy: Any, budget: int | None, reach: int, why: str
) -> None:
    with (
        pytest.raises(InvalidInputError, match=why),
        attach(models(), policy, budget_tokens=budget, reach=reach),
    ):
        pass


def test_a_call_longer_than_the_room_is_refused(models: Any) -> None:
    with pytest.raises(InvalidInputError, match="feed fewer tokens a call"):
        fed(models(), policies.SinkRecent(), [40, 40], reach=50, budget=30)


def test_padding_is_refused(models: Any) -> None:
    mask = torch.ones(2, 20, dtype=torch.int64)
    mask[0, :3] = 0

    with (
        attach(models(), policies.SinkRecent(), budget_tokens=10, reach=50),
        pytest.raises(InvalidInputError, match="takes no padding"),
    ):
        models()(TEXT[:, :20], attention_mask=mask)
