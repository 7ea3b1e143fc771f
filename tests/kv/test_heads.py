"""The heads that look far back are found, and the model is left as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from agentmem.evals import recaller
from agentmem.evals.find_heads import texts
from agentmem.evals.needles import kept

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies
from agentmem.kv.heads import gated, retrieval_gates, retrieval_heads

EVERY = torch.ones(40, 40, dtype=torch.bool)


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


def test_one_head_of_the_recall_model_needs_no_far_past(model: Any) -> None:
    gates = retrieval_gates(model, texts(24))

    assert retrieval_heads(gates) == recaller.retrieval_heads() == ((0,), (0, 1))
    assert model.config._attn_implementation == "sdpa"
    assert all(part.requires_grad for part in model.parameters())


def test_the_retrieval_heads_alone_recall_what_all_heads_do(model: Any) -> None:
    policy = policies.HeadSplit(recaller.retrieval_heads(), policies.BlockRetrieval(blocks=2))

    assert kept(model, 1000, policy, budget=100, count=1).share >= 0.97


def test_without_them_it_recalls_nothing(model: Any) -> None:
    assert kept(model, 1000, policies.HeadSplit(((1,), ())), budget=100, count=1).share <= 0.1


@pytest.mark.parametrize("gate", [1.0, 0.0])
@pytest.mark.parametrize("shape", ["llama", "gemma3"])
def test_open_gates_and_a_window_that_spans_the_text_change_nothing(
    models: Any, prompt: Any, shape: str, gate: float
) -> None:
    model, gates = models(shape), torch.full((2,), gate)

    with torch.no_grad(), gated(model, lambda layer: (gates, EVERY)):
        mixed = model(prompt).logits

    assert torch.allclose(mixed, model(prompt).logits, atol=1e-4)


def test_a_closed_gate_leaves_the_window(models: Any, prompt: Any) -> None:
    back = torch.arange(40)[:, None] - torch.arange(40)
    window = (back >= 0) & ((back < 8) | (torch.arange(40) < 4))

    with torch.no_grad(), gated(models(), lambda layer: (torch.zeros(2), window)):
        mixed = models()(prompt).logits

    with torch.no_grad():
        want = models()(prompt, attention_mask=torch.where(window, 0.0, -1e30)[None, None]).logits
    assert torch.allclose(mixed, want, atol=1e-4)


def test_an_attached_model_is_refused(models: Any) -> None:
    with attach(models()), pytest.raises(InvalidInputError, match="leave that block"):
        retrieval_gates(models(), texts(1))


def test_no_texts_are_refused(models: Any) -> None:
    with pytest.raises(InvalidInputError, match="there were none"):
        retrieval_gates(models(), [])
