"""How many of the facts it was told the packaged recall model still gives: over distance, and under each KV policy.

A text tells 16 facts, passes over distractors (plain sentences and 16 facts that nobody asks for), and then asks. It is
read in calls of 64 tokens, so that a policy has let go of the facts before the questions come, one a call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agentmem.kv import attach, policies

from . import recaller
from .recaller_text import Reading, needles

SEED, FACTS, CALL, PAGE = 1_000_007, 16, 64, 64
DISTANCES = (100, 500, 1000, 1500, 2000, 3000, 4000, 5000)
SHARES = (5, 10, 25, 50, 100)
"""Budgets, in per cent of a text's tokens."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The `share` of facts recalled, and the bytes that were held for a text at the end."""

    share: float
    size_bytes: int


def paged(budget: int) -> int:
    """Pages that half of a budget pays for, one at least."""
    return max(1, budget // 2 // PAGE)


def blocks(budget: int) -> tuple[policies.Policy, int]:
    """`BlockRetrieval` that reads no more tokens than the budget: half of it in the window, half far."""
    far = paged(budget)
    return policies.BlockRetrieval(blocks=far), max(8, budget - far * PAGE)


def clusters(budget: int) -> tuple[policies.Policy, int]:
    """`ClusteredRetrieval` that reads no more tokens than the budget."""
    return policies.ClusteredRetrieval(read=max(1, budget // 2)), max(8, budget // 2)


def split(budget: int) -> tuple[policies.Policy, int]:
    """`BlockRetrieval` at this budget for the retrieval heads, which are packaged with the model."""
    over, window = blocks(budget)
    assert isinstance(over, policies.BlockRetrieval)
    return policies.HeadSplit(recaller.retrieval_heads(), over=over), window


Kind = Callable[[int], tuple[policies.Policy, int]]
KINDS: dict[str, Kind] = {
    "SinkRecent()": lambda budget: (policies.SinkRecent(), budget),
    "H2O()": lambda budget: (policies.H2O(), budget),
    "TOVA()": lambda budget: (policies.TOVA(), budget),
    "SnapKV()": lambda budget: (policies.SnapKV(), budget),
    "ExpectedAttention()": lambda budget: (policies.ExpectedAttention(), budget),
    "TokenEntropy()": lambda budget: (policies.TokenEntropy(), budget),
    "FadingState()": lambda budget: (policies.FadingState(recaller.fading_maps()), budget),
    "Ladder()": lambda budget: (policies.Ladder(), budget),
    "PrecisionTiers()": lambda budget: (policies.PrecisionTiers(), budget),
    "BlockRetrieval()": blocks,
    "ClusteredRetrieval()": clusters,
    "HeadSplit()": lambda budget: (policies.HeadSplit(recaller.retrieval_heads()), budget),
    "HeadSplit(BlockRetrieval())": split,
}
"""What each policy is at a budget of so many tokens a layer, and the tokens that its window may hold."""


def texts(distractors: int, count: int) -> Iterator[Reading]:
    """So many texts, the same ones each time."""
    for number in range(count):
        yield needles(np.random.default_rng([SEED, distractors, number]), FACTS, distractors)


@torch.no_grad()
def answered(model: Any, reading: Reading) -> list[bool]:
    """Which questions of a text get the right next word, in the order asked."""
    ids, asked = torch.from_numpy(reading.ids)[None], reading.asked.tolist()
    told = [*range(0, asked[0], CALL), *asked]
    right, cache = [], None
    for start, end in zip(told, [*told[1:], ids.shape[1]], strict=True):
        out = model(ids[:, start:end], past_key_values=cache)
        cache = out.past_key_values
        if start >= asked[0]:
            right.append(int(out.logits[0, 0].argmax()) == int(ids[0, start + 1]))
    return right


def kept(
    model: Any,
    distractors: int,
    policy: policies.Policy,
    budget: int | None = None,
    count: int = 16,
) -> Kept:
    """What is recalled over so many tokens under a policy."""
    with attach(model, policy, budget_tokens=budget) as attached:
        told = [answered(model, reading) for reading in texts(distractors, count)]
    return Kept(float(np.mean(told)), attached.stats().size_bytes)


def recall_over(model: Any, distractors: int, count: int = 16) -> float:
    """Share of the facts of `count` texts that the plain model recalls over so many tokens."""
    return float(np.mean([answered(model, reading) for reading in texts(distractors, count)]))
