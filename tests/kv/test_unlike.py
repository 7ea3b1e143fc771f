"""Models whose attention is not as it is taken to be are refused, and not read wrongly or left unbounded."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from agentmem.errors import UnsupportedModelError
from agentmem.kv import attach, policies, static_decode

from .conftest import COMMON, Build


@pytest.fixture(scope="module")
def differential() -> Any:
    """A model whose attention joins values after they are cached."""
    torch.manual_seed(0)
    model = transformers.DiffLlamaForCausalLM(transformers.DiffLlamaConfig(**COMMON)).eval()
    model.generation_config.eos_token_id = None
    return model


def test_attention_to_other_values_than_those_cached_is_refused_beside_far_blocks_and_in_static_steps(
    differential: Any, prompt: torch.Tensor
) -> None:
    with (
        attach(differential, policies.BlockRetrieval(), budget_tokens=20),
        pytest.raises(UnsupportedModelError, match="DiffLlamaAttention changes keys or values"),
    ):
        differential.generate(prompt.repeat(1, 3), max_new_tokens=2, do_sample=False)
    with attach(differential), pytest.raises(UnsupportedModelError, match="changes keys or values"):
        differential.generate(prompt, max_new_tokens=2, do_sample=False, custom_generate=static_decode)


def test_it_is_bounded_where_nothing_else_is_attended_to(differential: Any, prompt: torch.Tensor) -> None:
    with attach(differential, policies.SinkRecent(), budget_tokens=20) as attached:
        differential.generate(prompt, max_new_tokens=2, do_sample=False)

    assert attached.stats().physical_tokens == 20


def test_a_model_that_attends_by_code_of_its_own_is_refused_and_not_left_unbounded(
    prompt: torch.Tensor,
) -> None:
    config = transformers.FalconConfig(
        vocab_size=97, hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    model = transformers.FalconForCausalLM(config)

    with (
        attach(model, policies.SinkRecent(), budget_tokens=20),
        pytest.raises(UnsupportedModelError, match="FalconForCausalLM attends by code of its own"),
    ):
        model(prompt)


def test_an_attention_that_names_no_layer_is_refused_and_not_left_unbounded(
    models: Build, prompt: torch.Tensor
) -> None:
    model = models()

    with attach(model, policies.SinkRecent(), budget_tokens=20) as attached:
        attached.modules.clear()
        with pytest.raises(UnsupportedModelError, match="LlamaAttention does not say which layer it is"):
            model(prompt)
