"""What leaves the window is kept in pages and read back when looked for."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies

from ..conftest import build

TEXT = torch.randint(3, 97, (2, 300), generator=torch.Generator().manual_seed(4))


@torch.no_grad()
def told(
    model: Any, policy: policies.Policy, calls: list[int], budget: int | None = None
) -> tuple[Tensor, Any]:
    """Logits of the text, fed in calls of these lengths, and what is held at the end."""
    parts, cache, at = [], None, 0
    with attach(model, policy, budget_tokens=budget) as attached:
        for length in calls:
            out = model(TEXT[:, at : at + length], past_key_values=cache)
            cache, at = out.past_key_values, at + length
            parts.append(out.logits)
    return torch.cat(parts, dim=1), attached.stats()


@pytest.mark.parametrize("shape", ["llama", "qwen3", "llama3-rope", "gemma2", "gemma3", "phi3-partial"])
def test_with_every_page_read_at_full_width_nothing_is_lost(shape: str) -> None:
    """Long calls lay pages out in front, short ones read them paged: both equal a model that keeps everything."""
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5}
    model = build("phi3", rope_parameters=rope) if shape == "phi3-partial" else build(shape)
    calls = [100, 70, 1, 5, 40, *[1] * 4]

    logits, stats = told(model, policies.BlockRetrieval(bits=16), calls, budget=20)

    want, _ = told(model, policies.Full(), calls)
    assert float((logits - want).abs().max()) <= 2e-5 * float(want.abs().max())
    assert stats.logical_tokens == sum(calls)
    assert 20 <= stats.physical_tokens < 20 + 64


def test_few_bits_hold_the_same_text_in_fewer_bytes(models: Any) -> None:
    coded = told(models(), policies.BlockRetrieval(bits=4), [300], budget=20)[1]
    plain = told(models(), policies.BlockRetrieval(bits=16), [300], budget=20)[1]
    whole = told(models(), policies.Full(), [300])[1]

    assert coded.size_bytes < 0.6 * whole.size_bytes
    assert coded.size_bytes < 0.6 * plain.size_bytes


def test_a_step_reads_no_more_than_its_blocks(models: Any) -> None:
    policy, model = policies.BlockRetrieval(blocks=2, bits=8), models()
    with torch.no_grad(), attach(model, policy, budget_tokens=20):
        layer = model(TEXT[:1]).past_key_values.layers[0]
        far = policy.far(layer)

    assert far is not None
    seen = far.laid_out(torch.randn(1, 4, 1, 16))[2]
    assert far.count == 4
    assert far.standing.positions.tolist() == [4, 68, 132, 196]
    assert seen.sum(dim=-1).flatten().tolist() == [128, 128]


def test_beams_take_their_far_pages_along(models: Any) -> None:
    asked = {"max_new_tokens": 70, "num_beams": 3, "do_sample": False}
    prompt, mask = TEXT[:1, :120], torch.ones(1, 120, dtype=torch.int64)

    with attach(models(), policies.BlockRetrieval(bits=16), budget_tokens=12):
        bounded = models().generate(prompt, attention_mask=mask, **asked)

    assert bounded.tolist() == models().generate(prompt, attention_mask=mask, **asked).tolist()


def test_a_padded_batch_is_refused(models: Any) -> None:
    mask = torch.ones_like(TEXT)
    mask[0, :9] = 0

    with (
        attach(models(), policies.BlockRetrieval(), budget_tokens=20),
        pytest.raises(InvalidInputError, match="takes no padding"),
    ):
        models()(TEXT, attention_mask=mask)


@pytest.mark.parametrize("wrong", [{"blocks": 0}, {"bits": 5}, {"sinks": -1}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match="they must be"):
        policies.BlockRetrieval(**wrong)
