from __future__ import annotations

import pytest
import torch
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.merge import merge_lse
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=12)
@given(
    cuts=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    spread=st.sampled_from([1.0, 50.0]),
    seed=st.integers(0, 2**31),
)
def test_parts_of_any_cut_merge_to_softmax_over_all_keys(cuts: list[int], spread: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, sum(cuts), generator=generator, dtype=torch.float64) * spread
    values = torch.randn(sum(cuts), 16, generator=generator, dtype=torch.float64)
    parts = list(zip(torch.split(scores, cuts, dim=1), torch.split(values, cuts), strict=True))

    outs = torch.stack([s.softmax(dim=1) @ v for s, v in parts]).float()
    got = merge_lse(outs, torch.stack([s.logsumexp(dim=1) for s, _ in parts]).float())

    assert torch.allclose(got.out.double(), scores.softmax(dim=1) @ values, atol=2e-5)
    assert torch.allclose(got.lse.double(), scores.logsumexp(dim=1), rtol=1e-6, atol=1e-5)


def test_nan_stays_in_its_row() -> None:
    outs, lses = torch.ones(2, 3, 16), torch.zeros(2, 3)
    outs[1, 1] = torch.nan
    lses[0, 2] = torch.nan

    got = merge_lse(outs, lses)

    assert got.out.isnan().all(dim=1).tolist() == [False, True, True]
    assert got.lse.isnan().tolist() == [False, False, True]


def test_no_rows_are_no_rows() -> None:
    assert merge_lse(torch.ones(2, 0, 16), torch.ones(2, 0)).out.shape == (0, 16)


def test_wrong_operands_are_refused() -> None:
    with pytest.raises(KernelShapeError, match=r"lses has shape \[2, 4\], must be \[2, 3\]"):
        merge_lse(torch.ones(2, 3, 16), torch.ones(2, 4))
    with pytest.raises(KernelDtypeError, match="lses is float16, must be float32"):
        merge_lse(torch.ones(2, 3, 16), torch.ones(2, 3).half())
