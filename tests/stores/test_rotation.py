"""Rotations keep lengths and angles, spread what is concentrated, and never change."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

rotation = import_module("agentmem.stores.rotation").rotation


@given(dims=st.integers(1, 200), seed=st.integers(0, 2**63))
def test_a_rotation_is_orthogonal_whatever_the_dims(dims: int, seed: int) -> None:
    matrix = rotation(dims, seed)

    assert np.abs(matrix @ matrix.T - np.eye(dims)).max() < 1e-5


@pytest.mark.parametrize("dims", [64, 96, 257, 384, 511, 1000])
def test_one_coordinate_is_spread_over_all(dims: int) -> None:
    matrix = rotation(dims, 0)

    largest = np.abs(matrix).max() * np.sqrt(dims)

    assert largest < 6


def test_another_seed_gives_another_rotation() -> None:
    assert np.abs(rotation(64, 0) - rotation(64, 1)).max() > 0.1


def test_a_rotation_is_the_same_for_ever() -> None:
    """Codes on disk are read with it years later; this pins its bits."""
    assert rotation(6, 7)[0].tolist() == pytest.approx([-0.5, -0.5, 0.5, 0.0, 0.5, 0.0])
