"""The codebook of polar keys: how many bits go to angle and radius, and where the levels lie.

After a random rotation the channels of a key of norm `n` are near-normal with deviation `n / sqrt(D)`, so a
pair's angle is uniform and its radius, over that deviation, follows the Rayleigh law whatever the data: the
codebook needs no calibration (PolarQuant, arXiv 2502.02617; Spherical KV). Angles are the middles of equal
sectors; radii are the Lloyd-Max levels of the Rayleigh law. Bits are split where the squared error is least.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

POINTS = 20001
REACH = 8.0
ROUNDS = 400


class Split(NamedTuple):
    """Bits of a pair's code."""

    angle: int
    radius: int


SPLIT = {4: Split(angle=5, radius=3), 2: Split(angle=3, radius=1)}
"""Bits per channel -> split of the pair's bits; (4, 4) and (2, 2) have 1.5 times the error."""


@lru_cache
def radius_levels(bits: int) -> Tensor:
    """Lloyd-Max levels of the Rayleigh law with mean square 2, fp64 `[2^bits]`."""
    r = torch.linspace(0.0, REACH, POINTS, dtype=torch.float64)
    density = r * torch.exp(-0.5 * r * r)
    levels = torch.linspace(0.5, 2.5, 2**bits, dtype=torch.float64)
    for _ in range(ROUNDS):
        cell = torch.bucketize(r, (levels[1:] + levels[:-1]) / 2)
        mass = torch.zeros_like(levels).index_add_(0, cell, density)
        levels = torch.zeros_like(levels).index_add_(0, cell, density * r) / mass
    return levels


@lru_cache
def radius_table(bits: int, device: torch.device | str = "cpu") -> Tensor:
    """Radius of each level, in units of `norm / sqrt(D / 2)`, fp32 `[2^bits]`."""
    return (radius_levels(bits) / 2**0.5).float().to(device)


@lru_cache
def radius_edges(bits: int, device: torch.device | str = "cpu") -> Tensor:
    """Decision edges between the levels, in the same units, fp32 `[2^bits - 1]`."""
    levels = radius_levels(bits) / 2**0.5
    return ((levels[1:] + levels[:-1]) / 2).float().to(device)


@lru_cache
def angle_edges(bits: int, device: torch.device | str = "cpu") -> Tensor:
    """Cosine and sine of the edges between the sectors of a quadrant, fp32 `[2, 2^(bits - 2) - 1]`."""
    sectors = 2 ** (bits - 2)
    edge = torch.arange(1, sectors, dtype=torch.float64) * (torch.pi / 2 / sectors)
    return torch.stack([edge.cos(), edge.sin()]).float().to(device)


@lru_cache
def angle_table(bits: int, device: torch.device | str = "cpu") -> Tensor:
    """Cosine and sine of each angle code, sector in the low bits, then both signs: fp32 `[2, 2^bits]`."""
    code, sectors = torch.arange(2**bits), 2 ** (bits - 2)
    angle = (code % sectors + 0.5).double() * (torch.pi / 2 / sectors)
    quadrant = code // sectors
    a = angle.cos() * (1 - 2 * (quadrant & 1))
    b = angle.sin() * (1 - 2 * (quadrant >> 1))
    return torch.stack([a, b]).float().to(device)


def random_rotation(dim: int, *, seed: int = 0) -> Tensor:
    """A random orthogonal matrix `[D, D]` fp32, the same for a seed on every machine up to rounding."""
    generator = torch.Generator().manual_seed(seed)
    square = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
    basis, triangle = torch.linalg.qr(square)
    signed: Tensor = basis * triangle.diagonal().sign()
    return signed.float().contiguous()
