"""The safetensors format, written and read without a copy: a JSON header, then plain numbers. No code in it ever runs.

The library of that name needs a file of its own and copies what it reads; here a buffer, such as a mapped file, is
looked into. Layout as in the format's specification: little-endian, no gaps, widest types first so that all is aligned.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MAX_HEADER = 100_000_000
_ONE = "rows"
# numpy has no bfloat16 and no float8: their bits are held as unsigned integers of that width
_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
    "F8_E4M3": np.dtype("u1"),
    "F8_E5M2": np.dtype("u1"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
_OWN: dict[np.dtype[Any], str] = {
    dtype: tag for tag, dtype in reversed(_DTYPES.items()) if not tag.startswith(("BF", "F8"))
}


class Tensors(NamedTuple):
    """What a buffer holds: read-only views by name, their types as the format names them, and its metadata."""

    arrays: dict[str, NDArray[Any]]
    dtypes: dict[str, str]
    metadata: dict[str, str]


def dump(
    arrays: Mapping[str, NDArray[Any]],
    metadata: Mapping[str, str] | None = None,
    dtypes: Mapping[str, str] | None = None,
) -> list[bytes | memoryview]:
    """The pieces of a file, in order; joined, or written one by one, they are it.

    Args:
        dtypes: types that numpy cannot name, such as `BF16` for an array of `uint16` bits.

    Raises:
        ValueError: a type that the format does not have, or of another width than the array's.
    """
    named = {name: (_tag(name, array, dtypes or {}), array) for name, array in arrays.items()}
    order = sorted(named, key=lambda name: (-_DTYPES[named[name][0]].itemsize, name))
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    pieces: list[bytes | memoryview] = []
    offset = 0
    for name in order:
        tag, array = named[name]
        data = np.ascontiguousarray(array, dtype=_DTYPES[tag])
        end = offset + data.nbytes
        header[name] = {"dtype": tag, "shape": list(array.shape), "data_offsets": [offset, end]}
        pieces.append(data.reshape(-1).view(np.uint8).data)
        offset = end
    return [_framed(header), *pieces]


def load(buffer: bytes | memoryview) -> Tensors:
    """Views into a buffer, which must outlive them. Raises `ValueError` where it is not a whole file of this format."""
    view = memoryview(buffer).cast("B").toreadonly()
    size = int.from_bytes(view[:8], "little")
    if len(view) < 8 or size > min(_MAX_HEADER, len(view) - 8):
        raise ValueError("not safetensors: the header goes beyond the end")
    try:
        header = json.loads(bytes(view[8 : 8 + size]))
        metadata = {str(key): str(value) for key, value in header.pop("__metadata__", {}).items()}
        body = view[8 + size :]
        found = {name: _array(body, entry) for name, entry in header.items()}
        spans = sorted(tuple(entry["data_offsets"]) for entry in header.values())
        dtypes = {name: str(entry["dtype"]) for name, entry in header.items()}
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not safetensors: {error!r}") from error
    edges = [0, *(end for _, end in spans)]
    if [start for start, _ in spans] != edges[:-1] or edges[-1] != len(body):
        raise ValueError("not safetensors: gaps, overlaps or a cut end")
    return Tensors(found, dtypes, metadata)


def header_of_one(tag: str, shape: tuple[int, int]) -> bytes:
    """How a file begins that holds one tensor; its rows may then follow as they come (`raw`)."""
    size = math.prod(shape) * _DTYPES[tag].itemsize
    return _framed({_ONE: {"dtype": tag, "shape": list(shape), "data_offsets": [0, size]}})


def raw(rows: NDArray[Any], tag: str) -> memoryview:
    """The bytes of rows as the format has them."""
    return np.ascontiguousarray(rows, dtype=_DTYPES[tag]).reshape(-1).view(np.uint8).data


def read_header_of_one(file: IO[bytes]) -> tuple[np.dtype[Any], tuple[int, int]]:
    """Type and shape of the only tensor of a file, whose rows are what follows. Raises `ValueError`."""
    size = int.from_bytes(file.read(8), "little")
    try:
        entry = json.loads(file.read(min(size, _MAX_HEADER)))[_ONE]
        dtype, (count, width) = _DTYPES[entry["dtype"]], entry["shape"]
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not safetensors: {error!r}") from error
    if not all(isinstance(number, int) and number >= 0 for number in (count, width)):
        raise ValueError("not safetensors: shapes are whole numbers")
    return dtype, (count, width)


def _framed(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _array(body: memoryview, entry: Mapping[str, Any]) -> NDArray[Any]:
    dtype, shape, (start, end) = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
    numbers = [*shape, start, end]
    if not all(
        isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers
    ):
        raise ValueError("not safetensors: shapes and offsets are whole numbers")
    if not start <= end <= len(body) or end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError("not safetensors: a shape does not fit its bytes")
    return np.frombuffer(body[start:end], dtype=dtype).reshape(shape)


def _tag(name: str, array: NDArray[Any], dtypes: Mapping[str, str]) -> str:
    tag = dtypes.get(name) or _OWN.get(array.dtype.newbyteorder("<"), "")
    if tag not in _DTYPES or _DTYPES[tag].itemsize != array.dtype.itemsize:
        raise ValueError(f"tensor {name!r} of {array.dtype} cannot be written as {tag or 'safetensors'}")
    return tag
