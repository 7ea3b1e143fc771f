"""What leaves the window is folded into a state of fixed size that fades."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agentmem.evals import recaller, train_fading
from agentmem.evals.recaller_text import mixed

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies
from agentmem.kv.fading import FadingMaps, HeadMaps

from .test_block_retrieval import TEXT, told


def maps_of(layers: int, heads: int, dim: int, features: int = 6) -> FadingMaps:
    torch.manual_seed(0)
    return FadingMaps(
        torch.randn(layers, heads, dim, features),
        torch.randn(layers, heads, features),
        torch.rand(layers, heads) * 0.1 + 0.9,
        torch.randn(layers, heads),
    )


def test_a_state_is_the_decayed_sum_of_what_tokens_leave() -> None:
    maps = maps_of(1, 2, 4).layer(0)
    keys, values = torch.randn(1, 2, 5, 4), torch.randn(1, 2, 5, 3)

    state, total = maps.folded(keys, values)

    want, sums = torch.zeros(2, 6, 3), torch.zeros(2, 6)
    found = (keys[0] @ maps.weight + maps.shift[:, None]).exp()
    for token in range(5):
        want = want * maps.decay[:, None, None] + found[:, token, :, None] * values[0, :, token, None]
        sums = sums * maps.decay[:, None] + found[:, token]
    assert torch.allclose(state[0], want, atol=1e-5)
    assert torch.allclose(total[0], sums, atol=1e-5)


def test_reading_it_is_linear_attention_over_what_left() -> None:
    maps = HeadMaps(torch.randn(1, 4, 6), torch.zeros(1, 6), torch.ones(1), torch.tensor([0.5]))
    keys, values, query = torch.randn(1, 1, 5, 4), torch.randn(1, 1, 5, 4), torch.randn(1, 2, 3, 4)

    out, lse = maps.read(query, *maps.folded(keys, values))

    weight = maps.features(query) @ maps.features(keys).transpose(2, 3)
    assert torch.allclose(out, weight / weight.sum(-1, keepdim=True) @ values, atol=1e-5)
    assert torch.allclose(lse, weight.sum(-1).log() + 0.5, atol=1e-5)


def test_the_policy_reads_a_text_as_training_did() -> None:
    """Page by page the cache gives the logits of the differentiable reading of the whole text."""
    model, learner = recaller.model(), train_fading.Learner.fresh(2, 2, 32)
    ids = torch.from_numpy(mixed(np.random.default_rng(1), 4 + 5 * 64, 16, last=True).ids)[None]

    with torch.no_grad(), train_fading.training(model, learner):
        want = model(ids, use_cache=False).logits
    with torch.no_grad(), attach(model, policies.FadingState(learner.maps()), budget_tokens=68):
        parts, cache = [], None
        for part in ids.split([68, *[64] * 4], dim=1):
            out = model(part, past_key_values=cache)
            cache = out.past_key_values
            parts.append(out.logits)

    assert torch.allclose(torch.cat(parts, dim=1), want, atol=2e-3)


def test_what_is_held_does_not_grow_with_the_text(models: Any) -> None:
    policy = policies.FadingState(maps_of(4, 2, 16))

    one = told(models(), policy, [50] * 4, budget=20)[1]
    two = told(models(), policy, [50] * 5 + [14], budget=20)[1]

    assert one.physical_tokens == two.physical_tokens
    assert one.size_bytes == two.size_bytes


def test_beams_take_their_state_along(models: Any) -> None:
    asked = {"max_new_tokens": 4, "num_beams": 3, "do_sample": False}
    mask = torch.ones(1, 150, dtype=torch.int64)

    with attach(models(), policies.FadingState(maps_of(4, 2, 16)), budget_tokens=20):
        out = models().generate(TEXT[:1, :150], attention_mask=mask, **asked)

    assert out.shape == (1, 154)


def test_the_packaged_maps_give_back_some_of_what_the_window_lost() -> None:
    model, maps = recaller.model(), recaller.fading_maps()

    with_state = train_fading.worth(model, maps, texts=6)
    alone = train_fading.worth(model, train_fading.silenced(maps), texts=6)

    assert with_state.recalled > alone.recalled + 0.1
    assert with_state.apart < 0.95 * alone.apart


def test_maps_are_kept_and_read_back(tmp_path: Path) -> None:
    maps = maps_of(2, 2, 4)

    maps.save(tmp_path / "fading.safetensors")

    back = FadingMaps.load(tmp_path / "fading.safetensors")
    assert torch.equal(back.weight, maps.weight)
    assert torch.equal(back.decay, maps.decay)


def test_the_maps_of_another_model_are_refused(models: Any) -> None:
    with pytest.raises(InvalidInputError, match="train its own"):
        told(models(), policies.FadingState(maps_of(2, 2, 32)), [200], budget=20)
