"""Train what evicted tokens leave behind (`policies.FadingState`) for the packaged recall model, on a CPU.

python -m agentmem.evals.train_fading [--steps 600] [--out evals/data/recaller/fading.safetensors]

The model is frozen. A text of 516 tokens is read with sinks, a window of one to two pages and the state, so that the
maps can learn to make the model expect what it expects with everything in its cache: the loss is the mean divergence
over all tokens plus that over the tokens that ask for a fact. Data follow from the seed and the step.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from agentmem.kv import attach, ops
from agentmem.kv.blocks import local
from agentmem.kv.fading import FadingMaps, HeadMaps, turned
from agentmem.kv.pages import PAGE
from agentmem.kv.policies import FadingState
from agentmem.kv.support import shape_of

from . import recaller
from .recaller_text import mixed

SEED, SINKS, PAGES, FACTS, BATCH, FEATURES = 23, 4, 8, 16, 4, 64
RATE = 1e-2
NAME = "agentmem-fading-training"
_running: ContextVar[tuple[Learner, Tensor] | None] = ContextVar("agentmem_fading", default=None)


@dataclass
class Learner:
    """The maps as they are trained: decay as a logit."""

    weight: Tensor
    shift: Tensor
    fade: Tensor
    bias: Tensor

    @classmethod
    def fresh(cls, layers: int, heads: int, dim: int) -> Learner:
        """Small random features, slow decay, and a state that weighs little."""
        torch.manual_seed(SEED)
        made = cls(
            torch.randn(layers, heads, dim, FEATURES) * dim**-0.5,
            torch.zeros(layers, heads, FEATURES),
            torch.full((layers, heads), 8.0),
            torch.full((layers, heads), -6.0),
        )
        for part in made.parts():
            part.requires_grad_()
        return made

    def parts(self) -> list[Tensor]:
        """What is trained."""
        return [self.weight, self.shift, self.fade, self.bias]

    def layer(self, place: int) -> HeadMaps:
        """The maps of one layer, differentiable."""
        return HeadMaps(self.weight[place], self.shift[place], self.fade[place].sigmoid(), self.bias[place])

    def maps(self) -> FadingMaps:
        """As they are now."""
        held = (self.weight, self.shift, self.fade.sigmoid(), self.bias)
        return FadingMaps(*(part.detach().clone() for part in held))


def windowed(
    maps: HeadMaps, query: Tensor, key: Tensor, value: Tensor, inv_freq: Tensor, scale: float
) -> Tensor:
    """Attention of a whole text when all but the sinks and one to two pages before each token are in the state."""
    tokens = query.shape[2]
    at = torch.arange(tokens)
    page = (at - SINKS).clamp(min=0) // PAGE
    near = (at[None] <= at[:, None]) & ((at[None] < SINKS) | (page[None] >= page[:, None] - 1))
    out, lse = local(query, key, value, near[None, None], scale)
    plain_q, plain_k = turned(query, inv_freq, -at), turned(key, inv_freq, -at)
    parts = [out[:, :, : SINKS + 2 * PAGE]]
    state = total = torch.zeros(())
    for number in range(2, int(page[-1]) + 1):
        gone = slice(SINKS + (number - 2) * PAGE, SINKS + (number - 1) * PAGE)
        added = maps.folded(plain_k[:, :, gone], value[:, :, gone])
        faded = maps.decay**PAGE
        state, total = state * faded[:, None, None] + added[0], total * faded[:, None] + added[1]
        here = slice(SINKS + number * PAGE, min(tokens, SINKS + (number + 1) * PAGE))
        far, far_lse = maps.read(plain_q[:, :, here], state, total)
        outs, lses = torch.stack([out[:, :, here], far]), torch.stack([lse[:, :, here], far_lse])
        parts.append(ops.run("merge_lse", outs, lses).out)
    return torch.cat(parts, dim=2)


def attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, *, scaling: float, **rest: Any
) -> tuple[Tensor, None]:
    """`windowed` with the maps in training (an `AttentionInterface` function)."""
    running = _running.get()
    assert running is not None
    learner, inv_freq = running
    out = windowed(learner.layer(module.layer_idx), query, key, value, inv_freq, scaling)
    return out.transpose(1, 2).contiguous(), None


@contextmanager
def training(model: Any, learner: Learner) -> Iterator[None]:
    """Let the model read with the state."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, lambda **about: None)
    before = model.config._attn_implementation
    token = _running.set((learner, shape_of(model).frequencies[0]))
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        _running.reset(token)


def loss_of(model: Any, learner: Learner, step: int) -> Tensor:
    """Divergence from everything kept, over all tokens and over those that ask."""
    rng = np.random.default_rng([SEED, step])
    readings = [mixed(rng, SINKS + PAGES * PAGE, FACTS, last=bool(rng.integers(2))) for _ in range(BATCH)]
    ids = torch.from_numpy(np.stack([reading.ids for reading in readings]))
    with torch.no_grad():
        want = model(ids, use_cache=False).logits.log_softmax(dim=-1)
    with training(model, learner):
        told = model(ids, use_cache=False).logits.log_softmax(dim=-1)
    apart = (want.exp() * (want - told)).sum(dim=-1)
    asked = torch.stack([apart[row, reading.asked].mean() for row, reading in enumerate(readings)])
    loss: Tensor = apart.mean() + asked.mean()
    return loss


def train(steps: int) -> FadingMaps:
    """The maps after so many steps."""
    model = recaller.model().requires_grad_(False)
    shape = shape_of(model)
    learner = Learner.fresh(len(shape.full_layers), shape.kv_heads, shape.head_dim)
    optimizer = torch.optim.Adam(learner.parts(), lr=RATE)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    began, mean = time.perf_counter(), 0.0
    for step in range(steps):
        loss = loss_of(model, learner, step)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learner.parts(), 1.0)
        optimizer.step()
        falling.step()
        mean = loss.item() if step == 0 else 0.95 * mean + 0.05 * loss.item()
        if step % 20 == 19:
            print(f"{time.perf_counter() - began:6.0f} s  step {step + 1}: loss {mean:.3f}", flush=True)
    return learner.maps()


@dataclass(frozen=True, slots=True)
class Worth:
    """Divergence (nats) from everything kept over all tokens and over those that ask, and the share recalled."""

    apart: float
    apart_asked: float
    recalled: float


@torch.no_grad()
def worth(model: Any, maps: FadingMaps, texts: int = 16) -> Worth:
    """What the policy gives on texts that were not trained on, read page by page; asked for at their end."""
    apart, asked, right = [], [], []
    for number in range(texts):
        reading = mixed(np.random.default_rng([SEED, 10**6 + number]), SINKS + PAGES * PAGE, FACTS, last=True)
        ids, at = torch.from_numpy(reading.ids)[None], torch.from_numpy(reading.asked)
        want = model(ids).logits[0].log_softmax(dim=-1)
        parts, cache = [], None
        with attach(model, FadingState(maps, sinks=SINKS), budget_tokens=SINKS + PAGE):
            for part in torch.split(ids, [SINKS + PAGE, *[PAGE] * (PAGES - 1)], dim=1):
                out = model(part, past_key_values=cache)
                cache = out.past_key_values
                parts.append(out.logits[0])
        told = torch.cat(parts).log_softmax(dim=-1)
        lost = (want.exp() * (want - told)).sum(dim=-1)
        apart.append(float(lost.mean()))
        asked.append(float(lost[at].mean()))
        right.append(float((told[at].argmax(dim=-1) == ids[0, at + 1]).float().mean()))
    return Worth(float(np.mean(apart)), float(np.mean(asked)), float(np.mean(right)))


def silenced(maps: FadingMaps) -> FadingMaps:
    """A state that weighs nothing: the window alone."""
    return replace(maps, bias=torch.full_like(maps.bias, -1e9))


def main() -> None:
    """Train, say what it gives, and keep the maps where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--out", type=Path, help="write the maps here")
    asked = parser.parse_args()
    maps = train(asked.steps)
    print("decay of each KV head:", [[round(d, 4) for d in row] for row in maps.decay.tolist()])
    for name, one in (("the window alone", silenced(maps)), ("with the state", maps)):
        found = worth(recaller.model(), one)
        print(
            f"{name}: {found.apart:.3f} nats from everything kept, {found.apart_asked:.3f} where a fact is asked for, "
            f"{found.recalled:.3f} of the facts recalled"
        )
    if asked.out:
        maps.save(asked.out)


if __name__ == "__main__":
    main()
