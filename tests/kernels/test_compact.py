from __future__ import annotations

import pytest
import torch
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.compact import gather_tokens, keep_index
from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=15)
@given(marks=st.lists(st.booleans(), min_size=1, max_size=5000), budget=st.integers(1, 100))
def test_marked_positions_come_in_order_up_to_the_budget(marks: list[bool], budget: int) -> None:
    got = keep_index(torch.tensor(marks).view(1, 1, -1), budget)

    kept = [place for place, marked in enumerate(marks) if marked]
    assert got.at[0, 0].tolist() == (kept + [-1] * budget)[:budget]
    assert int(got.asked) == len(kept)


def test_kept_tokens_are_copied_bit_by_bit_and_empty_slots_are_zero() -> None:
    k = torch.randn(1, 2, 10, 80)
    k[0, 1, 4, 0] = torch.nan
    at = torch.tensor([[[3, 9, -1], [4, 4, 0]]], dtype=torch.int32)

    k_out, v_out = gather_tokens(k, -k, at)

    assert torch.equal(k_out[0, 0], torch.stack([k[0, 0, 3], k[0, 0, 9], torch.zeros(80)]))
    assert torch.equal(k_out[0, 1].nan_to_num(7), k[0, 1, [4, 4, 0]].nan_to_num(7))
    assert torch.equal(v_out.nan_to_num(7), -k_out.nan_to_num(-7))


def test_position_past_the_end_is_an_empty_slot_and_not_another_heads_token() -> None:
    k_out, _ = gather_tokens(
        torch.ones(1, 2, 3, 64), torch.ones(1, 2, 3, 64), torch.full((1, 2, 1), 3, dtype=torch.int32)
    )

    assert (k_out == 0).all()


def test_wrong_operands_are_refused() -> None:
    k = torch.randn(1, 2, 3, 64)

    with pytest.raises(KernelDtypeError, match="mask is float32, must be bool"):
        keep_index(torch.zeros(1, 1, 4), 2)
    with pytest.raises(KernelShapeError, match="budget is 0, must be positive"):
        keep_index(torch.zeros(1, 1, 4, dtype=torch.bool), 0)
    with pytest.raises(KernelDtypeError, match="index is int64, must be int32"):
        gather_tokens(k, k, torch.zeros(1, 2, 1, dtype=torch.int64))
