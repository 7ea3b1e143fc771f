"""An attached model behaves as before where nothing goes, and as a masked model where something does."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from transformers import DynamicCache

from agentmem.errors import ClosedError, InvalidInputError
from agentmem.kv import attach, policies
from agentmem.kv.attention import NAME
from agentmem.kv.support import shape_of

from .conftest import SHAPES, Build

NEW = 24


def greedy(model: Any, tokens: torch.Tensor, **options: Any) -> torch.Tensor:
    made: torch.Tensor = model.generate(tokens, max_new_tokens=NEW, do_sample=False, **options)
    return made


@torch.no_grad()
def in_parts(model: Any, tokens: torch.Tensor, sizes: list[int]) -> torch.Tensor:
    """The logits of tokens that come in calls of these sizes, over one cache."""
    cache, logits = None, []
    for part in tokens.split(sizes, dim=1):
        out = model(part, past_key_values=cache)
        cache, logits = out.past_key_values, [*logits, out.logits]
    return torch.cat(logits, dim=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_full_policy_generates_what_the_plain_model_does(
    models: Build, prompt: torch.Tensor, shape: str
) -> None:
    model = models(shape)
    want = greedy(model, prompt, output_logits=True, return_dict_in_generate=True)

    with attach(model):
        got = greedy(model, prompt, output_logits=True, return_dict_in_generate=True)

    assert torch.equal(got.sequences, want.sequences)
    assert torch.allclose(torch.stack(got.logits), torch.stack(want.logits), atol=1e-4, rtol=1e-5)


@torch.no_grad()
def masked_logits(
    model: Any, tokens: torch.Tensor, starts: list[int], sinks: int, recent: int
) -> torch.Tensor:
    """One call over everything, each query masked to what it would have found in the cache.

    `starts` says, for each token, where the call that brought it began.
    """
    query, key = torch.arange(len(starts))[:, None], torch.arange(len(starts))[None]
    held = (key < sinks) | (key >= torch.tensor(starts)[:, None] - recent)
    table = (held & (key <= query))[None, None].expand(tokens.shape[0], 1, -1, -1)
    logits: torch.Tensor = model(tokens, attention_mask=table, use_cache=False).logits
    return logits


@pytest.mark.parametrize(
    "shape", ["llama", "llama-one-kv-head", "llama3-rope", "qwen2", "qwen3", "mistral", "phi3"]
)
def test_sinks_and_recent_equal_the_mask_over_everything(
    models: Build, prompt: torch.Tensor, shape: str
) -> None:
    model = models(shape)

    with attach(model, policies.SinkRecent(sinks=3, recent=9)) as attached:
        got = in_parts(model, prompt, [17] + [1] * 23)

    want = masked_logits(model, prompt, [0] * 17 + list(range(17, 40)), 3, 9)
    assert torch.allclose(got, want, atol=1e-5, rtol=1e-5)
    assert attached.stats().physical_tokens == 12
    assert attached.stats().logical_tokens == 40


def test_sinks_and_recent_in_chunks_equal_the_mask_too(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with attach(model, policies.SinkRecent(sinks=2, recent=6)):
        got = in_parts(model, prompt, [10] * 4)

    want = masked_logits(model, prompt, [at // 10 * 10 for at in range(40)], 2, 6)
    assert torch.allclose(got, want, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", ["llama", "mistral-window", "gemma3"])
def test_chunked_prefill_changes_nothing_under_the_full_policy(
    models: Build, prompt: torch.Tensor, shape: str
) -> None:
    model = models(shape)
    want = greedy(model, prompt)

    with attach(model):
        got = greedy(model, prompt, prefill_chunk_size=7)

    assert torch.equal(got, want)


@pytest.mark.parametrize("shape", ["llama", "gemma2", "gemma3"])
def test_padded_batch_generates_what_the_plain_model_does(models: Build, shape: str) -> None:
    model = models(shape)
    tokens, mask = padded()
    want = greedy(model, tokens, attention_mask=mask)

    with attach(model):
        got = greedy(model, tokens, attention_mask=mask)

    assert torch.equal(got, want)


def padded() -> tuple[torch.Tensor, torch.Tensor]:
    """Two prompts of 30 and 19 tokens, the shorter one padded at the left."""
    torch.manual_seed(2)
    tokens = torch.randint(3, 97, (2, 30))
    tokens[1, :11] = 0
    return tokens, (tokens != 0).long()


POLICIES = [
    policies.SinkRecent(),
    policies.H2O(),
    policies.TOVA(),
    policies.SnapKV(window=5, kernel=3),
    policies.ExpectedAttention(),
    policies.TokenEntropy(),
    policies.Ladder(run=2),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_a_padded_sequence_keeps_what_it_would_keep_alone(models: Build, policy: policies.Policy) -> None:
    """Padding takes no place in a budget, is no sink and casts no vote."""
    model = models()
    tokens, mask = padded()

    with attach(model, policy, budget_tokens=16):
        together = greedy(
            model, tokens, attention_mask=mask, output_logits=True, return_dict_in_generate=True
        )
        alone = greedy(model, tokens[1:, 11:], output_logits=True, return_dict_in_generate=True)

    assert torch.equal(together.sequences[1, 30:], alone.sequences[0, 19:])
    assert torch.allclose(
        torch.stack(together.logits)[:, 1], torch.stack(alone.logits)[:, 0], atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_every_policy_keeps_its_budget_in_tokens_and_in_memory(
    models: Build, prompt: torch.Tensor, policy: policies.Policy
) -> None:
    model = models()

    with attach(model, policy, budget_tokens=16) as attached:
        greedy(model, prompt, prefill_chunk_size=10)
        short = attached.stats()
        greedy(model, prompt.repeat(1, 5))

    assert short.layer_tokens == (16, 16, 16, 16)
    assert attached.stats().logical_tokens == 200 + NEW - 1
    assert attached.stats().size_bytes == short.size_bytes


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_a_budget_that_holds_everything_changes_nothing(
    models: Build, prompt: torch.Tensor, policy: policies.Policy
) -> None:
    model = models("gemma3")
    want = greedy(model, prompt)

    with attach(model, policy, budget_tokens=100):
        assert torch.equal(greedy(model, prompt), want)


def test_keys_and_values_really_go(models: Build, prompt: torch.Tensor) -> None:
    """Measured on storages: 12 tokens x 4 layers x (2 heads x 16 channels x 2 x 4 bytes + a position)."""
    model = models()

    with attach(model, policies.SinkRecent(sinks=4, recent=8)) as attached:
        out = greedy(model, prompt, return_dict_in_generate=True)

    assert attached.stats().size_bytes == 12 * 4 * (2 * 16 * 2 * 4 + 4)
    assert [layer.keys.untyped_storage().nbytes() for layer in out.past_key_values.layers] == [
        12 * 2 * 16 * 4
    ] * 4


def test_bytes_buy_tokens(models: Build) -> None:
    """One token of this model: 4 layers x 2 heads x (16 channels x 2 x 4 bytes + 8)."""
    with attach(models(), policies.TOVA(), budget_bytes=10 * 4 * 2 * (16 * 2 * 4 + 8) + 5) as attached:
        assert attached.budget == 10


def test_only_layers_that_see_everything_are_under_the_budget(models: Build, prompt: torch.Tensor) -> None:
    with attach(models("gemma3"), policies.H2O(), budget_tokens=20) as attached:
        greedy(models("gemma3"), prompt)

    assert attached.stats().layer_tokens == (11, 20, 11, 20)


def test_a_conversation_goes_on_with_its_cache(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    want = greedy(model, torch.cat([greedy(model, prompt), prompt[:, :9]], dim=1))

    with attach(model) as attached:
        first = greedy(model, prompt, return_dict_in_generate=True)
        turn = torch.cat([first.sequences, prompt[:, :9]], dim=1)
        second = greedy(model, turn, past_key_values=first.past_key_values)

    assert torch.equal(second, want)
    assert attached.stats().logical_tokens == second.shape[1] - 1


@pytest.mark.parametrize("shape", ["llama", "gemma2"])
def test_beams_follow_the_plain_model(models: Build, prompt: torch.Tensor, shape: str) -> None:
    model = models(shape)
    want = greedy(model, prompt, num_beams=3)

    with attach(model):
        assert torch.equal(greedy(model, prompt, num_beams=3), want)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
def test_beams_of_one_sequence_keep_their_own_tokens(
    models: Build, prompt: torch.Tensor, policy: policies.Policy
) -> None:
    """The notes of a policy follow their beams: the best of three scores what it scores when it is read alone."""
    model = models()

    with attach(model, policy, budget_tokens=16):
        best = greedy(model, prompt, num_beams=3, output_scores=True, return_dict_in_generate=True)
        logits = in_parts(model, best.sequences[:, :-1], [40] + [1] * (NEW - 1))

    told = logits[:, 39:].log_softmax(dim=-1)
    score = told.gather(2, best.sequences[:, 40:, None]).sum() / NEW
    assert float(best.sequences_scores) == pytest.approx(float(score), abs=1e-4)


def test_sampling_draws_the_same(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    torch.manual_seed(5)
    want = model.generate(prompt, max_new_tokens=NEW, do_sample=True)

    torch.manual_seed(5)
    with attach(model):
        got = model.generate(prompt, max_new_tokens=NEW, do_sample=True)

    assert torch.equal(got, want)


def test_a_call_without_a_cache_is_the_plain_call(models: Build, prompt: torch.Tensor) -> None:
    model = models("gemma2")

    with torch.no_grad():
        want = model(prompt, use_cache=False).logits
        with attach(model, policies.TOVA(), budget_tokens=8):
            got = model(prompt, use_cache=False).logits

    assert torch.allclose(got, want, atol=1e-5, rtol=1e-5)


def test_leaving_puts_everything_back(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    before = model.config._attn_implementation, len(model._forward_hooks), len(model._forward_pre_hooks)

    def fail() -> None:
        with attach(model, policies.TokenEntropy(), budget_tokens=16):
            assert model.config._attn_implementation == NAME
            greedy(model, prompt)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert (
        model.config._attn_implementation,
        len(model._forward_hooks),
        len(model._forward_pre_hooks),
    ) == before
    assert not model.get_decoder()._forward_hooks


def test_a_failed_call_leaves_the_next_one_whole(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    want = greedy(model, prompt)

    with attach(model):
        with pytest.raises(IndexError):
            model(prompt + 10_000)
        assert torch.equal(greedy(model, prompt), want)


def test_two_models_are_attached_side_by_side(models: Build, prompt: torch.Tensor) -> None:
    a, b = models("llama"), models("qwen3")
    want = greedy(a, prompt)

    with attach(a), attach(b, policies.TOVA(), budget_tokens=10) as bounded:
        greedy(b, prompt)
        assert torch.equal(greedy(a, prompt), want)

    assert bounded.stats().physical_tokens == 10


def test_another_thread_may_use_another_model(models: Build, prompt: torch.Tensor) -> None:
    a, b, made = models("llama"), models("qwen2"), []
    want = greedy(b, prompt)

    with attach(a, policies.H2O(), budget_tokens=10):
        other = threading.Thread(target=lambda: made.append(greedy(b, prompt)))
        other.start()
        greedy(a, prompt)
        other.join()

    assert torch.equal(made[0], want)


def test_a_cache_ends_with_its_attachment(models: Build, prompt: torch.Tensor) -> None:
    model = models()
    with torch.no_grad(), attach(model, policies.TOVA(), budget_tokens=8):
        cache = model(prompt).past_key_values

    with pytest.raises(ClosedError, match="attachment has ended"):
        model(prompt[:, :1], past_key_values=cache)


def test_caches_filled_elsewhere_are_refused(models: Build, prompt: torch.Tensor) -> None:
    model, cache = models(), DynamicCache()
    with torch.no_grad():
        model(prompt, past_key_values=cache)

    with attach(model), pytest.raises(InvalidInputError, match="a DynamicCache that was filled elsewhere"):
        model(prompt[:, :1], past_key_values=cache)
    with attach(model), pytest.raises(InvalidInputError, match="a StaticCache"):
        greedy(model, prompt, cache_implementation="static")


def test_assisted_steps_can_be_taken_back_while_nothing_has_gone(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with torch.no_grad(), attach(model):
        cache = model(prompt).past_key_values
        want = model(prompt[:, :1], past_key_values=cache).logits
        cache.crop(-1)
        assert torch.equal(model(prompt[:, :1], past_key_values=cache).logits, want)
    with torch.no_grad(), attach(model, policies.TOVA(), budget_tokens=8):
        cache = model(prompt).past_key_values
        with pytest.raises(InvalidInputError, match="tokens were freed already"):
            cache.crop(-1)


def test_a_reset_cache_starts_anew(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with torch.no_grad(), attach(model, policies.SnapKV(window=4), budget_tokens=8):
        first = model(prompt)
        first.past_key_values.reset()
        again = model(prompt, past_key_values=first.past_key_values)

    assert torch.equal(again.logits, first.logits)


def test_budgets_that_make_no_sense_are_refused(models: Build) -> None:
    def enter(*given: Any, **options: Any) -> None:
        with attach(models(), *given, **options):
            pass

    with pytest.raises(InvalidInputError, match="not both"):
        enter(policies.TOVA(), budget_tokens=8, budget_bytes=8)
    with pytest.raises(InvalidInputError, match="budget_tokens is 0, must be positive"):
        enter(policies.TOVA(), budget_tokens=0)
    with pytest.raises(InvalidInputError, match="one token of this model takes 1088"):
        enter(policies.TOVA(), budget_bytes=1000)
    with pytest.raises(InvalidInputError, match="TOVA needs a budget"):
        enter(policies.TOVA())
    with pytest.raises(InvalidInputError, match="has no budget; choose another policy"):
        enter(budget_tokens=8)
    with pytest.raises(InvalidInputError, match="4 sinks and 0 recent tokens; raise it"):
        enter(policies.TokenEntropy(), budget_tokens=4)
    with pytest.raises(InvalidInputError, match="4 \\+ 8 tokens does not fit a budget of 13"):
        enter(policies.SinkRecent(recent=8), budget_tokens=13)


def test_a_model_is_attached_once(models: Build) -> None:
    with attach(models()), pytest.raises(InvalidInputError, match="attached already"), attach(models()):
        pass


def test_the_shape_of_a_model_is_read_off_its_config(models: Build) -> None:
    shape = shape_of(models("gemma3"))

    assert shape.windows == (12, None, 12, None)
    assert shape.full_layers == (1, 3)
    assert (shape.kv_heads, shape.head_dim) == (2, 16)


@pytest.mark.parametrize("shape", ["llama", "gemma2"])
def test_surprise_is_what_the_plain_model_says(models: Build, prompt: torch.Tensor, shape: str) -> None:
    """Over calls of several tokens and of one, Gemma's capped logits included."""
    model, policy = models(shape), policies.TokenEntropy(decay=1.0)
    with torch.no_grad():
        told = model(prompt).logits.log_softmax(dim=-1)
    want = -told[:, :-1].gather(2, prompt[:, 1:, None])[..., 0]

    with torch.no_grad(), attach(model, policy, budget_tokens=50):
        first = model(prompt[:, :20], logits_to_keep=1)
        model(prompt[:, 20:21], past_key_values=first.past_key_values)
        cache = model(prompt[:, 21:], past_key_values=first.past_key_values).past_key_values

    assert torch.allclose(cache.layers[1].scores[:, 0, 1:], want, atol=1e-3)
    assert float(cache.layers[1].scores[0, 0, 0]) == 0.0


def test_embeddings_have_no_surprise(models: Build, prompt: torch.Tensor) -> None:
    model = models()

    with (
        torch.no_grad(),
        attach(model, policies.TokenEntropy(), budget_tokens=8),
        pytest.raises(InvalidInputError, match="TokenEntropy needs input_ids"),
    ):
        model(inputs_embeds=model.get_input_embeddings()(prompt))
