"""The embedder without weights: the same everywhere, honest about what it knows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.embed.hashing import HashEmbedder
from agentmem.errors import InvalidInputError

# changing these makes every store built with hashes unreadable without a new name
GOLDEN = [0.0, -0.313049, -0.760263, 0.313049, 0.357771, 0.313049, 0.0, 0.0]


def test_its_vectors_are_the_golden_ones() -> None:
    row = HashEmbedder(8).embed(["I adopted a cat."])[0]

    assert row.tolist() == pytest.approx(GOLDEN, abs=1e-6)


def test_its_vectors_are_the_same_in_another_process(run_python: Callable[..., str]) -> None:
    code = "from agentmem.embed.hashing import HashEmbedder as H; print(H().embed(['Zoë 喝咖啡 cat']).tobytes().hex())"

    assert run_python(code) == HashEmbedder().embed(["Zoë 喝咖啡 cat"]).tobytes().hex()


@given(texts=st.lists(st.text(max_size=30), max_size=5))
def test_every_row_is_a_unit_vector_whatever_the_text(texts: list[str]) -> None:
    rows = HashEmbedder(64).embed(texts)

    assert rows.shape == (len(texts), 64)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(texts)), abs=1e-5)


def test_a_text_does_not_change_with_its_company() -> None:
    alone = HashEmbedder(64).embed(["the cat"])[0]
    together = HashEmbedder(64).embed(["a dog", "the cat", ""])[1]

    assert alone.tolist() == together.tolist()


def test_shared_words_bring_texts_nearer() -> None:
    query, near, far = HashEmbedder().embed(["the cat sleeps", "my cats slept", "quarterly revenue"])

    assert query @ near > query @ far + 0.2


def test_its_name_says_its_dims() -> None:
    assert (HashEmbedder(128).name, HashEmbedder(128).dims) == ("hash-128", 128)


@pytest.mark.parametrize("dims", [0, -1, 65_537])
def test_dims_that_make_no_sense_are_refused(dims: int) -> None:
    with pytest.raises(InvalidInputError, match="1 to 65536 dims"):
        HashEmbedder(dims)
