"""Facts that a trained model was told in episodes are in what it says, though no prompt holds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agentmem.evals import recaller
from agentmem.evals.recaller_text import ID, START, VOCABULARY, facts, sentence, text

from agentmem import Memory
from agentmem.kv import KVMemory

FACTS = 12


@pytest.fixture(scope="module")
def model() -> Any:
    return recaller.model()


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as opened:
        yield opened


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    """Name, thing, and the words around them that are remembered."""
    rng = np.random.default_rng(11)
    return [
        (VOCABULARY[name], VOCABULARY[thing], text([*sentence(rng), name, thing, *sentence(rng)]))
        for name, thing in facts(rng, FACTS)
    ]


@torch.no_grad()
def says(model: Any, name: str) -> str:
    """The next word after a prompt of a name and nothing else."""
    return VOCABULARY[int(model(torch.tensor([[ID[START], ID[name]]])).logits[0, -1].argmax())]


@pytest.mark.parametrize("bits", [4, 16])
def test_a_recalled_episode_gives_the_fact_that_was_told_in_it(
    model: Any, memory: Memory, told: Any, bits: int
) -> None:
    # the packaged probes are English, which this model does not read
    kv = KVMemory(model, recaller.tokenizer(), memory, bits=bits, min_agreement=0)
    kept = [kv.remember(words) for _, _, words in told]

    heard = {}
    for name, _, _ in told:
        with kv.recalled(name):
            heard[name] = says(model, name)

    assert len(set(kept)) == FACTS
    assert heard == {name: thing for name, thing, _ in told}


def test_without_a_recall_the_model_does_not_know_them(model: Any, told: Any) -> None:
    known = [says(model, name) == thing for name, thing, _ in told]

    assert sum(known) <= 1
