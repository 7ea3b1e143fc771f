"""Train the encoder of soft memories (`agentmem.kv.SoftMemory`) for the packaged recall model, on a CPU.

python -m agentmem.evals.train_soft [--steps 2500] [--out evals/data/recaller/soft.safetensors]

The model is frozen. Episodes become embeddings, the embeddings of several stand before a question, which is a name and
nothing else, and the loss is the model's own for the thing that belongs to it. First one fact an episode in one
embedding, then two, then one to eight in 16 to 64 tokens, as 1 to 16 embeddings. Data follow from the seed and the
step.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agentmem.kv.fingerprint import weights_digest
from agentmem.kv.soft_encoder import SoftEncoder

from . import recaller
from .recaller_text import ID, START, facts, filler

SEED, WIDTH, RATE, WARMUP = 29, 192, 2e-3, 50
EPISODES, ASKED = 64, 128
"""Episodes and questions a step."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Episodes of up to so many facts, as so many embeddings, until `learnt` of the questions are answered."""

    facts: int
    counts: tuple[int, ...]
    together: int
    """Episodes before a question, at most."""
    learnt: float


STAGES = (
    Stage(facts=1, counts=(1,), together=3, learnt=0.9),
    Stage(facts=2, counts=(1, 2, 4), together=3, learnt=0.6),
    Stage(facts=8, counts=(1, 2, 4, 8, 16), together=8, learnt=2.0),
)


@dataclass(frozen=True, slots=True)
class Episodes:
    """`ids` `[E, 1 + T]` behind the start token; `told` `[E, F, 2]` the facts in each."""

    ids: Tensor
    told: NDArray[np.int64]


def episodes(rng: np.random.Generator, rows: int, together: int, held: int, tokens: int) -> Episodes:
    """`rows` times `together` episodes of `tokens` tokens with `held` facts each; a row tells no name twice."""
    ids, told = [], []
    for _ in range(rows):
        pool = facts(rng, together * held)
        for mine in (pool[at : at + held] for at in range(0, len(pool), held)):
            parts, room = list(mine), tokens - 2 * held
            for line in filler(rng, room):
                parts.insert(int(rng.integers(0, len(parts) + 1)), line[:room])
                room -= len(line[:room])
            ids.append([ID[START], *(token for part in parts for token in part)])
            told.append(mine)
    return Episodes(torch.tensor(ids), np.array(told))


def answers(model: Any, soft: Tensor, names: Tensor) -> Tensor:
    """Logits `[Q, vocabulary]` after each name, behind embeddings `[Q, M, D]`."""
    embed = model.get_input_embeddings()
    start = embed.weight[ID[START]].expand(len(names), 1, -1)
    given = torch.cat([start, soft, embed(names)[:, None]], dim=1)
    hidden = model.get_decoder()(inputs_embeds=given, use_cache=False).last_hidden_state[:, -1]
    found: Tensor = model.get_output_embeddings()(hidden)
    return found


def fresh(model: Any) -> SoftEncoder:
    """The encoder before training."""
    torch.manual_seed(SEED)
    scale = float(model.get_input_embeddings().weight.detach().square().mean().sqrt())
    layers = range(model.config.num_hidden_layers + 1)
    return SoftEncoder(model.config.hidden_size, layers, WIDTH, scale=scale, made_for=weights_digest(model))


def loss_of(model: Any, encoder: SoftEncoder, stage: Stage, step: int) -> tuple[Tensor, float]:
    """The model's loss on the questions of one step, and the share answered right."""
    rng = np.random.default_rng([SEED, step])
    held, together = int(rng.integers(1, stage.facts + 1)), int(rng.integers(1, stage.together + 1))
    count, tokens = int(rng.choice(stage.counts)), int(rng.integers(max(16, 3 * held), 65))
    rows = EPISODES // together
    read = episodes(rng, rows, together, held, tokens)
    soft = encoder(encoder.listen(model, read.ids, 1), count).view(rows, together * count, -1)
    told = read.told.reshape(rows, together * held, 2)
    asked = min(max(1, ASKED // rows), together * held)
    told = told[:, rng.permutation(together * held)[:asked]]
    names, things = torch.from_numpy(told[..., 0].ravel()), torch.from_numpy(told[..., 1].ravel())
    logits = answers(model, soft.repeat_interleave(asked, dim=0), names)
    right = float((logits.argmax(dim=-1) == things).float().mean())
    return torch.nn.functional.cross_entropy(logits, things), right


def train(steps: int) -> SoftEncoder:
    """The encoder after so many steps."""
    model = recaller.model().requires_grad_(False)
    encoder = fresh(model)
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=0.0)
    began, at, mean = time.perf_counter(), 0, 0.0
    for step in range(steps):
        fall = 0.025 + 0.975 * (1 + math.cos(math.pi * step / steps)) / 2
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * fall
        loss, right = loss_of(model, encoder, STAGES[at], step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        mean = 0.95 * mean + 0.05 * right
        if mean >= STAGES[at].learnt:
            at, mean = at + 1, 0.0
        if step % 100 == 99:
            took = time.perf_counter() - began
            print(f"{took:6.0f} s  step {step + 1}, stage {at + 1}: {mean:.3f} answered", flush=True)
    return encoder.eval().requires_grad_(False)


@torch.no_grad()
def answered(
    model: Any, encoder: SoftEncoder, count: int, held: int, together: int, texts: int = 16
) -> float:
    """Share of the facts given back from `together` episodes of 64 tokens that were not trained on."""
    right = []
    for number in range(texts):
        rng = np.random.default_rng([SEED, 10**6, held, together, number])
        read = episodes(rng, 1, together, held, 64)
        soft = encoder(encoder.listen(model, read.ids, 1), count).reshape(1, together * count, -1)
        told = torch.from_numpy(read.told.reshape(-1, 2))
        logits = answers(model, soft.expand(len(told), -1, -1), told[:, 0])
        right.append(float((logits.argmax(dim=-1) == told[:, 1]).float().mean()))
    return float(np.mean(right))


def main() -> None:
    """Train, say what it gives, and keep the encoder where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--out", type=Path, help="write the encoder here")
    asked = parser.parse_args()
    encoder = train(asked.steps)
    model = recaller.model()
    for count in STAGES[-1].counts:
        found = answered(model, encoder, count, held=4, together=4)
        print(f"{count} embeddings an episode of 4 facts, 4 episodes: {found:.3f} answered")
    if asked.out:
        encoder.save(asked.out)


if __name__ == "__main__":
    main()
