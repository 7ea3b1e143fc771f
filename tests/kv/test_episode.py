"""An episode's pages, to named arrays and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from agentmem.errors import CorruptLatentError
from agentmem.kv.capture import Captured, capture, unrotated
from agentmem.kv.episode import EpisodeKV, arrays, coded, from_latent, layout
from agentmem.kv.support import Shape, shape_of
from agentmem.latents import Latent, LatentRef

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def shape_with(dim: int, rotary: int) -> Shape:
    return Shape(
        windows=(None, 8, None),
        frequencies=(100.0 ** -(torch.arange(rotary // 2) / rotary),) * 3,
        kv_heads=2,
        head_dim=dim,
    )


def captured(tokens: int, dim: int, dtype: torch.dtype) -> Captured:
    torch.manual_seed(tokens)
    noise = [torch.randn(1, 2, tokens, dim).to(dtype) for _ in range(4)]
    return Captured((noise[0], noise[1]), (noise[2], noise[3]))


def kept(episode: EpisodeKV) -> Latent:
    """As a latent store gives it back."""
    tensors, types, words = arrays(episode)
    ref = LatentRef(("n",), episode.id, episode.fingerprint, layout(4), "sha", 1, WHEN)
    named = {
        name: types.get(name, {"u": "U8", "i": "I32", "f": "F32"}[a.dtype.kind])
        for name, a in tensors.items()
    }
    named |= {name: "F16" for name, array in tensors.items() if array.dtype.name == "float16"}
    for array in tensors.values():
        array.flags.writeable = False
    return Latent(ref, tensors, named, words)


@settings(max_examples=25, deadline=None)
@given(
    tokens=st.sampled_from([1, 63, 64, 65, 130]),
    bits=st.sampled_from([2, 4, 8, 16]),
    dtype=st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    rotary=st.sampled_from([32, 16]),
)
def test_kept_episode_comes_back_bit_for_bit(tokens: int, bits: int, dtype: torch.dtype, rotary: int) -> None:
    episode = coded("e", range(tokens), captured(tokens, 32, dtype), shape_with(32, rotary), bits, "f")

    back = from_latent(kept(episode))

    assert back.token_ids.tolist() == list(range(tokens))
    assert (back.id, back.fingerprint, back.sha256, back.tokens) == ("e", "f", "sha", tokens)
    assert all(torch.equal(a, b) for a, b in zip(back.k + back.v, episode.k + episode.v, strict=True))
    assert back.size_bytes == episode.size_bytes


@pytest.mark.parametrize("rotary", [32, 16])
def test_sixteen_bits_are_the_models_own_numbers(rotary: int) -> None:
    found = captured(70, 32, torch.bfloat16)

    episode = coded("e", range(70), found, shape_with(32, rotary), 16, "")

    assert all(torch.equal(k, want.float()) for k, want in zip(episode.k, found.keys, strict=True))
    assert all(torch.equal(v, want.float()) for v, want in zip(episode.v, found.values, strict=True))


def test_fewer_bits_take_fewer_bytes_and_are_further_off() -> None:
    found, shape = captured(640, 64, torch.float32), shape_with(64, 64)
    made = [coded("e", range(640), found, shape, bits, "") for bits in (16, 8, 4, 2)]

    errors = [float((one.k[0] - found.keys[0]).norm() / found.keys[0].norm()) for one in made]
    sizes = [one.size_bytes for one in made]

    assert errors == sorted(errors)
    assert errors[1] < 0.01
    assert errors[2] < 0.1
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("lost", ["token_ids", "k", "v_scale"])
def test_arrays_that_do_not_belong_together_are_damage(lost: str) -> None:
    latent = kept(coded("e", range(5), captured(5, 32, torch.float32), shape_with(32, 32), 4, ""))
    tensors = {name: array for name, array in latent.tensors.items() if name != lost}

    with pytest.raises(CorruptLatentError, match="'e' is damaged"):
        from_latent(replace(latent, tensors=tensors))


def test_chunks_give_what_one_call_gives(models: Any) -> None:
    model = models("qwen3")
    shape, text = shape_of(model), torch.arange(3, 60).tolist()

    whole = capture(model, shape, (1,), text, 2048)
    by_eight = capture(model, shape, (1,), text, 8)

    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(whole.keys, by_eight.keys, strict=True))
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(whole.values, by_eight.values, strict=True))


def test_layers_with_a_window_are_not_kept(models: Any) -> None:
    model = models("gemma3")

    found = capture(model, shape_of(model), (1,), list(range(3, 40)), 16)

    assert len(found.keys) == len(found.values) == 2
    assert found.keys[0].shape == (1, 2, 37, 16)


def test_positions_are_taken_out_of_the_keys(models: Any) -> None:
    """The same words behind another prefix length have the same first-layer keys."""
    model = models()
    shape, text = shape_of(model), list(range(3, 40))

    near, far = (capture(model, shape, prefix, text, 64) for prefix in ((1,), (1,) * 30))

    assert torch.allclose(near.keys[0], far.keys[0], atol=1e-4)


def test_turning_back_a_million_positions_leaves_the_rounding_of_fp32() -> None:
    inv_freq = 10_000.0 ** -(torch.arange(16) / 16)
    plain: Tensor = torch.randn(1, 1, 3, 32)
    positions = torch.tensor([999_998, 999_999, 1_000_000])
    angle = positions.double()[:, None] * inv_freq.double()
    low, high = plain.double().chunk(2, dim=-1)
    turned = torch.cat([low * angle.cos() - high * angle.sin(), high * angle.cos() + low * angle.sin()], -1)

    back = unrotated(turned.float(), inv_freq, positions)

    assert torch.allclose(back, plain, atol=1e-6)
