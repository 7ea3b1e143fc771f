"""Random rotations that are the same on every machine: they spread a vector evenly over its coordinates.

A rotated unit vector has nearly Gaussian coordinates whatever the embedder, so one codebook serves all. Each
round shuffles, then flips signs and applies a Walsh-Hadamard transform, to one end and to the other (Ailon and
Chazelle 2009, "The fast Johnson-Lindenstrauss transform"). Signs and order come from SHAKE-256 and not from a
library's random numbers, whose streams may change between versions while codes stay on disk for years.
"""

from __future__ import annotations

import math
from functools import lru_cache
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Vectors

_ROUNDS = 3


@lru_cache(maxsize=4)
def rotation(dims: int, seed: int) -> Vectors:
    """An orthogonal matrix `[dims, dims]`: `rows @ rotation` turns rows, `@ rotation.T` turns them back."""
    matrix = np.eye(dims)
    window = 1 << (dims.bit_length() - 1)
    for turn in range(_ROUNDS):
        matrix = matrix[:, _order(dims, seed, turn)]
        # the two ends overlap and cover everything, as the largest power of two is over half
        for end, part in enumerate((slice(0, window), slice(dims - window, dims))):
            matrix = matrix * _signs(dims, seed, 2 * turn + end)
            matrix[:, part] = _hadamard(matrix[:, part])
    turned = matrix.astype(np.float32)
    turned.setflags(write=False)
    return turned


def _stream(name: str, seed: int, turn: int, size: int) -> NDArray[np.uint8]:
    digest = shake_256(f"agentmem rotation {name} {seed} {turn}".encode()).digest(size)
    return np.frombuffer(digest, dtype=np.uint8)


def _signs(dims: int, seed: int, turn: int) -> NDArray[np.float64]:
    bits = np.unpackbits(_stream("signs", seed, turn, dims // 8 + 1))[:dims]
    return 1.0 - 2.0 * bits.astype(np.float64)


def _order(dims: int, seed: int, turn: int) -> NDArray[np.intp]:
    return np.argsort(_stream("order", seed, turn, 8 * dims).view("<u8"), kind="stable")


def _hadamard(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The orthonormal Walsh-Hadamard transform of rows `[n, 2^m]`."""
    count, width = rows.shape
    step = 1
    while step < width:
        pairs = rows.reshape(count, -1, 2, step)
        left, right = pairs[:, :, 0], pairs[:, :, 1]
        rows = np.stack([left + right, left - right], axis=2).reshape(count, width)
        step *= 2
    return rows / math.sqrt(width)
