"""The encoder of soft memories: what it cuts, what it keeps of itself, and how it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from agentmem.evals import recaller, train_soft
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem.errors import InvalidInputError
from agentmem.kv.soft_encoder import SoftEncoder, shares


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@settings(deadline=None)
@given(
    weights=st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    count=st.integers(1, 12),
)
def test_embeddings_share_out_all_tokens_by_their_weight(weights: list[float], count: int) -> None:
    given_weights = torch.tensor([weights], dtype=torch.float64)

    found = shares(given_weights, count)

    assert found.shape == (1, count, len(weights))
    assert torch.allclose(found.sum(dim=2), torch.ones(1, count, dtype=torch.float64))
    assert torch.allclose(found.sum(dim=1), given_weights / given_weights.sum() * count)


def test_tokens_of_equal_weight_are_cut_into_equal_stretches() -> None:
    found = shares(torch.ones(1, 4), 2)

    assert found.tolist() == [[[0.5, 0.5, 0.0, 0.0], [0.0, 0.0, 0.5, 0.5]]]


def test_an_encoder_is_read_back_as_it_was_written(model: Any, tmp_path: Path) -> None:
    made = recaller.soft_encoder()
    made.save(tmp_path / "soft.safetensors")

    found = SoftEncoder.load(tmp_path / "soft.safetensors")

    assert found.digest == made.digest
    assert torch.equal(found.encode(model, [1], [5, 300], 2), made.encode(model, [1], [5, 300], 2))
    found.check(model)


def test_it_reads_a_text_behind_its_prefix_as_the_model_does(model: Any) -> None:
    ids = torch.tensor([[1, 20, 300, 3]])

    heard = recaller.soft_encoder().listen(model, ids, 1)

    with torch.no_grad():
        told = model(ids).logits.log_softmax(dim=-1)
    assert heard.states.shape == (1, 3, 3 * 128)
    assert torch.allclose(
        heard.surprise[0], -torch.stack([told[0, 0, 20], told[0, 1, 300], told[0, 2, 3]]), atol=1e-5
    )


def test_the_first_token_of_a_text_without_a_prefix_surprises_nobody(model: Any) -> None:
    heard = recaller.soft_encoder().listen(model, torch.tensor([[20, 300]]), 0)

    assert heard.surprise[0, 0] == 0
    assert heard.surprise[0, 1] > 0
    assert heard.states.shape == (1, 2, 3 * 128)


@pytest.mark.parametrize(("tokens", "count"), [([], 1), ([5], 0)])
def test_nothing_cannot_be_encoded(model: Any, tokens: list[int], count: int) -> None:
    with pytest.raises(InvalidInputError, match="at least 1"):
        recaller.soft_encoder().encode(model, [1], tokens, count)


def test_training_is_the_same_each_time_and_learns_nothing_of_the_model(model: Any) -> None:
    first, second = train_soft.train(2), train_soft.train(2)

    assert first.digest == second.digest
    assert first.digest != train_soft.fresh(model).digest
    first.check(model)


def test_trained_it_answers_what_a_fresh_one_does_not(model: Any) -> None:
    trained = train_soft.answered(model, recaller.soft_encoder(), 8, held=4, together=2, texts=4)
    fresh = train_soft.answered(model, train_soft.fresh(model), 8, held=4, together=2, texts=4)

    assert trained >= 0.9
    assert fresh <= 0.1
