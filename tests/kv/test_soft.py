"""Episodes as embeddings: the trained recall model gives back what they hold; what does not fit is made again."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agentmem.evals import recaller
from agentmem.evals.recaller_text import ID, START, VOCABULARY, facts, sentence, text

from agentmem import Memory
from agentmem.errors import (
    CorruptLatentError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.kv import KVMemory, SoftEncoder, SoftMemory, attach, policies

FACT = "the number was small . badan ambare they come back ."
OTHER = "give back most . fogor frinol our just name ."


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@pytest.fixture(scope="module")
def encoder() -> SoftEncoder:
    found: SoftEncoder = recaller.soft_encoder()
    return found


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as opened:
        yield opened


@pytest.fixture
def soft(model: Any, memory: Memory, encoder: SoftEncoder) -> SoftMemory:
    return SoftMemory(model, recaller.tokenizer(), memory, encoder)


def asked(name: str) -> torch.Tensor:
    return torch.tensor([[ID[START], ID[name]]])


@torch.no_grad()
def says(model: Any, soft: SoftMemory, name: str) -> str:
    """The next word after a prompt of a name, behind what the name recalls."""
    given = soft.recall(name).inputs(asked(name))
    return VOCABULARY[int(model(**given).logits[0, -1].argmax())]


def only_file(folder: Path) -> Path:
    (found,) = (path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("agent.db"))
    return found


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


def test_facts_of_twelve_episodes_are_given_back_though_no_prompt_holds_them(
    model: Any, soft: SoftMemory
) -> None:
    rng = np.random.default_rng(11)
    told = [(VOCABULARY[a], VOCABULARY[b], [*sentence(rng), a, b, *sentence(rng)]) for a, b in facts(rng, 12)]
    for _, _, ids in told:
        soft.remember(text(ids))

    heard = [says(model, soft, name) == thing for name, thing, _ in told]

    assert sum(heard) >= 11


def test_four_facts_fit_into_eight_embeddings_and_few_into_one(
    model: Any, memory: Memory, encoder: SoftEncoder
) -> None:
    rng = np.random.default_rng(12)
    told = facts(rng, 4)
    words = text([part for fact in told for part in (*sentence(rng), *fact)])
    heard = {}
    for count in (8, 1):
        soft = SoftMemory(model, recaller.tokenizer(), memory, encoder, tokens=count)
        soft.remember(words)
        heard[count] = sum(says(model, soft, VOCABULARY[a]) == VOCABULARY[b] for a, b in told)

    assert heard[8] == 4
    assert heard[1] <= 2


def test_an_episode_is_so_many_embeddings_for_each_64_tokens(soft: SoftMemory) -> None:
    short, long = soft.remember(FACT), soft.remember(" ".join([FACT] * 8))

    assert soft.load(short).embeddings.shape == (8, 128)
    assert soft.load(short).size_bytes == 8 * 128 * 2
    assert soft.load(short).text_tokens == 11
    assert soft.load(long).embeddings.shape == (16, 128)


def test_messages_remembered_together_are_one_episode(soft: SoftMemory, memory: Memory) -> None:
    turns = [{"role": "user", "content": "badan"}, {"role": "assistant", "content": "ambare they"}]

    id = soft.remember(turns, session="s1")
    again = soft.remember(turns, session="s1")

    assert id == again
    assert len(memory.events()) == 2
    assert [found.episode.id for found in soft.recall("ambare").episodes] == [id]


def test_generate_goes_on_behind_the_memory_and_gives_back_the_new_tokens(
    model: Any, soft: SoftMemory
) -> None:
    soft.remember(FACT)

    out = model.generate(**soft.recall("badan").inputs(asked("badan")), max_new_tokens=2, do_sample=False)

    assert out.shape == (1, 2)
    assert VOCABULARY[int(out[0, 0])] == "ambare"


def test_a_padded_prompt_reads_the_memory_as_it_would_alone(model: Any, soft: SoftMemory) -> None:
    soft.remember(FACT)
    long = torch.tensor([[ID[START], ID["they"], ID["come"], ID["badan"]]])
    both = torch.cat([long, torch.tensor([[0, 0, ID[START], ID["badan"]]])])
    mask = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]])
    found = soft.recall("badan")

    given = found.inputs(both, mask)
    out = model.generate(**given, max_new_tokens=1, do_sample=False)

    assert given["attention_mask"].tolist()[1] == [0, 0, *[1] * 10]
    assert torch.equal(given["inputs_embeds"][1, 2:], found.inputs(asked("badan"))["inputs_embeds"][0])
    assert [VOCABULARY[int(row)] for row in out[:, 0]] == ["ambare", "ambare"]


def test_padding_on_the_right_is_refused(soft: SoftMemory) -> None:
    soft.remember(FACT)

    with pytest.raises(InvalidInputError, match="pad them on the left"):
        soft.recall("badan").inputs(torch.tensor([[1, 5, 0]]), torch.tensor([[1, 1, 0]]))


def test_nothing_recalled_is_the_prompt_alone(model: Any, soft: SoftMemory) -> None:
    given = soft.recall("badan").inputs(asked("badan"))

    assert torch.equal(given["inputs_embeds"], model.get_input_embeddings()(asked("badan")).detach())


def test_a_bounded_cache_reads_them_too(model: Any, soft: SoftMemory) -> None:
    soft.remember(FACT)

    with attach(model, policies.SinkRecent(sinks=1), budget_tokens=32) as attached:
        soft.remember(OTHER)
        heard = says(model, soft, "fogor")

    assert heard == "frinol"
    assert attached.stats().logical_tokens == 2 + 2 * 8


def test_what_is_done_to_loaded_embeddings_does_not_reach_the_store(soft: SoftMemory) -> None:
    id = soft.remember(FACT)

    soft.load(id).embeddings.zero_()
    soft.recall("badan").episodes[0].episode.embeddings.zero_()

    assert soft.load(id).embeddings.float().abs().sum() > 0


def test_a_flipped_byte_is_an_error_and_the_words_serve(model: Any, soft: SoftMemory, tmp_path: Path) -> None:
    id = soft.remember(FACT)
    before = soft.load(id)
    flip(only_file(tmp_path))

    with pytest.raises(CorruptLatentError):
        soft.load(id)
    (found,) = soft.recall("badan").episodes

    assert (found.source, "damaged" in found.reason) == ("text", True)
    assert torch.equal(found.episode.embeddings, before.embeddings)
    assert soft.load(id).sha256 == before.sha256


def test_words_that_were_never_encoded_are_encoded_when_recalled(soft: SoftMemory, memory: Memory) -> None:
    memory.remember(FACT)

    first, second = soft.recall("badan").episodes[0], soft.recall("badan").episodes[0]

    assert (first.source, first.reason) == ("text", "no embeddings are kept")
    assert (second.source, second.reason) == ("kept", "")


def test_a_recall_keeps_nothing_where_it_is_told_so(model: Any, memory: Memory, encoder: SoftEncoder) -> None:
    soft = SoftMemory(model, recaller.tokenizer(), memory, encoder, rekeep=False)
    memory.remember(FACT)

    assert [soft.recall("badan").episodes[0].source for _ in range(2)] == ["text", "text"]


def test_an_encoder_of_another_model_is_refused(memory: Memory, encoder: SoftEncoder) -> None:
    other = recaller.model()
    with torch.no_grad():
        other.lm_head.weight[5, 5] += 1e-3

    with pytest.raises(FingerprintMismatchError, match="soft encoder"):
        SoftMemory(other, recaller.tokenizer(), memory, encoder)


def test_embeddings_of_another_encoder_are_refused_and_made_again(
    model: Any, soft: SoftMemory, memory: Memory, encoder: SoftEncoder
) -> None:
    id = soft.remember(FACT)
    changed = deepcopy(encoder)
    changed.gain += 0.1
    theirs = SoftMemory(model, recaller.tokenizer(), memory, changed)

    with pytest.raises(FingerprintMismatchError, match="encoder="):
        theirs.load(id)

    assert [found.source for found in theirs.recall("badan").episodes] == ["text"]
    assert soft.load(id).fingerprint == soft.fingerprint


def test_forgotten_words_take_their_embeddings_along(soft: SoftMemory, memory: Memory) -> None:
    id = soft.remember(FACT)
    memory.forget(ids=[id])

    assert soft.recall("badan").episodes == ()
    with pytest.raises(RecordNotFoundError):
        soft.load(id)


def test_another_namespace_sees_none(model: Any, soft: SoftMemory, encoder: SoftEncoder) -> None:
    id = soft.remember(FACT)
    theirs = SoftMemory(model, recaller.tokenizer(), soft.memory.namespace("other"), encoder)

    assert theirs.recall("badan").episodes == ()
    with pytest.raises(RecordNotFoundError):
        theirs.load(id)


def test_keys_and_values_of_the_same_episode_stay_beside_them(
    model: Any, soft: SoftMemory, memory: Memory
) -> None:
    kv = KVMemory(model, recaller.tokenizer(), memory, min_agreement=0)

    id = soft.remember(FACT)

    assert kv.remember(FACT) == id
    assert (kv.load(id).tokens, soft.load(id).text_tokens) == (11, 11)


def test_a_text_without_tokens_is_refused(soft: SoftMemory) -> None:
    with pytest.raises(InvalidInputError):
        soft.remember(" ")
