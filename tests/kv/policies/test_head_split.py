"""Retrieval heads keep what leaves the window, the others do not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, policies

from .test_block_retrieval import TEXT, told

ALL = ((0, 1),) * 4
SOME = ((0,), (), (0, 1), (1,))


@pytest.mark.parametrize(
    "over",
    [
        policies.BlockRetrieval(blocks=None, bits=16),
        policies.ClusteredRetrieval(read=10_000, bits=16, segment=64),
    ],
    ids=["blocks", "clusters"],
)
def test_with_every_head_at_full_width_nothing_is_lost(models: Any, over: policies.Paged) -> None:
    calls = [100, 70, 1, 5, 40, *[1] * 4]

    logits, _ = told(models(), policies.HeadSplit(ALL, over), calls, budget=20)

    want, _ = told(models(), policies.Full(), calls)
    assert float((logits - want).abs().max()) <= 2e-5 * float(want.abs().max())


def test_a_head_that_does_not_retrieve_attends_to_its_window_only(models: Any) -> None:
    """Reference: plain attention over the window for one KV head, over everything for the other."""
    model, policy = models(), policies.HeadSplit(SOME)
    query = torch.randn(1, 4, 1, 16)
    with torch.no_grad(), attach(model, policy, budget_tokens=20):
        cache = model(TEXT[:1, :148]).past_key_values
    whole = model(TEXT[:1, :148]).past_key_values.layers[0]

    layer = cache.layers[0]
    far = policy.far(layer, 0)

    out, lse = far.attend(query, 0.25)
    keys, values = whole.keys[:, :1, 4:132], whole.values[:, :1, 4:132]
    weight = (query[:, :2] @ keys.transpose(2, 3) * 0.25).softmax(dim=-1)
    assert layer.positions[0, 0].tolist() == [0, 1, 2, 3, *range(132, 148)]
    assert torch.allclose(out[:, :2], weight @ values, atol=1e-4)
    assert torch.isneginf(lse[:, 2:]).all()


def test_heads_that_do_not_retrieve_free_their_bytes(models: Any) -> None:
    window = told(models(), policies.HeadSplit(((),) * 4), [300], budget=20)[1]
    some = told(models(), policies.HeadSplit(SOME), [300], budget=20)[1]
    every = told(models(), policies.HeadSplit(ALL), [300], budget=20)[1]

    assert (some.size_bytes - window.size_bytes) * 2 == every.size_bytes - window.size_bytes
    assert window.size_bytes < 0.25 * every.size_bytes


def test_it_composes_with_few_bits_and_with_tiers(models: Any) -> None:
    full = told(models(), policies.HeadSplit(SOME), [300], budget=20)[1]
    coded = told(models(), policies.HeadSplit(SOME, policies.BlockRetrieval(blocks=2)), [300], budget=20)[1]
    tiers = told(models(), policies.HeadSplit(SOME, policies.PrecisionTiers()), [300], budget=60)[1]

    assert coded.size_bytes < 0.7 * full.size_bytes
    assert tiers.size_bytes < coded.size_bytes


@pytest.mark.parametrize("heads", [((0,),) * 3, ((0, 2),) * 4], ids=["layers", "heads"])
def test_heads_of_another_model_are_refused(models: Any, heads: Any) -> None:
    with pytest.raises(InvalidInputError, match="find its own with"):
        told(models(), policies.HeadSplit(heads), [300], budget=20)


def test_heads_named_twice_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="each named once"):
        policies.HeadSplit(((1, 1),))


def test_it_does_not_go_over_itself() -> None:
    with pytest.raises(InvalidInputError, match="has no meaning"):
        policies.HeadSplit(ALL, over=policies.HeadSplit(ALL))
