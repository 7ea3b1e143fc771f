from __future__ import annotations

import math

import pytest
import torch
from agentmem.kernels.tables import page_rotation, pair_order, rope_tables, rope_tables_by_type
from hypothesis import given
from hypothesis import strategies as st


@given(position=st.integers(-2_000_000, 2_000_000), frequency=st.floats(1e-6, 1.0))
def test_tables_err_by_their_rounding_alone_at_any_position(position: int, frequency: float) -> None:
    cos, sin = rope_tables(torch.tensor([frequency], dtype=torch.float64), torch.tensor(position))

    assert abs(float(cos) - math.cos(position * frequency)) <= 6e-8
    assert abs(float(sin) - math.sin(position * frequency)) <= 6e-8


def test_each_layer_type_turns_by_its_own_frequencies_and_scale() -> None:
    frequencies = {"full_attention": torch.tensor([1.0]), "sliding_attention": torch.tensor([0.5])}

    tables = rope_tables_by_type(frequencies, torch.tensor([2]), scale={"full_attention": 1.5})

    assert float(tables["full_attention"].cos) == pytest.approx(1.5 * math.cos(2.0))
    assert float(tables["sliding_attention"].sin) == pytest.approx(math.sin(1.0))


def test_pages_at_the_same_base_share_a_row() -> None:
    rotation = page_rotation(torch.tensor([0.1, 0.01]), torch.tensor([[640, 0, 640], [0, 64, 64]]), 4)

    assert rotation.cos.shape == (3, 2)
    assert rotation.rows.tolist() == [[2, 0, 2], [0, 1, 1]]


def test_channels_that_do_not_turn_get_no_angle() -> None:
    rotation = page_rotation(torch.tensor([0.1]), torch.tensor([[640]]), 8)

    assert rotation.cos[0, 1:].tolist() == rotation.offset_cos[9, 1:].tolist() == [1.0, 1.0, 1.0]
    assert rotation.sin[0, 1:].tolist() == rotation.offset_sin[9, 1:].tolist() == [0.0, 0.0, 0.0]


@given(half=st.integers(1, 64), rest=st.integers(0, 64))
def test_pair_order_puts_partners_half_the_dim_apart(half: int, rest: int) -> None:
    order = pair_order(2 * half + 2 * rest, 2 * half).tolist()

    assert sorted(order) == list(range(2 * half + 2 * rest))
    assert [(order[j], order[j + half + rest]) for j in range(half)] == [(j, j + half) for j in range(half)]
