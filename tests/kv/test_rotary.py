"""How a model turns its keys is found by asking it; one that turns them otherwise is refused, not mistaken."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from agentmem import Memory
from agentmem.errors import UnsupportedModelError
from agentmem.kv import KVMemory, attach, policies
from agentmem.kv.rotary import turning
from agentmem.kv.support import shape_of

from .conftest import COMMON, SHAPES, Build, build


@pytest.fixture
def glm() -> Any:
    """A model that turns neighbouring channels."""
    torch.manual_seed(0)
    model = transformers.GlmForCausalLM(transformers.GlmConfig(**COMMON)).eval()
    model.generation_config.eos_token_id = None
    return model


@pytest.mark.parametrize("name", SHAPES)
def test_layers_that_turn_and_layers_that_do_not_are_told_apart(models: Build, name: str) -> None:
    model = models(name)

    shape = turning(model, shape_of(model))

    still = [layer for layer in shape.full_layers if not shape.frequencies[layer].any()]
    assert still == {"smollm3": [1, 3], "exaone4": [3]}.get(name, [])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_they_are_told_apart_in_sixteen_bits(dtype: torch.dtype) -> None:
    model = build("smollm3").to(dtype)

    shape = turning(model, shape_of(model))

    assert [bool(frequencies.any()) for frequencies in shape.frequencies] == [True, False, True, False]


@pytest.mark.parametrize(
    "policy",
    [
        policies.BlockRetrieval(),
        policies.ClusteredRetrieval(),
        policies.PrecisionTiers(),
        policies.ExpectedAttention(),
    ],
)
def test_a_policy_that_turns_keys_refuses_a_model_that_turns_them_otherwise(
    glm: Any, policy: policies.Policy
) -> None:
    with (
        pytest.raises(UnsupportedModelError, match=r"GlmForCausalLM turns keys .* \(layers 0, 1, 2, 3\)"),
        attach(glm, policy, budget_tokens=200),
    ):
        pass


def test_a_reach_and_a_memory_refuse_it_too(glm: Any, tokenizer: Any, memory: Memory) -> None:
    with (
        pytest.raises(UnsupportedModelError, match="turns keys"),
        attach(glm, policies.SinkRecent(), budget_tokens=20, reach=60),
    ):
        pass
    with pytest.raises(UnsupportedModelError, match="turns keys"):
        KVMemory(glm, tokenizer, memory)


def test_policies_that_move_no_keys_bound_it(glm: Any, prompt: torch.Tensor) -> None:
    with attach(glm, policies.SinkRecent(), budget_tokens=20) as attached:
        glm.generate(prompt, max_new_tokens=5, do_sample=False)

    assert attached.stats().physical_tokens == 20


def test_a_memory_may_be_opened_while_its_model_is_attached(
    models: Build, tokenizer: Any, memory: Memory
) -> None:
    model = build("smollm3")

    with attach(model, policies.SinkRecent(), budget_tokens=20):
        kv = KVMemory(model, tokenizer, memory, min_agreement=0)

    kv.remember("babel keeps ambare .")
    assert kv.recall("babel")[0].tokens == 4
