"""Floats packed without loss: each byte of a number in a plane of its own, deflated where that is smaller.

Neighbouring keys and values have alike exponents and unlike mantissas, so the planes with signs and exponents shrink
and the others do not (the observation of DFloat11, arXiv 2504.11651, which codes weights).
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEVEL = 1
"""Of zlib: higher ones take several times as long for a hundredth less."""
HEADER = 8
"""Bytes before each plane: the length of what is stored; as long as the plane itself where it is not deflated."""

Bytes = NDArray[np.uint8]


def pack(x: Tensor) -> Bytes:
    """The bytes `[N]` of a tensor of any dtype and shape, in order; both are to be remembered elsewhere."""
    raw = x.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy()
    planes = raw.reshape(-1, x.element_size()).T
    parts = []
    for plane in planes:
        whole = plane.tobytes()
        small = zlib.compress(whole, LEVEL)
        kept = small if len(small) < len(whole) else whole
        parts += [len(kept).to_bytes(HEADER, "little"), kept]
    return np.frombuffer(b"".join(parts), dtype=np.uint8)


def unpack(packed: Bytes, dtype: torch.dtype, shape: tuple[int, ...]) -> Tensor:
    """The tensor that was packed, bit by bit.

    Raises:
        ValueError: the bytes are not those of such a tensor.
    """
    count = int(np.prod(shape))
    stored, at, planes = packed.tobytes(), 0, []
    for _ in range(dtype.itemsize):
        length = int.from_bytes(stored[at : at + HEADER], "little")
        part = stored[at + HEADER : at + HEADER + length]
        at += HEADER + length
        try:
            planes.append(part if length == count else zlib.decompress(part))
        except zlib.error as error:
            raise ValueError(f"a plane cannot be inflated: {error}") from error
    if at != len(stored) or any(len(plane) != count for plane in planes):
        raise ValueError(f"{len(stored)} bytes do not hold {count} numbers of {dtype}")
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    raw = np.stack([np.frombuffer(plane, dtype=np.uint8) for plane in planes], axis=1)
    return torch.from_numpy(raw).view(dtype).reshape(shape)
