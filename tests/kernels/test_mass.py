from __future__ import annotations

import pytest
import torch
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.mass import attention_mass
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=10)
@given(
    queries=st.integers(1, 70),
    before=st.integers(0, 100),
    after=st.integers(0, 20),
    shared=st.sampled_from([1, 4]),
    dim=st.sampled_from([64, 80]),
    seed=st.integers(0, 2**31),
)
def test_mass_is_the_column_sum_of_causal_softmax(
    queries: int, before: int, after: int, shared: int, dim: int, seed: int
) -> None:
    torch.manual_seed(seed)
    tokens = before + queries + after
    q, k = torch.randn(1, shared, queries, dim), torch.randn(1, 1, tokens, dim)

    got = attention_mass(q, k, start=before)

    score = q.double() @ k.double().transpose(2, 3) * dim**-0.5
    later = torch.ones(queries, tokens, dtype=torch.bool).triu(before + 1)
    want = score.masked_fill(later, -torch.inf).softmax(dim=-1).sum(dim=(1, 2))
    assert torch.allclose(got[:, 0].double(), want, atol=1e-4, rtol=1e-4)


def test_every_query_gives_one_unit_and_the_future_gets_none() -> None:
    got = attention_mass(torch.randn(2, 8, 5, 64), torch.randn(2, 2, 150, 64), start=100)

    assert torch.allclose(got.sum(dim=-1), torch.full((2, 2), 20.0), rtol=1e-4)
    assert (got[..., 105:] == 0).all()


def test_nan_query_spoils_the_keys_it_sees() -> None:
    q = torch.randn(1, 1, 3, 64)
    q[0, 0, 1] = torch.nan

    got = attention_mass(q, torch.randn(1, 1, 100, 64))

    assert got[0, 0, :99].isnan().all()
    assert bool(got[0, 0, 99].isfinite())


def test_same_bits_on_every_run() -> None:
    q, k = torch.randn(1, 4, 70, 64), torch.randn(1, 1, 70, 64)

    assert torch.equal(attention_mass(q, k), attention_mass(q, k))


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(KernelDtypeError, match="k is float16, must be float32"):
        attention_mass(torch.randn(1, 1, 3, 64), torch.randn(1, 1, 9, 64).half())
    with pytest.raises(KernelShapeError, match="the first query stands at -1"):
        attention_mass(torch.randn(1, 1, 3, 64), torch.randn(1, 1, 2, 64))
