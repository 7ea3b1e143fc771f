"""What each KV policy costs a trained model at each budget: perplexity, agreement with everything kept, bytes held.

python benchmarks/kv_policies.py --data path/to/stories260K [--json results.json]

The texts are the model's own stories, drawn once with everything kept; each policy then reads them token by token,
and the second half of each, when every budget is full, is scored. A window without sinks and tokens kept at random show
what a policy must beat.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from measure import machine
from tiny_stories import load
from torch import Tensor

from agentmem.kv import attach, policies

STORIES, LENGTH, PROMPT = 8, 400, 16
BUDGETS = (20, 40, 100)


@dataclass(frozen=True)
class Random(policies.Policy):
    """Each token draws a number when it comes, and the lowest go."""

    recent: int = 8

    def observe(self, step: policies.Step) -> None:
        """Draw for the call's tokens."""
        before = step.layer.scores
        scores = torch.rand(step.positions.shape) if before is None else before.clone()
        scores[:, :, -step.new :] = torch.rand(scores[:, :, -step.new :].shape)
        step.layer.scores = scores

    def score(self, step: policies.Step) -> Tensor:
        """What was drawn."""
        assert step.layer.scores is not None
        return step.layer.scores


KINDS: dict[str, policies.Policy] = {
    "random": Random(),
    "window without sinks": policies.SinkRecent(sinks=0),
    "SinkRecent": policies.SinkRecent(),
    "H2O": policies.H2O(),
    "TOVA": policies.TOVA(),
    "SnapKV(window=8)": policies.SnapKV(window=8),
    "ExpectedAttention": policies.ExpectedAttention(future=64),
    "TokenEntropy": policies.TokenEntropy(),
    "Ladder(rungs=2, run=4)": policies.Ladder(rungs=2, run=4),
    "BlockRetrieval(blocks=1)": policies.BlockRetrieval(blocks=1),
}


@torch.no_grad()
def read(model: Any, texts: Tensor, policy: policies.Policy, budget: int | None) -> tuple[Tensor, int]:
    """Log-probabilities `[stories, LENGTH - 1, vocab]` of what comes next, and the bytes held at the end."""
    with attach(model, policy, budget_tokens=budget) as attached:
        out = model(texts[:, :PROMPT])
        told = [out.logits]
        for at in range(PROMPT, LENGTH - 1):
            out = model(texts[:, at : at + 1], past_key_values=out.past_key_values)
            told.append(out.logits)
    return torch.cat(told, dim=1).log_softmax(dim=-1), attached.stats().size_bytes // len(texts)


def compared(told: Tensor, full: Tensor, texts: Tensor) -> dict[str, float]:
    """Over the second half: perplexity, KL from everything kept (nats a token), top-1 agreement."""
    told, full, coming = told[:, LENGTH // 2 :], full[:, LENGTH // 2 :], texts[:, LENGTH // 2 + 1 :]
    return {
        "perplexity": float((-told.gather(2, coming[..., None]).mean()).exp()),
        "kl": float((full.exp() * (full - told)).sum(dim=-1).mean()),
        "agreement": float((told.argmax(dim=-1) == full.argmax(dim=-1)).float().mean()),
    }


def rows(model: Any) -> Iterator[dict[str, Any]]:
    """Every policy at every budget, everything kept first."""
    torch.manual_seed(0)
    start = torch.ones(STORIES, 1, dtype=torch.int64)
    texts = model.generate(
        start,
        attention_mask=start,
        max_new_tokens=LENGTH - 1,
        do_sample=True,
        top_k=0,
        suppress_tokens=[1, 2],
    )
    full, held = read(model, texts, policies.Full(), None)
    yield {"policy": "Full", "budget": LENGTH, "bytes": held, **compared(full, full, texts)}
    for budget in BUDGETS:
        for name, policy in KINDS.items():
            told, held = read(model, texts, policy, budget)
            yield {"policy": name, "budget": budget, "bytes": held, **compared(told, full, texts)}


def main() -> None:
    """Print the table; keep it where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of stories260K.bin")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    asked = parser.parse_args()
    kept = []
    print(
        "| policy | budget | bytes held | perplexity | KL to full | top-1 agreement |",
        "|---|---|---|---|---|---|",
        sep="\n",
    )
    for row in rows(load(asked.data / "stories260K.bin")):
        kept.append(row)
        print(
            f"| {row['policy']} | {row['budget']} | {row['bytes']:,} | {row['perplexity']:.2f} | {row['kl']:.3f} "
            f"| {row['agreement']:.3f} |",
            flush=True,
        )
    if asked.json:
        asked.json.write_text(json.dumps({"machine": machine(), "rows": kept}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
