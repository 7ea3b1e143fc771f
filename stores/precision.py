"""Vectors in fewer bits: float32, int8, int4, binary. Knows nothing of tables or indexes.

A vector is rotated (`rotation`), each coordinate replaced by a level of a codebook, and one factor stored with
the codes: it is chosen so that the decoded vector's inner product with the true one is the true one's squared
length. Over random rotations the estimate of any inner product is then unbiased at every precision, so codes of
different precisions stand in one ranking without one being favoured. Sources: RaBitQ (Gao and Long 2024) for the
factor, its extension to several bits (Gao et al. 2025), TurboQuant (Zandieh et al. 2025) for the rotated scalar
codebook, Max 1960 and Lloyd 1982 for its levels.

Axes: `N` rows, `D` dims, `B` bytes of a row.
"""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Precision, Vectors

from .rotation import rotation

Codes = NDArray[np.uint8]
# finest first
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
# those an index may hold in 4 bits a coordinate without losing more than they have lost
COARSE: frozenset[Precision] = frozenset({"int4", "binary"})

_FACTOR_BYTES = 4
_STEPS = 127
# rows whose unpacked bits stay in a core's own cache
_AT_ONCE = 256
# the positive half of the 16 levels that lose least of a unit Gaussian
_LEVELS = np.array([0.1284, 0.3881, 0.6568, 0.9424, 1.2562, 1.6181, 2.0690, 2.7326], dtype=np.float32)
CODEBOOK: Vectors = np.concatenate([-_LEVELS[::-1], _LEVELS])
_BORDERS = (CODEBOOK[1:] + CODEBOOK[:-1]) / 2


def row_bytes(precision: Precision, dims: int) -> int:
    """Bytes of one stored vector."""
    widths = {
        "float32": 4 * dims,
        "int8": _FACTOR_BYTES + dims,
        "int4": _FACTOR_BYTES + (dims + 1) // 2,
        "binary": _FACTOR_BYTES + (dims + 7) // 8,
    }
    return widths[precision]


class Codec:
    """Encodes and decodes vectors of one embedder; `seed` names the rotation and must be kept with the codes."""

    def __init__(self, dims: int, seed: int) -> None:
        self.dims = dims
        self._seed = seed

    def encode(self, rows: Vectors, precision: Precision) -> Codes:
        """Rows `[N, D]` as bytes `[N, B]`."""
        if precision == "float32":
            return np.ascontiguousarray(rows, dtype=np.float32).view(np.uint8)
        turned = rows @ rotation(self.dims, self._seed)
        levels: Vectors
        if precision == "int8":
            largest = np.abs(turned).max(axis=1, keepdims=True)
            steps = np.divide(_STEPS, largest, out=np.zeros_like(largest), where=largest > 0)
            codes = np.rint(turned * steps).astype(np.int8)
            levels, packed = codes.astype(np.float32), codes.view(np.uint8)
        elif precision == "int4":
            length = np.linalg.norm(turned, axis=1, keepdims=True)
            unit = turned / np.where(length > 0, length, np.float32(1))
            places = np.searchsorted(_BORDERS, unit * math.sqrt(self.dims)).astype(np.uint8)
            levels, packed = CODEBOOK[places].astype(np.float32), _pack_pairs(places)
        else:
            packed = np.packbits(turned >= 0, axis=1)
            levels = np.where(turned >= 0, 1, -1).astype(np.float32)
        factors = _factors(turned, levels).astype(np.float32).reshape(-1, 1)
        return np.hstack([factors.view(np.uint8), packed])

    def decode(self, data: Codes, precision: Precision) -> Vectors:
        """Bytes `[N, B]` as rows `[N, D]` whose inner products estimate those of the rows encoded."""
        if precision == "float32":
            return _as_floats(data)
        levels, factors = self._levels(data, precision)
        scaled: Vectors = levels * factors
        decoded: Vectors = np.matmul(scaled, rotation(self.dims, self._seed).T, dtype=np.float32)
        return decoded

    def products(self, data: Codes, precision: Precision, rows: Vectors) -> Vectors:
        """Estimated inner products `[N, M]` of what is encoded in `[N, B]` with rows `[M, D]`.

        The same as decoding first, but the few rows are turned instead of the many codes.
        """
        if precision == "float32":
            return _as_floats(data) @ rows.T
        turned = (rows @ rotation(self.dims, self._seed)).T
        found: Vectors
        if precision == "binary":
            # with levels of -1 and 1 as 2 b - 1, the bits need not be moved one by one
            found = np.empty((len(data), len(rows)), dtype=np.float32)
            doubled = 2 * turned
            for start in range(0, len(data), _AT_ONCE):
                bits = np.unpackbits(data[start : start + _AT_ONCE, _FACTOR_BYTES:], axis=1, count=self.dims)
                np.matmul(bits.astype(np.float32), doubled, out=found[start : start + _AT_ONCE])
            found -= turned.sum(axis=0)
            found *= _as_floats(data[:, :_FACTOR_BYTES])
            return found
        levels, factors = self._levels(data, precision)
        found = (levels @ turned) * factors
        return found

    def _levels(self, data: Codes, precision: Precision) -> tuple[Vectors, Vectors]:
        """Turned coordinates `[N, D]` up to a factor, and the factors `[N, 1]`."""
        factors = _as_floats(data[:, :_FACTOR_BYTES])
        packed = np.ascontiguousarray(data[:, _FACTOR_BYTES:])
        levels: Vectors
        if precision == "int8":
            signed: NDArray[np.int8] = packed.view(np.int8)
            levels = signed.astype(np.float32)
        elif precision == "int4":
            levels = CODEBOOK[_unpack_pairs(packed)[:, : self.dims]]
        else:
            bits = np.unpackbits(packed, axis=1, count=self.dims)
            levels = bits.astype(np.float32) * np.float32(2) - np.float32(1)
        return levels, factors


def _as_floats(data: Codes) -> Vectors:
    floats: Vectors = np.ascontiguousarray(data).view(np.float32)
    return floats


def _factors(turned: Vectors, levels: Vectors) -> Vectors:
    """Per row the factor that makes `<factor * levels, row> = <row, row>`; 0 for a row of zeros."""
    squared = np.einsum("nd,nd->n", turned, turned)
    along = np.einsum("nd,nd->n", turned, levels)
    factors: Vectors = np.divide(squared, along, out=np.zeros_like(squared), where=along > 0)
    return factors


def _pack_pairs(places: Codes) -> Codes:
    """Two 4-bit places a byte, the first in the low half."""
    count, dims = places.shape
    even = np.zeros((count, dims + dims % 2), dtype=np.uint8)
    even[:, :dims] = places
    packed: Codes = even[:, ::2] | (even[:, 1::2] << 4)
    return packed


def _unpack_pairs(packed: Codes) -> Codes:
    return np.stack([packed & 15, packed >> 4], axis=2).reshape(len(packed), -1)
