"""Static decoding gives the tokens of ordinary decoding, leaves the same behind, and moves nothing on the way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import DynamicCache, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from agentmem.errors import InvalidInputError
from agentmem.kv import KVMemory, attach, policies, static_decode, static_run
from agentmem.kv.adopted import adopted
from agentmem.kv.captured import Captured
from agentmem.kv.layer import KVLayer
from agentmem.kv.static import Ring, StaticLayer
from agentmem.kv.static_run import StaticRun

from .conftest import SHAPES, Build

NEW = 150
ROLLING: dict[str, tuple[policies.Policy, int | None]] = {
    "full": (policies.Full(), None),
    "sinks": (policies.SinkRecent(), 20),
    "blocks": (policies.BlockRetrieval(blocks=1, bits=16), 20),
    "all-blocks": (policies.BlockRetrieval(blocks=None, bits=8), 20),
    "split": (
        policies.HeadSplit(((0,), (), (0, 1), (1,)), over=policies.BlockRetrieval(blocks=1, bits=16)),
        20,
    ),
}


def made(model: Any, tokens: torch.Tensor, **options: Any) -> Any:
    """What greedy decoding gives, with its logits and cache."""
    # else a generated padding token would be taken for padding
    mask = torch.ones_like(tokens)
    return model.generate(
        tokens,
        **{
            "max_new_tokens": NEW,
            "do_sample": False,
            "output_logits": True,
            "attention_mask": mask,
            **options,
        },
        return_dict_in_generate=True,
    )


def same_logits(one: Any, other: Any) -> bool:
    return torch.allclose(torch.stack(one.logits), torch.stack(other.logits), atol=1e-3)


@pytest.mark.parametrize("length", [3, 40, 84])
@pytest.mark.parametrize("name", ROLLING)
def test_the_tokens_and_what_is_held_are_those_of_ordinary_decoding(
    models: Build, name: str, length: int
) -> None:
    policy, budget = ROLLING[name]
    model, tokens = models(), torch.randint(3, 97, (2, length))

    with attach(model, policy, budget_tokens=budget) as attached:
        want = made(model, tokens)
        wanted = attached.stats()
        got = made(model, tokens, custom_generate=static_decode)
        found = attached.stats()

    assert torch.equal(got.sequences, want.sequences)
    assert same_logits(got, want)
    assert found == wanted


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_model_decodes_so(models: Build, prompt: torch.Tensor, shape: str) -> None:
    model = models(shape)

    with attach(model, policies.BlockRetrieval(blocks=1, bits=16), budget_tokens=20):
        want = made(model, prompt)
        got = made(model, prompt, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)
    assert same_logits(got, want)


def test_sampling_draws_the_same_tokens_from_the_same_seed(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    options = {"do_sample": True, "temperature": 0.8, "top_p": 0.9, "repetition_penalty": 1.1}

    with attach(model, policies.SinkRecent(), budget_tokens=20):
        torch.manual_seed(3)
        want = made(model, prompt, **options)
        torch.manual_seed(3)
        got = made(model, prompt, **options, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)


@pytest.mark.parametrize("name", ROLLING)
def test_a_conversation_goes_on_from_its_cache_in_either_way(
    models: Build, prompt: torch.Tensor, name: str
) -> None:
    policy, budget = ROLLING[name]
    model, said = models(), torch.randint(3, 97, (1, 30))

    def turns(first: dict[str, Any], second: dict[str, Any]) -> torch.Tensor:
        with attach(model, policy, budget_tokens=budget):
            one = made(model, prompt, **first)
            asked = torch.cat([one.sequences, said], dim=1)
            two: torch.Tensor = made(model, asked, past_key_values=one.past_key_values, **second).sequences
            return two

    static = {"custom_generate": static_decode}
    want = turns({}, {})

    assert torch.equal(turns(static, {}), want)
    assert torch.equal(turns({}, static), want)
    assert torch.equal(turns(static, static), want)


def test_a_prompt_is_read_in_chunks(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with attach(model, policies.SinkRecent(), budget_tokens=20):
        want = made(model, prompt, prefill_chunk_size=7)
        got = made(model, prompt, prefill_chunk_size=7, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)


def test_a_prompt_of_embeddings_is_read(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    embeds = model.get_input_embeddings()(prompt)

    with attach(model):
        want = model.generate(inputs_embeds=embeds, max_new_tokens=20, do_sample=False)
        got = model.generate(
            inputs_embeds=embeds, max_new_tokens=20, do_sample=False, custom_generate=static_decode
        )

    assert torch.equal(got, want)


def test_each_sequence_ends_at_its_end_token_and_is_padded_from_there(models: Build) -> None:
    model, tokens = models(), torch.randint(3, 97, (3, 12))
    with attach(model):
        ends = [int(row[20]) for row in made(model, tokens).sequences[:2]]
        want = made(model, tokens, eos_token_id=ends)
        got = made(model, tokens, eos_token_id=ends, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)


def test_recalled_episodes_are_attended_to(
    models: Build, prompt: torch.Tensor, tokenizer: Any, memory: Any
) -> None:
    model = models()
    kv = KVMemory(model, tokenizer, memory, bits=16, min_agreement=0)
    kv.remember("babel keeps ambare . dabel likes ambane .")

    with kv.recalled("babel"):
        want = made(model, prompt)
        got = made(model, prompt, custom_generate=static_decode)
    with attach(model):
        without = made(model, prompt, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)
    assert same_logits(got, want)
    assert not same_logits(without, want)


def test_no_position_passes_the_reach(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with attach(model, policies.SinkRecent(), budget_tokens=20, reach=60):
        want = made(model, prompt)
        got = made(model, prompt, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)
    assert same_logits(got, want)


@pytest.mark.parametrize("name", ["full", "blocks"])
def test_where_room_runs_out_more_is_made(
    models: Build, prompt: torch.Tensor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(static_run, "AHEAD", 10)
    policy, budget = ROLLING[name]
    model = models()

    with attach(model, policy, budget_tokens=budget) as attached:
        want = made(model, prompt)
        wanted = attached.stats()
        got = made(model, prompt, custom_generate=static_decode)

    assert torch.equal(got.sequences, want.sequences)
    assert attached.stats() == wanted


class Said(BaseStreamer):  # type: ignore[misc]
    """Notes what it is given."""

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.ended = False

    def put(self, value: torch.Tensor) -> None:
        self.tokens += value.flatten().tolist()

    def end(self) -> None:
        self.ended = True


def test_a_streamer_gets_the_prompt_and_each_token(models: Build, prompt: torch.Tensor) -> None:
    model, said = models(), Said()

    with attach(model):
        tokens = made(model, prompt, custom_generate=static_decode, stream_to=said).sequences

    assert said.tokens == tokens[0].tolist()
    assert said.ended


@pytest.mark.parametrize("name", ROLLING)
def test_an_interrupted_run_leaves_a_cache_to_go_on_from(
    models: Build, prompt: torch.Tensor, name: str
) -> None:
    policy, budget = ROLLING[name]
    model = models()

    def stop(ids: torch.Tensor, scores: Any, **rest: Any) -> torch.Tensor:
        if ids.shape[1] == prompt.shape[1] + 101:
            raise KeyboardInterrupt
        return torch.zeros(len(ids), dtype=torch.bool)

    with attach(model, policy, budget_tokens=budget):
        want = made(model, prompt, past_key_values=model(prompt[:, :-1]).past_key_values).sequences
        cache = model(prompt[:, :-1]).past_key_values
        with pytest.raises(KeyboardInterrupt):
            made(
                model,
                prompt,
                past_key_values=cache,
                custom_generate=static_decode,
                stopping_criteria=StoppingCriteriaList([stop]),
            )
        seen = cache.get_seq_length()
        rest = made(model, want[:, : seen + 1], past_key_values=cache, max_new_tokens=40).sequences

    assert seen == prompt.shape[1] + 100
    assert torch.equal(rest[:, : want.shape[1]], want[:, : rest.shape[1]])


@pytest.mark.parametrize("name", ROLLING)
def test_no_tensor_of_a_step_moves_or_changes_shape(
    models: Build, prompt: torch.Tensor, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy, budget = ROLLING[name]
    model = models()
    dropped, ran = [], []
    monkeypatch.setattr(Captured, "drop", lambda step: dropped.append(len(ran)))
    forward = StaticRun._forward
    monkeypatch.setattr(StaticRun, "_forward", lambda run: (ran.append(1), forward(run))[1])

    with attach(model, policy, budget_tokens=budget):
        made(model, torch.randint(3, 97, (1, 100)), max_new_tokens=400, custom_generate=static_decode)

    # when the tensors are made, when room for pages is first needed, and at the end
    assert [at for at in dropped if 0 < at < len(ran)] == []
    assert len(ran) > 390


@pytest.mark.parametrize(
    ("policy", "budget"),
    [(policies.H2O(), 20), (policies.TOVA(), 20), (policies.ClusteredRetrieval(), 20)],
)
def test_a_policy_that_chooses_by_more_than_order_is_refused_by_name(
    models: Build, prompt: torch.Tensor, policy: policies.Policy, budget: int
) -> None:
    model = models()

    with (
        attach(model, policy, budget_tokens=budget),
        pytest.raises(InvalidInputError, match=type(policy).__name__),
    ):
        made(model, prompt, custom_generate=static_decode)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"num_beams": 2}, "beams"),
        ({"output_attentions": True}, "attentions"),
        ({"use_cache": False}, "cache"),
        ({"attention_mask": torch.tensor([[0] + [1] * 39])}, "padding"),
    ],
)
def test_what_has_no_fixed_shape_is_refused(
    models: Build, prompt: torch.Tensor, options: dict[str, Any], reason: str
) -> None:
    model = models()

    with attach(model), pytest.raises(InvalidInputError, match=reason):
        made(model, prompt, custom_generate=static_decode, **options)


def test_a_model_that_is_not_attached_is_refused(models: Build, prompt: torch.Tensor) -> None:
    with pytest.raises(InvalidInputError, match="attach"):
        made(models(), prompt, custom_generate=static_decode)


def test_a_cache_that_has_seen_the_whole_prompt_is_refused(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with attach(model):
        cache = model(prompt).past_key_values
        with pytest.raises(InvalidInputError, match="one token more"):
            made(model, prompt, past_key_values=cache, custom_generate=static_decode)


def test_a_plain_cache_is_taken_over_and_given_back(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    cache, plain = DynamicCache(), DynamicCache()
    want = made(model, prompt, past_key_values=plain)
    first = model.generate(prompt, past_key_values=cache, max_new_tokens=10, do_sample=False)

    with adopted(model, cache) as mine:
        got = made(
            model, first, past_key_values=mine, max_new_tokens=NEW - 10, custom_generate=static_decode
        ).sequences

    assert torch.equal(got, want.sequences)
    assert cache.get_seq_length() == plain.get_seq_length()
    for one, other in zip(cache.layers, plain.layers, strict=True):
        assert torch.allclose(one.keys, other.keys, atol=1e-4)
        assert torch.allclose(one.values, other.values, atol=1e-4)


def test_a_plain_cache_with_windows_is_not_taken_over(models: Build) -> None:
    model = models("mistral-window")

    with (
        pytest.raises(InvalidInputError, match="over a window only"),
        adopted(model, DynamicCache(config=model.config)),
    ):
        pass


@settings(deadline=None)
@given(
    held=st.integers(0, 40),
    sinks=st.integers(0, 8),
    recent=st.integers(1, 40),
    steps=st.integers(0, 120),
)
def test_a_ring_that_wraps_holds_the_sinks_and_the_last_tokens(
    held: int, sinks: int, recent: int, steps: int
) -> None:
    slots = sinks + recent + 1
    layer = KVLayer()
    held = min(held, slots - 1)
    numbers = torch.arange(held, dtype=torch.float32).view(1, 1, -1, 1)
    layer.update(numbers, -numbers)
    ring = Ring(layer, slots, sinks, wraps=True)
    static = StaticLayer(layer, ring)

    for token in range(held, held + steps):
        ring.advance()
        new = torch.full((1, 1, 1, 1), float(token))
        static.update(new, -new)
    attended = int(ring.seen.sum())
    static.give(steps)

    total = held + steps
    kept = [token for token in range(total) if token < sinks or token >= total - recent]
    if total <= slots - 1:
        kept = list(range(total))
    assert layer.positions is not None
    assert layer.positions.flatten().tolist() == kept
    assert layer.kv[0].flatten().tolist() == kept
    assert layer.kv[1].flatten().tolist() == [-token for token in kept]
    assert attended == (min(total, slots) if steps else 0)
    assert int(ring.lengths.sum()) == attended


def test_elsewhere_than_on_a_gpu_a_step_is_called_as_it_is() -> None:
    ran: list[int] = []
    step = Captured(lambda: ran.append(1), torch.device("cpu"))

    step()
    step()
    step.drop()
    step()

    assert len(ran) == 3
