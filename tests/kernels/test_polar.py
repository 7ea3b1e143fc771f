from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelShapeError
from agentmem.kernels.polar import polar_encode, polar_scores
from agentmem.kernels.polar_code import random_rotation
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=10)
@given(
    tokens=st.integers(1, 80),
    dim=st.sampled_from([64, 80, 128]),
    bits=st.sampled_from([2, 4]),
    outlier=st.sampled_from([1.0, 30.0]),
    seed=st.integers(0, 2**31),
)
def test_code_keeps_the_key_whatever_its_channels(
    tokens: int, dim: int, bits: int, outlier: float, seed: int
) -> None:
    """The random rotation spreads an outlier channel, so that one codebook serves all keys."""
    torch.manual_seed(seed)
    k, rotation = torch.randn(1, 1, tokens, dim), random_rotation(dim, seed=seed)
    k[..., 3] *= outlier

    keys = polar_encode(k, rotation, bits=bits)

    back = reference.polar_decode(keys, rotation, bits=bits)
    kept = torch.nn.functional.cosine_similarity(back, k, dim=-1)
    assert float(kept.mean()) > (0.99 if bits == 4 else 0.92)
    assert float(kept.min()) > (0.98 if bits == 4 else 0.80)


def test_scores_are_the_products_with_the_decoded_keys() -> None:
    q, k, rotation = torch.randn(1, 8, 2, 96), torch.randn(1, 2, 70, 96), random_rotation(96)
    keys = polar_encode(k, rotation)

    got = polar_scores(q, keys, rotation, scale=0.5)

    back = reference.polar_decode(keys, rotation).repeat_interleave(4, dim=1)
    assert torch.allclose(got, 0.5 * q @ back.transpose(2, 3), atol=2e-2)


def test_key_of_zeros_scores_zero_and_one_of_nans_scores_nan() -> None:
    k, rotation = torch.randn(1, 1, 3, 64), random_rotation(64)
    k[0, 0, 0] = 0.0
    k[0, 0, 1, 7] = torch.nan

    got = polar_scores(torch.randn(1, 1, 1, 64), polar_encode(k, rotation), rotation)[0, 0, 0]

    assert float(got[0]) == 0.0
    assert got.isnan().tolist() == [False, True, False]


def test_a_byte_holds_two_channels_or_four() -> None:
    k, rotation = torch.randn(1, 1, 5, 128), random_rotation(128)

    assert polar_encode(k, rotation, bits=4).codes.shape == (1, 1, 5, 64)
    assert polar_encode(k, rotation, bits=2).codes.shape == (1, 1, 5, 32)


def test_no_tokens_are_no_codes_and_no_scores() -> None:
    rotation = random_rotation(64)
    keys = polar_encode(torch.randn(1, 1, 0, 64), rotation)

    assert polar_scores(torch.randn(1, 1, 1, 64), keys, rotation).shape == (1, 1, 1, 0)


def test_wrong_operands_are_refused() -> None:
    k, rotation = torch.randn(1, 1, 5, 64), random_rotation(64)

    with pytest.raises(KernelShapeError, match="bits is 8, must be 2 or 4"):
        polar_encode(k, rotation, bits=8)
    with pytest.raises(KernelShapeError, match=r"rotation has shape \[80, 80\], must be \[64, 64\]"):
        polar_encode(k, random_rotation(80))
    with pytest.raises(KernelShapeError, match="72 query rows a KV head, must be 1 to 64"):
        polar_scores(torch.randn(1, 9, 8, 64), polar_encode(k, rotation), rotation)
