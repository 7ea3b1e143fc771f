from __future__ import annotations

import math

import pytest
import torch
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.entropy import token_entropy
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=10)
@given(
    rows=st.integers(1, 4),
    vocab=st.integers(1, 10_000),
    spread=st.sampled_from([0.01, 5.0, 100.0]),
    shift=st.sampled_from([0.0, 1e4]),
    seed=st.integers(0, 2**31),
)
def test_agrees_with_torchs_distribution_in_fp64(
    rows: int, vocab: int, spread: float, shift: float, seed: int
) -> None:
    torch.manual_seed(seed)
    logits, targets = torch.randn(rows, vocab) * spread + shift, torch.randint(0, vocab, (rows,))

    got = token_entropy(logits, targets)

    truth = torch.distributions.Categorical(logits=logits.double())
    # a shift of 10^4 leaves fp32 logits a grain of 10^-3
    assert torch.allclose(
        got.surprise.double(), -truth.log_prob(targets), rtol=1e-4, atol=2e-3 if shift else 1e-4
    )
    assert torch.allclose(got.entropy.double(), truth.entropy(), rtol=1e-4, atol=2e-3 if shift else 1e-4)


def test_uniform_row_has_the_entropy_of_its_vocabulary() -> None:
    got = token_entropy(torch.zeros(1, 5000), torch.tensor([17]))

    assert float(got.entropy) == pytest.approx(math.log(5000), rel=1e-6)
    assert float(got.surprise) == pytest.approx(math.log(5000), rel=1e-6)


def test_certain_row_has_none() -> None:
    logits = torch.full((1, 9000), -torch.inf)
    logits[0, 8500] = 3.0

    got = token_entropy(logits, torch.tensor([8500]))

    assert (float(got.entropy), float(got.surprise)) == (0.0, 0.0)
    assert float(token_entropy(logits, torch.tensor([0])).surprise) == torch.inf


def test_ignored_targets_have_no_surprise_and_unknown_ones_nan() -> None:
    got = token_entropy(torch.zeros(2, 10), torch.tensor([-100, 10]))

    assert float(got.surprise[0]) == 0.0
    assert bool(got.surprise[1].isnan())


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("at", [0, 9999])
def test_number_that_is_none_spoils_its_row_alone(bad: float, at: int) -> None:
    logits = torch.randn(2, 10_000)
    logits[1, at] = bad

    got = token_entropy(logits, torch.tensor([5, 5]))

    assert got.entropy.isnan().tolist() == got.surprise.isnan().tolist() == [False, True]


def test_no_rows_are_no_rows() -> None:
    assert token_entropy(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64)).entropy.shape == (0,)


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(KernelShapeError, match=r"targets has shape \[3\], must be \[2\]"):
        token_entropy(torch.zeros(2, 10), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(KernelDtypeError, match="targets is float32, must be int32 or int64"):
        token_entropy(torch.zeros(2, 10), torch.zeros(2))
    with pytest.raises(KernelShapeError, match="the vocabulary is empty"):
        token_entropy(torch.zeros(2, 0), torch.zeros(2, dtype=torch.int64))
