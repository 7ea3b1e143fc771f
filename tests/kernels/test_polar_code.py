from __future__ import annotations

import math

import pytest
import torch
from agentmem.kernels.polar_code import (
    SPLIT,
    angle_table,
    radius_edges,
    radius_levels,
    radius_table,
    random_rotation,
)


@pytest.mark.parametrize("dim", [64, 80, 128])
def test_rotation_is_orthogonal_and_the_same_for_a_seed(dim: int) -> None:
    rotation = random_rotation(dim, seed=3)

    assert torch.allclose(rotation @ rotation.T, torch.eye(dim), atol=1e-5)
    assert torch.equal(rotation, random_rotation(dim, seed=3))
    assert not torch.equal(rotation, random_rotation(dim, seed=4))


@pytest.mark.parametrize("bits", [1, 3])
def test_each_level_is_the_mean_radius_of_its_cell(bits: int) -> None:
    """The Lloyd-Max condition on the Rayleigh law, against samples of it."""
    levels = radius_levels(bits)
    samples = torch.randn(2, 400_000, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).norm(
        dim=0
    )

    cell = torch.bucketize(samples, (levels[1:] + levels[:-1]) / 2)

    means = torch.stack([samples[cell == i].mean() for i in range(len(levels))])
    assert torch.allclose(means, levels, rtol=0.01)


def test_edges_lie_midway_between_levels() -> None:
    levels = radius_table(3)

    assert torch.allclose(radius_edges(3), (levels[1:] + levels[:-1]) / 2)


@pytest.mark.parametrize("bits", [3, 5])
def test_angles_are_the_middles_of_equal_sectors_of_the_circle(bits: int) -> None:
    cos, sin = angle_table(bits)

    turn = sorted(math.atan2(s, c) % math.tau for c, s in zip(cos.tolist(), sin.tolist(), strict=True))

    assert turn == pytest.approx([(i + 0.5) * math.tau / 2**bits for i in range(2**bits)], abs=1e-6)


@pytest.mark.parametrize("bits", [2, 4])
def test_bits_of_a_pair_are_split_where_the_error_is_least(bits: int) -> None:
    """Angle and radius errors of a normal pair, for every split of its bits."""
    x = torch.randn(200_000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    radius, turn = x.norm(dim=1), torch.atan2(x[:, 1], x[:, 0])

    def error(angle: int) -> float:
        levels = radius_levels(2 * bits - angle)
        near = levels[torch.bucketize(radius, (levels[1:] + levels[:-1]) / 2)]
        step = math.tau / 2**angle
        there = (torch.floor(turn / step) + 0.5) * step
        return float((torch.stack([near * there.cos(), near * there.sin()], dim=1) - x).square().mean())

    assert min(range(2, 2 * bits), key=error) == SPLIT[bits].angle
