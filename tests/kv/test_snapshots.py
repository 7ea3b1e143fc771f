"""What a model made of a text comes back with the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv import ExactKV, attach, planes, restore, snapshot
from agentmem.kv.snapshots import tensors_of

from .conftest import build

TEXT = torch.randint(3, 97, (90,), generator=torch.Generator().manual_seed(4)).tolist()
NEXT = torch.tensor([[5, 6, 7]])
ALL_HEADS = {"num_key_value_heads": 4}


@torch.no_grad()
def read(model: Any, chunk: int) -> Any:
    """The cache of the text, read in calls of so many tokens by the plain model."""
    cache = None
    for part in torch.tensor([TEXT]).split(chunk, dim=1):
        cache = model(part, past_key_values=cache, use_cache=True).past_key_values
    return cache


@torch.no_grad()
def same_bits(model: Any, one: Any, other: Any) -> bool:
    """Whether caches, and what follows on them, are identical."""
    left, right = tensors_of(one), tensors_of(other)
    same = all(torch.equal(left[name], right[name]) for name in left)
    logits = (model(NEXT, past_key_values=cache).logits for cache in (one, other))
    return same and left.keys() == right.keys() and torch.equal(*logits)


@pytest.mark.parametrize("mode", ["lossless", "residual", "replay"])
@pytest.mark.parametrize("shape", ["llama", "qwen3", "gemma3", "phi3"])
def test_it_is_restored_as_if_it_had_just_been_read(shape: str, mode: Any) -> None:
    model = build(shape, **ALL_HEADS)

    cache = restore(model, snapshot(model, TEXT, mode=mode, chunk=32))

    assert same_bits(model, cache, read(model, 32))


@pytest.mark.parametrize("mode", ["lossless", "replay"])
def test_in_bfloat16_too(mode: Any) -> None:
    model = build("llama").to(torch.bfloat16)

    cache = restore(model, snapshot(model, TEXT, mode=mode, chunk=32))

    assert same_bits(model, cache, read(model, 32))


def test_in_half_the_bytes_a_residual_holds_what_keys_and_values_do() -> None:
    model = build("llama", **ALL_HEADS)

    sizes = {mode: snapshot(model, TEXT, mode=mode).size_bytes for mode in ("lossless", "residual", "replay")}

    assert sizes["replay"] == 4 * 90
    assert sizes["residual"] < 0.6 * sizes["lossless"] < 0.6 * 90 * 4 * 2 * 4 * 16 * 4


def test_residuals_are_refused_where_keys_and_values_are_smaller(models: Any) -> None:
    with pytest.raises(InvalidInputError, match="take 64 numbers a token and layer, its keys and values 64"):
        snapshot(models(), TEXT, mode="residual")


def test_generation_goes_on_from_it_and_it_is_not_changed(models: Any) -> None:
    kept = snapshot(models(), TEXT)
    prompt = torch.tensor([[*TEXT, 5]])

    asked = {"max_new_tokens": 8, "do_sample": False, "attention_mask": torch.ones_like(prompt)}
    first, second = (
        models().generate(prompt, past_key_values=restore(models(), kept), **asked) for _ in range(2)
    )

    assert first.tolist() == second.tolist() == models().generate(prompt, **asked).tolist()


def test_an_attached_model_is_refused(models: Any) -> None:
    with attach(models()), pytest.raises(InvalidInputError, match="leave that block"):
        snapshot(models(), TEXT)


@pytest.mark.parametrize("wrong", [{"mode": "exact"}, {"chunk": 0}])
def test_what_cannot_be_is_refused(models: Any, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        snapshot(models(), TEXT, **wrong)


def test_a_model_of_another_dtype_is_refused(models: Any) -> None:
    kept = snapshot(models(), TEXT)

    with pytest.raises(InvalidInputError, match=r"is of torch\.float32, the model of torch\.bfloat16"):
        restore(build("llama").to(torch.bfloat16), kept)


@given(
    numbers=st.lists(st.floats(width=32), max_size=40),
    dtype=st.sampled_from([torch.float32, torch.bfloat16, torch.float16]),
)
def test_packing_loses_no_bit(numbers: list[float], dtype: torch.dtype) -> None:
    x = torch.tensor(numbers, dtype=torch.float32).to(dtype)

    back = planes.unpack(planes.pack(x), dtype, tuple(x.shape))

    assert torch.equal(back.view(torch.uint8), x.view(torch.uint8))


def test_bytes_of_something_else_are_refused() -> None:
    packed = planes.pack(torch.randn(8))

    with pytest.raises(ValueError, match="cannot be inflated"):
        planes.unpack(packed[:-1], torch.float32, (9,))


def test_a_remembered_text_is_restored_from_the_file(models: Any, tokenizer: Any, tmp_path: Path) -> None:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        kv = ExactKV(models(), tokenizer, memory)
        id = kv.remember("babel keeps ambare . who likes dabel ?")

        again = ExactKV(models(), tokenizer, memory)
        cache = again.restore(id)

        with torch.no_grad():
            read = models()(again.load(id).token_ids.long()[None], use_cache=True).past_key_values
        assert same_bits(models(), cache, read)
        assert memory.get(id).content == "babel keeps ambare . who likes dabel ?"
        assert kv.remember("babel keeps ambare . who likes dabel ?") == id


def test_a_forgotten_text_leaves_no_snapshot(models: Any, tokenizer: Any, tmp_path: Path) -> None:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        kv = ExactKV(models(), tokenizer, memory, mode="replay")
        id = kv.remember("babel keeps ambare .")

        memory.forget(ids=[id])

        with pytest.raises(RecordNotFoundError):
            kv.load(id)


def test_another_model_is_refused_and_a_broken_file_found(
    models: Any, tokenizer: Any, tmp_path: Path
) -> None:
    with Memory(tmp_path / "agent.db", embedder="hash") as memory:
        id = ExactKV(models(), tokenizer, memory).remember("babel keeps ambare .")

        with pytest.raises(FingerprintMismatchError):
            ExactKV(models("qwen3"), tokenizer, memory).load(id)

        (file,) = tmp_path.rglob("*.safetensors")
        broken = np.fromfile(file, dtype=np.uint8)
        broken[-1] ^= 1
        file.chmod(0o644)
        file.write_bytes(broken.tobytes())
        with pytest.raises(CorruptLatentError):
            ExactKV(models(), tokenizer, memory).load(id)
