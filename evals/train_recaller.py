"""Train the packaged recall model from random weights, on a CPU, in a curriculum from short to long.

python -m agentmem.evals.train_recaller --work out/recaller [--out evals/data/recaller]

Every step's data follows from the seed and its number, so a run that was stopped goes on exactly where it was: start it
again with the same `--work`. A stage ends when recall is learnt; `--out` gets the config and the weights in bf16.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from .needles import DISTANCES, recall_over
from .recaller_text import VOCABULARY, Reading, mixed

SEED = 7
RATE, WARMUP = 2e-3, 100
KEEP_EVERY = 50


@dataclass(frozen=True)
class Size:
    """A batch: so many sequences of `tokens` with `facts` each."""

    tokens: int
    facts: int
    batch: int


@dataclass(frozen=True)
class Stage:
    """Steps of these sizes in turn, until `learnt` of the recalled tokens are right."""

    sizes: tuple[Size, ...]
    learnt: float
    steps: int
    """At most."""
    whole: bool = False
    """Take all steps, also when recall is learnt: the rate falls over them."""
    language: float = 0.1
    """What a token of plain language weighs beside a recalled one."""

    @property
    def longest(self) -> int:
        """Tokens of its longest sequences."""
        return max(size.tokens for size in self.sizes)


FIRST, *SHORT, LONGEST = (
    Size(tokens=17, facts=4, batch=240),
    Size(tokens=48, facts=8, batch=80),
    Size(tokens=128, facts=16, batch=30),
    Size(tokens=256, facts=32, batch=15),
    Size(tokens=512, facts=48, batch=7),
    Size(tokens=1024, facts=64, batch=3),
    Size(tokens=2048, facts=96, batch=2),
    Size(tokens=4096, facts=128, batch=1),
)
STAGES = (
    Stage((FIRST,), learnt=0.90, steps=3000, language=0.0),
    *(Stage((size,), learnt=0.97 if size.tokens < 512 else 0.985, steps=1000) for size in SHORT),
    # with the longest alone what is near is no longer recalled
    Stage((LONGEST, *SHORT[::-2]), learnt=1.0, steps=400, whole=True),
)


def fresh() -> Any:
    """The model before training: 0.46 million parameters."""
    torch.manual_seed(SEED)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(VOCABULARY),
            hidden_size=128,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=8192,
            rope_parameters={"rope_type": "default", "rope_theta": 1e5},
            tie_word_embeddings=False,
            pad_token_id=0,
            bos_token_id=1,
            eos_token_id=None,
        )
    )


def optimizer_of(model: Any) -> Any:
    """AdamW over all of it."""
    return torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1)


def batch_of(step: int, stage: Stage) -> list[Reading]:
    """The sequences of one step; about half of them ask at the end only."""
    rng, size = np.random.default_rng([SEED, step]), stage.sizes[step % len(stage.sizes)]
    return [mixed(rng, size.tokens, size.facts, last=bool(rng.integers(2))) for _ in range(size.batch)]


def loss_of(model: Any, readings: list[Reading], language: float) -> tuple[Tensor, float]:
    """Cross entropy of recalled tokens plus that of all tokens, weighed; and the share recalled."""
    ids = torch.from_numpy(np.stack([reading.ids for reading in readings]))
    asked = torch.from_numpy(np.stack([reading.asked for reading in readings]))
    hidden = model.model(ids[:, :-1], use_cache=False).last_hidden_state
    row = torch.arange(len(readings))[:, None]
    told, answers = model.lm_head(hidden[row, asked]), ids[row, asked + 1]
    cross = torch.nn.functional.cross_entropy
    loss = cross(told.flatten(0, 1), answers.flatten())
    if language:
        loss = loss + language * cross(model.lm_head(hidden).flatten(0, 1), ids[:, 1:].flatten())
    return loss, float((told.argmax(dim=-1) == answers).float().mean())


@dataclass
class Run:
    """A training that can be stopped and taken up again."""

    model: Any
    optimizer: Any
    work: Path
    stages: tuple[Stage, ...] = STAGES
    step: int = 0
    stage: int = 0
    taken: int = 0
    """Steps in this stage."""
    recalled: float = 0.0
    """Running share of recalled tokens that were right."""

    def keep(self) -> None:
        """Write everything; a kill leaves the old file or the new one."""
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {name: getattr(self, name) for name in ("step", "stage", "taken", "recalled")}
        torch.save(state, self.work / "run.new")
        (self.work / "run.new").replace(self.work / "run.pt")

    def resume(self) -> None:
        """Go on from what was kept, if anything was."""
        if (self.work / "run.pt").exists():
            state = torch.load(self.work / "run.pt", weights_only=True)
            self.model.load_state_dict(state.pop("model"))
            self.optimizer.load_state_dict(state.pop("optimizer"))
            for name, value in state.items():
                setattr(self, name, value)

    def rate(self) -> float:
        """Warm up, hold, half of it for long sequences, and fall over the last stage."""
        last = self.stage == len(self.stages) - 1
        fall = 1 - 0.95 * self.taken / self.stages[-1].steps if last else 1.0
        long = 0.5 if self.stages[self.stage].longest >= 1024 else 1.0
        return RATE * min(1.0, (self.step + 1) / WARMUP) * fall * long

    def train(self) -> None:
        """Every stage, from where it stands."""
        began = time.perf_counter()
        while self.stage < len(self.stages):
            stage = self.stages[self.stage]
            loss = self._take(stage)
            done = (
                f"{stage.longest} tokens: {self.taken} steps, loss {loss:.3f}, recalled {self.recalled:.3f}"
            )
            ended = self.taken >= stage.steps or (self.recalled >= stage.learnt and not stage.whole)
            if ended:
                self.stage, self.taken, self.recalled = self.stage + 1, 0, 0.0
            if ended or self.step % KEEP_EVERY == 0:
                self.keep()
                print(f"{time.perf_counter() - began:6.0f} s  {done}{', ended' if ended else ''}", flush=True)

    def _take(self, stage: Stage) -> float:
        """One step; returns its loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        loss, right = loss_of(self.model, batch_of(self.step, stage), stage.language)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.recalled = 0.95 * self.recalled + 0.05 * right
        self.step, self.taken = self.step + 1, self.taken + 1
        return loss.item()


def main() -> None:
    """Train, measure, and write the model out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where a stopped run is kept")
    parser.add_argument("--out", type=Path, help="the folder to write the model to")
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    model = fresh()
    print(f"{sum(part.numel() for part in model.parameters()):,} parameters")
    run = Run(model, optimizer_of(model), asked.work)
    run.resume()
    run.train()
    model.eval()
    for distance in DISTANCES:
        print(f"{distance} tokens of distractors: {recall_over(model, distance):.3f} recalled", flush=True)
    if asked.out:
        model.to(torch.bfloat16).save_pretrained(asked.out)


if __name__ == "__main__":
    main()
