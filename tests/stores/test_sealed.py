"""What is sealed comes back whole under its key, and not at all otherwise."""

from __future__ import annotations

import io
import itertools
from importlib import import_module

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.errors import EncryptionKeyError
from agentmem.keys import secret_key

pytest.importorskip("cryptography", reason="the extra 'encryption' is not installed")
sealed = import_module("agentmem.stores.sealed")
KEY = secret_key(b"k" * 32)
CHUNK = sealed.CHUNK

sizes = st.sampled_from([0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 7])


def content(size: int) -> bytes:
    return bytes(number * 31 % 251 for number in range(size))


@given(size=sizes, cuts=st.lists(st.integers(0, 3 * CHUNK), max_size=4))
def test_what_is_written_in_any_pieces_is_read_back(size: int, cuts: list[int]) -> None:
    data = content(size)
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    out = io.BytesIO()

    with sealed.SealedWriter(out, KEY) as file:
        pieces = [file.write(data[start:end]) for start, end in itertools.pairwise(edges)]

    assert sum(pieces) == size
    assert sealed.unseal(out.getvalue(), KEY) == data


@given(size=sizes, start=st.integers(0, 3 * CHUNK), length=st.integers(0, 2 * CHUNK))
def test_any_stretch_can_be_read_by_itself(size: int, start: int, length: int) -> None:
    data = content(size)
    reader = io.BufferedReader(sealed.SealedReader(io.BytesIO(sealed.seal(data, KEY)), KEY))

    reader.seek(start)

    assert reader.read(length) == data[start : start + length]


@given(size=sizes, place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(size: int, place: float, bit: int) -> None:
    damaged = bytearray(sealed.seal(content(size), KEY))
    damaged[int(place * len(damaged))] ^= 1 << bit

    with pytest.raises((ValueError, EncryptionKeyError)):
        sealed.unseal(bytes(damaged), KEY)


@given(size=sizes, left=st.floats(0, 1, exclude_max=True))
def test_no_cut_goes_unnoticed(size: int, left: float) -> None:
    whole = sealed.seal(content(size), KEY)

    with pytest.raises((ValueError, EncryptionKeyError)):
        sealed.unseal(whole[: int(left * len(whole))], KEY)


def test_a_cut_between_chunks_is_noticed() -> None:
    whole = sealed.seal(content(2 * CHUNK), KEY)
    first = whole[: sealed.HEADER + CHUNK + 16]

    with pytest.raises(ValueError, match="chunk 0 is damaged"):
        sealed.unseal(first, KEY)


def test_swapped_chunks_are_noticed() -> None:
    whole = sealed.seal(content(3 * CHUNK), KEY)
    header, step = sealed.HEADER, CHUNK + 16
    swapped = whole[:header] + whole[header + step : header + 2 * step] + whole[header : header + step]

    with pytest.raises(ValueError, match="chunk 0 is damaged"):
        sealed.unseal(swapped + whole[header + 2 * step :], KEY)


def test_another_key_is_told_from_damage() -> None:
    with pytest.raises(EncryptionKeyError, match="does not open"):
        sealed.unseal(sealed.seal(b"words", KEY), secret_key(b"x" * 32))


def test_the_same_bytes_are_sealed_differently_each_time() -> None:
    assert sealed.seal(b"words", KEY) != sealed.seal(b"words", KEY)
    assert b"words" not in sealed.seal(b"words", KEY)
