from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelShapeError
from agentmem.kernels.rotate import rotate
from agentmem.kernels.tables import rope_tables
from hypothesis import given, settings
from hypothesis import strategies as st

FREQUENCIES = 10_000.0 ** -(torch.arange(20).double() / 20)


@settings(max_examples=10)
@given(start=st.integers(0, 500_000), offset=st.integers(-500_000, 500_000), tokens=st.integers(1, 70))
def test_moving_by_an_offset_is_standing_there_from_the_start(start: int, offset: int, tokens: int) -> None:
    x, positions = torch.randn(1, 2, tokens, 64), torch.arange(start, start + tokens)[None]

    moved = rotate(
        rotate(x, *rope_tables(FREQUENCIES, positions)), *rope_tables(FREQUENCIES, torch.tensor([[offset]]))
    )

    assert torch.allclose(moved, rotate(x, *rope_tables(FREQUENCIES, positions + offset)), atol=1e-5)


def test_channels_past_the_rotary_dim_pass_bit_by_bit() -> None:
    x = torch.randn(1, 1, 9, 96)
    x[0, 0, 2, 50] = torch.nan

    got = rotate(x, *rope_tables(FREQUENCIES, torch.arange(9)[None]))

    assert torch.equal(got[..., 40:].nan_to_num(7), x[..., 40:].nan_to_num(7))
    assert torch.allclose(got[..., :40].norm(dim=-1), x[..., :40].norm(dim=-1), rtol=1e-5)


def test_writing_over_the_input_gives_the_same() -> None:
    x, tables = torch.randn(2, 2, 33, 40), rope_tables(FREQUENCIES, torch.arange(33)[None])
    want = rotate(x, *tables)

    got = rotate(x, *tables, out=x)

    assert got is x
    assert torch.equal(x, want)


def test_definition_writes_over_the_input_too() -> None:
    x, tables = torch.randn(1, 1, 5, 40), rope_tables(FREQUENCIES, torch.arange(5)[None])
    want = reference.rotate(x, *tables)

    assert torch.equal(reference.rotate(x, *tables, out=x), want)


def test_tables_that_do_not_fit_are_refused() -> None:
    x = torch.randn(2, 2, 33, 32)

    with pytest.raises(KernelShapeError, match="rotary dim 40 and head dim 32 do not fit"):
        rotate(x, *rope_tables(FREQUENCIES, torch.arange(33)[None]))
    with pytest.raises(KernelShapeError, match="do not serve batch 2 and 33 tokens"):
        rotate(x, *rope_tables(FREQUENCIES[:8], torch.arange(32)[None]))
