"""Codes of any precision come back, err less with more bits, and favour none."""

from __future__ import annotations

from importlib import import_module
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.contracts import Precision, Vectors

precision = import_module("agentmem.stores.precision")
LOSSY = ("int8", "int4", "binary")


def unit_rows(count: int, dims: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, dims), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def around(centre: Vectors, cosine: float, count: int, seed: int) -> Vectors:
    """Unit rows `[count, dims]` whose cosine with `centre` is exactly `cosine`."""
    rows = unit_rows(count, len(centre), seed)
    rows -= np.outer(rows @ centre, centre)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return (cosine * centre + np.sqrt(1 - cosine**2) * rows).astype(np.float32)


@given(dims=st.integers(1, 97), seed=st.integers(0, 1000), name=st.sampled_from(precision.PRECISIONS))
def test_codes_survive_a_second_encoding_unchanged(dims: int, seed: int, name: Precision) -> None:
    codec = precision.Codec(dims, seed=1)
    codes = codec.encode(unit_rows(5, dims, seed), name)

    again = codec.encode(codec.decode(codes, name), name)

    assert codes.shape == (5, precision.row_bytes(name, dims))
    assert np.array_equal(again[:, 4:], codes[:, 4:])


@given(dims=st.integers(1, 64), seed=st.integers(0, 1000))
def test_float32_is_exact(dims: int, seed: int) -> None:
    codec = precision.Codec(dims, seed=1)
    rows = unit_rows(3, dims, seed)

    assert np.array_equal(codec.decode(codec.encode(rows, "float32"), "float32"), rows)


@given(dims=st.integers(2, 128), seed=st.integers(0, 1000), name=st.sampled_from(LOSSY))
def test_the_decoded_vector_agrees_with_the_true_one_along_it(dims: int, seed: int, name: Precision) -> None:
    codec = precision.Codec(dims, seed=3)
    rows = unit_rows(4, dims, seed)

    decoded = codec.decode(codec.encode(rows, name), name)

    assert np.einsum("nd,nd->n", decoded, rows) == pytest.approx(np.ones(4), abs=1e-4)


@pytest.mark.parametrize("name", precision.PRECISIONS)
def test_products_with_codes_are_those_with_what_they_decode_to(name: Precision) -> None:
    codec, few = precision.Codec(33, seed=1), unit_rows(3, 33, 2)
    codes = codec.encode(unit_rows(5, 33, 1), name)

    products = codec.products(codes, name, few)

    assert products == pytest.approx(codec.decode(codes, name) @ few.T, abs=1e-5)


def test_a_zero_vector_decodes_to_zero() -> None:
    codec = precision.Codec(48, seed=0)
    zero = np.zeros((1, 48), dtype=np.float32)

    decoded = [codec.decode(codec.encode(zero, name), name) for name in LOSSY]

    assert not np.any(decoded)


@pytest.mark.parametrize(
    ("name", "bytes_of_384"), [("float32", 1536), ("int8", 388), ("int4", 196), ("binary", 52)]
)
def test_a_row_takes_as_many_bytes_as_documented(name: Precision, bytes_of_384: int) -> None:
    assert precision.row_bytes(name, 384) == bytes_of_384


def test_the_error_falls_with_the_bits() -> None:
    codec = precision.Codec(384, seed=0)
    rows, queries = unit_rows(2000, 384, 1), unit_rows(50, 384, 2)
    true = rows @ queries.T

    errors = [
        float(np.std(codec.decode(codec.encode(rows, name), name) @ queries.T - true)) for name in LOSSY
    ]

    # a Gaussian query sees sqrt(loss / (1 - loss) / dims): losses 5e-5, 0.0095 and 1 - 2/pi
    assert errors == pytest.approx([0.0004, 0.0050, 0.0385], rel=0.15)


@pytest.mark.parametrize("name", LOSSY)
@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.6, 0.9])
def test_estimates_are_unbiased_at_every_cosine(name: Precision, cosine: float) -> None:
    query = unit_rows(1, 128, 5)[0]
    rows = around(query, cosine, 100, seed=6)

    estimates = [
        codec.decode(codec.encode(rows, name), name) @ query
        for codec in (precision.Codec(128, seed) for seed in range(20))
    ]

    # one rotation is off by up to 0.013 (binary, one standard deviation); without the factor it would be 0.18
    assert float(np.mean(estimates)) == pytest.approx(cosine, abs=0.01)


def test_a_ranking_of_mixed_precisions_favours_none() -> None:
    """Of rows equally near the question, each precision holds its quarter of the better half."""
    query = unit_rows(1, 384, 11)[0]
    rows = around(query, 0.5, 8000, seed=12)
    codec = precision.Codec(384, seed=13)
    quarters = np.split(rows, 4)
    scores = np.concatenate(
        [
            codec.decode(codec.encode(quarter, name), name) @ query
            for quarter, name in zip(quarters, precision.PRECISIONS, strict=True)
        ]
    )

    above = (scores > 0.5).reshape(4, -1).mean(axis=1)

    assert above[1:] == pytest.approx([0.5, 0.5, 0.5], abs=0.05)


@pytest.mark.parametrize("name", ["int4", "binary"])
def test_falling_step_by_step_loses_no_more_than_falling_at_once(name: Precision) -> None:
    codec = precision.Codec(384, seed=0)
    rows, queries = unit_rows(1000, 384, 1), unit_rows(50, 384, 2)
    at_once = codec.decode(codec.encode(rows, name), name)
    steps = precision.PRECISIONS[1 : precision.PRECISIONS.index(name)]

    fallen = rows
    for step in steps:
        fallen = codec.decode(codec.encode(fallen, step), step)
    fallen = codec.decode(codec.encode(fallen, name), name)

    true = rows @ queries.T
    assert np.std(fallen @ queries.T - true) < 1.05 * np.std(at_once @ queries.T - true)
    assert np.mean(np.einsum("nd,nd->n", fallen, rows)) == pytest.approx(1.0, abs=0.005)


def test_every_level_is_the_mean_of_its_cell() -> None:
    """The condition of Lloyd and Max for the least squared error of a unit Gaussian."""
    gauss = NormalDist()
    borders = [-12.0, *((precision.CODEBOOK[1:] + precision.CODEBOOK[:-1]) / 2).tolist(), 12.0]

    means = [
        (gauss.pdf(low) - gauss.pdf(high)) / (gauss.cdf(high) - gauss.cdf(low))
        for low, high in pairwise(borders)
    ]

    assert means == pytest.approx(precision.CODEBOOK.tolist(), abs=1e-3)
