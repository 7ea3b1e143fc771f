"""What leaves the window is clustered by its keys and read cluster by cluster."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from agentmem.errors import InvalidInputError
from agentmem.kv import attach, ops, policies
from agentmem.kv.clusters import Clusters

from ..conftest import build
from .test_block_retrieval import TEXT, told


@pytest.mark.parametrize("shape", ["llama", "gemma2", "gemma3"])
def test_with_every_cluster_read_at_full_width_nothing_is_lost(shape: str) -> None:
    model, calls = build(shape), [100, 70, 1, 5, 40, *[1] * 4]

    logits, stats = told(
        model, policies.ClusteredRetrieval(read=10_000, segment=64, bits=16), calls, budget=20
    )

    want, _ = told(model, policies.Full(), calls)
    assert float((logits - want).abs().max()) <= 2e-5 * float(want.abs().max())
    assert 20 <= stats.physical_tokens < 20 + 64


def test_the_clusters_read_are_those_that_the_query_scores_highest() -> None:
    torch.manual_seed(0)
    keys = torch.randn(1, 1, 128, 4)
    pages = ops.part("plain_pages")(keys, keys)
    centroids = torch.tensor([[[[1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]]]])
    held = Clusters(pages, centroids, torch.tensor([[[30, 40, 10, 48]]]), tokens=60)

    seen = held.choose(torch.tensor([[[[0.1, 3.0, 2.0, 1.0]]]]))[0, 0]

    assert seen.nonzero()[:, 0].tolist() == list(range(30, 80))


def test_pages_that_no_chosen_cluster_touches_are_not_read() -> None:
    keys = torch.randn(1, 1, 256, 4)
    pages = ops.part("plain_pages")(keys, keys)
    centroids = torch.eye(4)[None, None]
    held = Clusters(pages, centroids, torch.tensor([[[64, 64, 64, 64]]]), tokens=64)

    laid, _, seen = held.laid_out(torch.tensor([[[[0.0, 0.0, 5.0, 0.0]]]]))

    assert torch.equal(laid, keys[:, :, 128:192])
    assert seen.all()


def test_the_best_cluster_is_read_also_where_it_is_too_large() -> None:
    keys = torch.randn(1, 1, 64, 4)
    held = Clusters(
        ops.part("plain_pages")(keys, keys), torch.ones(1, 1, 1, 4), torch.tensor([[[64]]]), tokens=1
    )

    assert held.choose(torch.ones(1, 1, 1, 4)).all()


def test_few_bits_hold_the_same_text_in_fewer_bytes(models: Any) -> None:
    coded, plain = (
        told(models(), policies.ClusteredRetrieval(segment=64, bits=bits), [300], budget=20)[1]
        for bits in (4, 16)
    )

    assert coded.size_bytes < 0.6 * plain.size_bytes


def test_beams_take_their_clusters_along(models: Any) -> None:
    asked = {"max_new_tokens": 12, "num_beams": 3, "do_sample": False}
    prompt, mask = TEXT[:1, :120], torch.ones(1, 120, dtype=torch.int64)

    with attach(models(), policies.ClusteredRetrieval(read=10_000, segment=64, bits=16), budget_tokens=12):
        bounded = models().generate(prompt, attention_mask=mask, **asked)

    assert bounded.tolist() == models().generate(prompt, attention_mask=mask, **asked).tolist()


@pytest.mark.parametrize("wrong", [{"read": 0}, {"bits": 5}, {"segment": 100}, {"size": 0}, {"sinks": -1}])
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match="they must be"):
        policies.ClusteredRetrieval(**wrong)
