"""Safetensors as the library of that name reads and writes it, without its copies."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

tensors = import_module("agentmem.stores.tensors")

names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).filter(
    lambda name: name != "__metadata__"
)
kinds = st.sampled_from(["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"])
some_arrays = kinds.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5))
)
held = st.dictionaries(names, some_arrays, max_size=4)


@given(arrays_=held, metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_what_is_dumped_is_loaded(arrays_: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
    data = b"".join(tensors.dump(arrays_, metadata))

    found = tensors.load(data)

    assert found.metadata == metadata
    assert {name: (array.dtype, array.shape, array.tobytes()) for name, array in found.arrays.items()} == {
        name: (array.dtype, array.shape, array.tobytes()) for name, array in arrays_.items()
    }


@given(arrays_=held)
def test_the_library_reads_what_is_dumped(arrays_: dict[str, NDArray[Any]]) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="the extra 'kv' is not installed")

    found = library.load(b"".join(tensors.dump(arrays_)))

    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in arrays_.items()
    }


@given(arrays_=held)
def test_what_the_library_writes_is_loaded(arrays_: dict[str, NDArray[Any]]) -> None:
    library = pytest.importorskip("safetensors.numpy", reason="the extra 'kv' is not installed")

    found = tensors.load(library.save(arrays_)).arrays

    assert {name: array.tobytes() for name, array in found.items()} == {
        name: array.tobytes() for name, array in arrays_.items()
    }


def test_bfloat16_keeps_its_bits_and_its_name() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'kv' is not installed")
    library = pytest.importorskip("safetensors.torch", reason="the extra 'kv' is not installed")
    values = torch.tensor([1.5, -2.0, 3e38], dtype=torch.bfloat16)
    bits = values.view(torch.int16).numpy().view(np.uint16)

    data = b"".join(tensors.dump({"k": bits}, dtypes={"k": "BF16"}))

    assert torch.equal(library.load(data)["k"], values)
    assert tensors.load(data).dtypes == {"k": "BF16"}
    assert tensors.load(data).arrays["k"].tobytes() == bits.tobytes()


def test_what_is_loaded_is_a_view_that_cannot_be_written() -> None:
    data = b"".join(tensors.dump({"k": np.zeros(4, dtype=np.float32)}))

    array = tensors.load(data).arrays["k"]

    assert not array.flags.owndata
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1.0


@pytest.mark.parametrize("array", [np.array(["text"]), np.array([1j]), np.array([object()])])
def test_a_type_the_format_does_not_have_is_refused(array: NDArray[Any]) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        tensors.dump({"k": array})


def test_a_named_type_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be written as BF16"):
        tensors.dump({"k": np.zeros(2, dtype=np.float32)}, dtypes={"k": "BF16"})


def file_of(header: object, body: bytes = b"\0" * 8) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


ENTRY = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" * 64,
        file_of([]),
        file_of({"k": ENTRY}, b"\0" * 7),
        file_of({"k": ENTRY}, b"\0" * 9),
        file_of({"k": {**ENTRY, "dtype": "C64"}}),
        file_of({"k": {**ENTRY, "shape": [3]}}),
        file_of({"k": {**ENTRY, "shape": [-2]}}),
        file_of({"k": {**ENTRY, "shape": [True, 2]}}),
        file_of({"k": {**ENTRY, "data_offsets": [-8, 0]}}),
        file_of({"k": {**ENTRY, "data_offsets": [4, 12]}}, b"\0" * 12),
        file_of({"a": ENTRY, "b": ENTRY}),
        file_of({"k": "F32"}),
        file_of({"k": {"dtype": "F32"}}),
        file_of({"__metadata__": 7}),
    ],
)
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        tensors.load(data)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_loaded_or_refused(data: bytes) -> None:
    try:
        found = tensors.load(data)
    except ValueError:
        return
    assert sum(array.nbytes for array in found.arrays.values()) <= len(data)
