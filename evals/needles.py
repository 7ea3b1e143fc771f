"""How many of the facts it was told the packaged recall model still gives, over distance and under each policy.

python -m agentmem.evals.needles [--distractors 1500] [--texts 4]

A text tells 16 facts, passes over distractors (plain sentences and 16 facts that nobody asks for), and then asks. It is
read in calls of 64 tokens, so that a policy has let go of the facts before the questions come.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from agentmem.kv import attach, policies

from . import recaller
from .recaller_text import Reading, needles

SEED, FACTS, CALL = 1_000_007, 16, 64
DISTANCES = (100, 500, 1000, 1500, 2000, 3000, 4000, 5000)
BUDGETS = (80, 160, 400, 800)
"""Tokens of each layer that a policy may keep."""
POLICIES: tuple[policies.Policy, ...] = (
    policies.SinkRecent(),
    policies.H2O(),
    policies.TOVA(),
    policies.SnapKV(),
    policies.ExpectedAttention(),
    policies.TokenEntropy(),
    policies.Ladder(),
    policies.BlockRetrieval(blocks=2),
)


def texts(distractors: int, count: int) -> Iterator[Reading]:
    """So many texts, the same ones each time."""
    for number in range(count):
        yield needles(np.random.default_rng([SEED, distractors, number]), FACTS, distractors)


@torch.no_grad()
def answered(model: Any, reading: Reading) -> list[bool]:
    """Which questions of a text get the right next word, in the order asked."""
    ids, asked = torch.from_numpy(reading.ids)[None], torch.from_numpy(reading.asked)
    first = int(asked[0])
    cache = None
    for start in range(0, first, CALL):
        cache = model(ids[:, start : min(start + CALL, first)], past_key_values=cache).past_key_values
    logits = model(ids[:, first:], past_key_values=cache).logits[0]
    right: list[bool] = (logits[asked - first].argmax(dim=-1) == ids[0, asked + 1]).tolist()
    return right


def recall_over(
    model: Any,
    distractors: int,
    policy: policies.Policy | None = None,
    budget: int | None = None,
    count: int = 16,
) -> float:
    """Share of the facts of `count` texts that are recalled over so many tokens; under a policy, if one is given."""
    attached = attach(model, policy, budget_tokens=budget) if policy else nullcontext()
    with attached:
        told = [answered(model, reading) for reading in texts(distractors, count)]
    return float(np.mean(told))


def main() -> None:
    """Print recall by distance, and by policy and budget at one distance."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--distractors", type=int, default=1500, help="tokens between the facts and the questions"
    )
    parser.add_argument("--texts", type=int, default=4, help="texts of 16 facts each")
    asked = parser.parse_args()
    model = recaller.model()
    print("| distractors | recalled |", "|---|---|", sep="\n")
    for distance in DISTANCES:
        print(f"| {distance:,} | {recall_over(model, distance):.3f} |", flush=True)
    print(f"\n| policy | {' | '.join(map(str, BUDGETS))} |", "|---|" + "---|" * len(BUDGETS), sep="\n")
    for policy in POLICIES:
        shares = (recall_over(model, asked.distractors, policy, budget, asked.texts) for budget in BUDGETS)
        print(f"| `{policy}` | {' | '.join(f'{share:.3f}' for share in shares)} |", flush=True)


if __name__ == "__main__":
    main()
