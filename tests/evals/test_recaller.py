"""The packaged recall model: what it was trained for it does, and its texts are what they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the recall model needs agentmem[kv]: torch is not installed")
pytest.importorskip(
    "transformers", reason="the recall model needs agentmem[kv]: transformers is not installed"
)

from agentmem.evals import recaller
from agentmem.evals.needles import kept, recall_over
from agentmem.evals.recaller_text import ID, NAMES, THINGS, VOCABULARY, mixed, needles, text

from agentmem.kv import policies

FAR = 1_500
"""Tokens between what is told and what is asked."""


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


def test_it_recalls_what_it_was_told_1500_tokens_ago(model: Any) -> None:
    assert recall_over(model, FAR) >= 0.98


def test_a_window_with_sinks_recalls_what_is_inside_it(model: Any) -> None:
    assert kept(model, 200, policies.SinkRecent(), budget=400, count=4).share >= 0.98


def test_a_window_with_sinks_loses_what_is_outside_it(model: Any) -> None:
    assert kept(model, FAR, policies.SinkRecent(), budget=400, count=4).share <= 0.05


def test_pages_of_few_bits_give_back_what_left_the_window(model: Any) -> None:
    assert kept(model, FAR, policies.BlockRetrieval(blocks=2), budget=150, count=2).share >= 0.95


def test_generate_answers_a_text(model: Any) -> None:
    tokenizer = recaller.tokenizer()
    asked = tokenizer(
        "badan ambare the number was small . fogor frinol they come back . badan", return_tensors="pt"
    )

    out = model.generate(**asked, max_new_tokens=1, do_sample=False)

    assert tokenizer.decode(out[0, -1]) == "ambare"


def test_the_tokenizer_reads_words_as_the_model_was_taught() -> None:
    reading = needles(np.random.default_rng(3), 4, 60)

    assert recaller.tokenizer()(text(reading.ids))["input_ids"] == reading.ids.tolist()


def test_a_word_that_is_not_in_the_vocabulary_is_unknown() -> None:
    assert recaller.tokenizer()("badan xylophone", add_special_tokens=False)["input_ids"] == [ID["badan"], 2]


def test_the_checkpoint_is_small() -> None:
    size = sum(path.stat().st_size for path in recaller.FOLDER.iterdir())

    assert size <= 12_000_000
    assert (recaller.FOLDER / "model.safetensors").exists()


def test_every_word_is_one_token() -> None:
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert (len(NAMES), len(THINGS)) == (256, 256)


@pytest.mark.parametrize("last", [True, False])
def test_every_question_of_a_training_text_was_answered_before_it(last: bool) -> None:
    reading = mixed(np.random.default_rng(5), 96, 8, last=last)

    told = [reading.ids.tolist().index(name) for name in reading.ids[reading.asked]]
    assert reading.ids.shape == (96,)
    assert len(told) == 8
    assert (np.array(told) < reading.asked).all()
    assert reading.ids[np.array(told) + 1].tolist() == reading.ids[reading.asked + 1].tolist()


def test_a_needle_lies_behind_the_sinks_and_as_far_back_as_asked_for() -> None:
    reading = needles(np.random.default_rng(5), 4, 300)

    told = [reading.ids.tolist().index(name) for name in reading.ids[reading.asked]]
    assert min(told) > 4
    assert max(told) == min(told) + 6
    assert reading.asked.min() - max(told) - 2 >= 300
