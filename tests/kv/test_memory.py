"""`KVMemory`: words and their keys and values, kept, checked, recalled and made again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv import KVMemory, attach, policies

from .conftest import WORDS, build, word_tokenizer

LONG = " ".join(WORDS[-50:] * 2)
PROMPT = torch.tensor([[1, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30]])


@pytest.fixture(scope="module")
def model() -> Any:
    return build("llama")


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as opened:
        yield opened


@pytest.fixture
def kv(model: Any, tokenizer: Any, memory: Memory) -> KVMemory:
    return trusting(model, tokenizer, memory, bits=16)


def trusting(*parts: Any, **settings: Any) -> KVMemory:
    """One that asks nothing of its episodes: those of a random model are not like a prompt."""
    return KVMemory(*parts, **{"min_agreement": 0, **settings})


def files(folder: Path) -> dict[str, str]:
    """Every file of the latents with its sha256."""
    held = sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("agent.db")
    )
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in held}


def flip(folder: Path) -> None:
    """One bit of the last byte of the only file."""
    (name,) = files(folder)
    path = Path(name)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def ask(model: Any) -> torch.Tensor:
    with torch.no_grad():
        logits: torch.Tensor = model(PROMPT).logits
    return logits


def test_remembered_text_is_in_the_text_memory_and_in_keys_and_values(kv: KVMemory, memory: Memory) -> None:
    id = kv.remember("babel keeps ambare .", session="s1")

    kept = kv.load(id)
    assert memory.get(id).content == "babel keeps ambare ."  # type: ignore[union-attr]
    assert kept.token_ids.tolist() == kv.tokenizer("babel keeps ambare .")["input_ids"]
    assert [k.shape for k in kept.k] == [(1, 2, 4, 16)] * 4
    assert kept.fingerprint == kv.fingerprint
    assert kv.verify(id).sha256 == kept.sha256


def test_the_same_text_twice_is_one_episode(kv: KVMemory, memory: Memory) -> None:
    first = kv.remember("babel keeps ambare .")
    second = kv.remember("babel keeps ambare .")

    assert first == second
    assert len(memory.events()) == 1
    assert len(memory.latents().find(memory.current_namespace)) == 1


def test_messages_remembered_together_are_one_episode(kv: KVMemory, memory: Memory) -> None:
    turns = [{"role": "user", "content": "babel ?"}, {"role": "assistant", "content": "ambare ."}]

    id = kv.remember(turns, session="s1")
    again = kv.remember(turns, session="s1")

    assert id == again
    assert [event.content for event in memory.events()] == ["babel ?", "ambare ."]
    assert kv.load(id).tokens == len(kv.tokenizer("user: babel ?\nassistant: ambare .")["input_ids"])
    assert [episode.id for episode in kv.recall("ambare")] == [id]


def test_recalled_episodes_stand_before_the_prompt_in_the_order_they_happened(kv: KVMemory) -> None:
    early = kv.remember("babel likes ambare .", session="a")
    late = kv.remember("ambare is what dabel likes", session="b")

    with kv.recalled("who likes ambare") as found:
        pass

    assert [episode.id for episode in found.episodes] == [early, late]
    assert [episode.position for episode in found.episodes] == [-9, -5]
    assert [episode.source for episode in found.episodes] == ["kept", "kept"]
    assert (found.blocks, found.taken) == (2, 2)
    assert found.bytes > 0


def test_what_is_recalled_changes_what_the_model_says_and_only_inside(kv: KVMemory, model: Any) -> None:
    kv.remember("babel keeps ambare .")
    before = ask(model)

    with kv.recalled("babel"):
        inside = ask(model)

    assert not torch.allclose(inside, before, atol=1e-2)
    assert torch.equal(ask(model), before)


def test_twenty_turns_change_nothing_that_is_kept(kv: KVMemory, model: Any, tmp_path: Path) -> None:
    id = kv.remember("babel keeps ambare . " + LONG)
    before, held = files(tmp_path), kv.load(id)

    for _ in range(20):
        with kv.recalled("babel"):
            model.generate(PROMPT, attention_mask=torch.ones_like(PROMPT), max_new_tokens=3, do_sample=False)

    after = kv.load(id)
    assert files(tmp_path) == before
    assert after.sha256 == held.sha256
    assert all(torch.equal(a, b) for a, b in zip(after.k + after.v, held.k + held.v, strict=True))
    kv.verify(id)


def test_what_is_done_to_a_loaded_episode_does_not_reach_the_store(kv: KVMemory) -> None:
    id = kv.remember("babel keeps ambare .")

    kv.load(id).pages[0].k.zero_()
    kv.recall("babel")[0].pages[0].k.zero_()

    assert kv.load(id).k[0].abs().sum() > 0
    assert kv.recall("babel")[0].k[0].abs().sum() > 0


def test_a_flipped_byte_is_an_error_and_the_words_serve(kv: KVMemory, model: Any, tmp_path: Path) -> None:
    id = kv.remember("babel keeps ambare .")
    with kv.recalled("babel"):
        whole = ask(model)
    fresh = trusting(kv.model, kv.tokenizer, kv.memory, bits=16)
    flip(tmp_path)

    with pytest.raises(CorruptLatentError):
        fresh.load(id)
    with pytest.raises(CorruptLatentError):
        fresh.verify(id)
    with fresh.recalled("babel") as found:
        made_again = ask(model)

    assert [(one.id, one.source) for one in found.episodes] == [(id, "text")]
    assert "damaged" in found.episodes[0].reason
    assert torch.equal(made_again, whole)


def test_remembering_again_mends_what_was_damaged(kv: KVMemory, tmp_path: Path) -> None:
    id = kv.remember("babel keeps ambare .")
    flip(tmp_path)

    kv.remember("babel keeps ambare .")

    assert kv.load(id).tokens == 4


def test_words_that_were_never_read_by_the_model_are_read_when_recalled_and_kept(
    kv: KVMemory, memory: Memory
) -> None:
    memory.remember("babel keeps ambare .")

    with kv.recalled("babel") as first:
        made = ask(kv.model)
    with kv.recalled("babel") as second:
        kept = ask(kv.model)

    assert [(one.source, one.reason) for one in first.episodes] == [("text", "no keys and values are kept")]
    assert [(one.source, one.reason) for one in second.episodes] == [("kept", "")]
    assert torch.equal(made, kept)
    assert kv.verify(first.episodes[0].id).owner_id == first.episodes[0].id


def test_what_maintenance_dropped_is_kept_again_when_it_comes_back(
    model: Any, tokenizer: Any, tmp_path: Path, clock: ManualClock
) -> None:
    with Memory(tmp_path / "agent.db", embedder="hash", clock=clock) as memory:
        kv = trusting(model, tokenizer, memory, bits=16)
        id = kv.remember("babel keeps ambare .")
        before = kv.load(id).sha256
        clock.advance(timedelta(days=400))

        dropped = memory.maintain().latents
        with kv.recalled("babel") as found:
            pass

        assert dropped == 1
        assert [(one.id, one.source) for one in found.episodes] == [(id, "text")]
        assert kv.load(id).sha256 == before
        assert memory.maintain().latents == 0


def test_a_recall_keeps_nothing_where_it_is_told_so(model: Any, tokenizer: Any, memory: Memory) -> None:
    kv = trusting(model, tokenizer, memory, rekeep=False)
    memory.remember("babel keeps ambare .")

    with kv.recalled("babel") as found:
        pass

    assert [one.source for one in found.episodes] == ["text"]
    with pytest.raises(RecordNotFoundError):
        kv.load(found.episodes[0].id)


def other_weights(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    changed = deepcopy(model)
    with torch.no_grad():
        next(changed.parameters())[0, 0] += 1e-3
    return changed, tokenizer, {}


def other_tokenizer(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    changed = word_tokenizer()
    changed.add_tokens(["newword"])
    return model, changed, {}


def other_rope(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    changed = deepcopy(model)
    changed.model.rotary_emb.inv_freq[3] *= 1.01
    return changed, tokenizer, {}


def other_dtype(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    return deepcopy(model).to(torch.bfloat16), tokenizer, {}


def other_chunks(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    return model, tokenizer, {"chunk": 2}


def other_width(model: Any, tokenizer: Any) -> tuple[Any, Any, dict[str, Any]]:
    return model, tokenizer, {"bits": 4}


@pytest.mark.parametrize(
    "other", [other_weights, other_tokenizer, other_rope, other_dtype, other_chunks, other_width]
)
def test_another_models_numbers_are_refused_and_made_again(other: Any, kv: KVMemory, memory: Memory) -> None:
    id = kv.remember("babel keeps ambare .")
    changed, reader, settings = other(kv.model, kv.tokenizer)
    theirs = trusting(changed, reader, memory, **{"bits": 16, **settings})

    with pytest.raises(FingerprintMismatchError):
        theirs.load(id)
    with theirs.recalled("babel") as found:
        pass

    assert [one.source for one in found.episodes] == ["text"]
    assert theirs.remember("babel keeps ambare .") == id
    assert theirs.load(id).tokens == kv.load(id).tokens


def test_weights_written_to_in_place_are_another_model(tokenizer: Any, memory: Memory) -> None:
    model = build("llama")
    kv = trusting(model, tokenizer, memory)
    id = kv.remember("babel keeps ambare .")

    with torch.no_grad():
        model.lm_head.weight[5, 5] = 9.0

    with pytest.raises(FingerprintMismatchError, match="weights="):
        kv.load(id)


def test_forgotten_words_take_their_keys_and_values_along(
    kv: KVMemory, memory: Memory, tmp_path: Path
) -> None:
    id = kv.remember("babel keeps ambare .")
    memory.forget(ids=[id])

    assert kv.recall("babel") == []
    assert files(tmp_path) == {}
    with pytest.raises(RecordNotFoundError):
        kv.load(id)


def test_another_namespace_sees_no_keys_and_values(kv: KVMemory, memory: Memory) -> None:
    id = kv.remember("babel keeps ambare .")
    theirs = trusting(kv.model, kv.tokenizer, memory.namespace("other"), bits=16)

    assert theirs.recall("babel") == []
    with pytest.raises(RecordNotFoundError):
        theirs.load(id)


def test_inside_attach_the_policy_goes_on(kv: KVMemory, model: Any) -> None:
    kv.remember("babel keeps ambare .")

    with attach(model, policies.SinkRecent(sinks=1, recent=5)) as attached:
        with kv.recalled("babel"):
            inside = ask(model)
            kv.remember("dabel keeps ambane .")
        after = ask(model)

    assert attached.stats().physical_tokens == 6
    assert not torch.allclose(inside, after, atol=1e-2)


def test_a_padded_batch_recalls_what_each_sequence_would_alone(kv: KVMemory, model: Any) -> None:
    kv.remember("babel keeps ambare . " + LONG)
    short = PROMPT[:, -6:]
    padded = torch.cat([torch.zeros(1, 6, dtype=torch.int64), short], dim=1)
    mask = torch.cat([torch.zeros(1, 6), torch.ones(1, 6)], dim=1).long()

    with kv.recalled("babel"):
        alone = model.generate(short, attention_mask=mask[:, 6:], max_new_tokens=6, do_sample=False)
        both = model.generate(
            torch.cat([PROMPT, padded]),
            attention_mask=torch.cat([torch.ones(1, 12).long(), mask]),
            max_new_tokens=6,
            do_sample=False,
        )

    assert both[1, 12:].tolist() == alone[0, 6:].tolist()


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_coded_episodes_are_smaller_and_recalled(
    bits: int, model: Any, tokenizer: Any, memory: Memory
) -> None:
    kv = trusting(model, tokenizer, memory, bits=bits)
    id = kv.remember(LONG)

    with kv.recalled(LONG[:40]) as found:
        coded = ask(model)

    assert found.episodes[0].id == id
    assert kv.load(id).pages[0].k_bits == bits
    assert coded.isfinite().all()


def test_memories_stand_no_further_back_than_half_the_models_positions(
    tokenizer: Any, memory: Memory
) -> None:
    model = build("llama", max_position_embeddings=256)
    kv = trusting(model, tokenizer, memory)
    for name in ("babel", "dabel", "fobel"):
        kv.remember(f"{name} " + LONG, session=name)

    with kv.recalled("babel dabel fobel") as found:
        pass

    assert [one.position for one in found.episodes] == [-128, -128, -101]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"block": 32}, "block is 32"),
        ({"budget_tokens": 10}, "budget_tokens is 10"),
        ({"episodes": 0}, "episodes is 0"),
        ({"bits": 5}, "bits is 5"),
        ({"min_agreement": 80}, "min_agreement is 80"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, int], said: str, model: Any, tokenizer: Any, memory: Memory
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        trusting(model, tokenizer, memory, **settings)  # type: ignore[arg-type]


def test_a_text_longer_than_the_model_reads_is_refused_before_anything_is_stored(
    tokenizer: Any, memory: Memory
) -> None:
    kv = trusting(build("llama", max_position_embeddings=64), tokenizer, memory)

    with pytest.raises(InvalidInputError, match="100 tokens; the model reads 1 to 63"):
        kv.remember(LONG)

    assert memory.events() == []


def test_of_a_long_text_that_others_stored_the_model_reads_the_start(tokenizer: Any, memory: Memory) -> None:
    kv = trusting(build("llama", max_position_embeddings=64), tokenizer, memory)
    memory.remember("babel " + LONG)

    assert [episode.tokens for episode in kv.recall("babel")] == [63]


def test_a_recall_inside_a_recall_is_refused(kv: KVMemory) -> None:
    kv.remember("babel keeps ambare .")

    with (
        kv.recalled("babel"),
        pytest.raises(InvalidInputError, match="recalling already"),
        kv.recalled("babel"),
    ):
        pass


def test_an_encrypted_memory_keeps_no_plain_keys_and_values(
    model: Any, tokenizer: Any, tmp_path: Path
) -> None:
    pytest.importorskip("sqlcipher3", reason="needs the extra agentmem[encryption]")
    with Memory(tmp_path / "agent.db", embedder="hash", key=b"k" * 32) as memory:
        kv = trusting(model, tokenizer, memory)
        id = kv.remember("babel keeps ambare .")

        (name,) = files(tmp_path)
        assert b"token_ids" not in Path(name).read_bytes()
        assert kv.load(id).tokens == 4
