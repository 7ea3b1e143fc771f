"""How much a model loses when episodes come as keys and values instead of standing together in its prompt.

An episode read alone has not read the ones before it, and coding rounds it. So the same words are put before the same
continuation in three ways: in the prompt, as episodes, and not at all; and what the model expects next is compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from agentmem.kv.attachment import attach
from agentmem.kv.blend import blend, can_blend
from agentmem.kv.capture import capture
from agentmem.kv.episode import EpisodeKV, coded
from agentmem.kv.pages import PLAIN
from agentmem.kv.places import back_to_back, stand
from agentmem.kv.support import Shape


@dataclass(frozen=True, slots=True)
class Probe:
    """Texts to remember, and a continuation that leans on them."""

    texts: tuple[str, ...]
    asked: str


@dataclass(frozen=True, slots=True)
class Quality:
    """Over all tokens of the probes' continuations, against the texts in the prompt.

    `kl` is the mean divergence in nats of what episodes make the model expect; `agreement` how often its first choice
    is the same; `unaided` how often that is so without any memory: a floor that says whether the probes lean on it.
    `blended` is the agreement after a share of the tokens was read again (`blend`); 0 where that is not done.
    """

    kl: float
    agreement: float
    unaided: float
    tokens: int
    blended: float = 0.0


PROBES = (
    Probe(
        (
            "Maria moved to Lisbon in March and rents a small flat above a bakery on Rua Augusta.\n",
            "Her brother Tom works as a nurse in Leeds and visits her every second summer.\n",
        ),
        "Maria lives in Lisbon, above a bakery on Rua Augusta. Her brother Tom is a nurse in Leeds.",
    ),
    Probe(
        (
            "The blue key opens the shed, the red key opens the cellar, and the green key is a spare.\n",
            "The spare hangs on a nail behind the kitchen door, next to the calendar.\n",
        ),
        "The green key is the spare. The spare hangs behind the kitchen door. The red key opens the cellar.",
    ),
    Probe(
        (
            "Build 4127 failed because the disk was full; build 4128 passed after old logs were removed.\n",
            "To remove old logs, run the cleanup job on the storage page and wait for ten minutes.\n",
        ),
        "Build 4127 failed because the disk was full. To remove old logs, run the cleanup job on the storage page.",
    ),
)


@torch.no_grad()
def measure(
    model: Any,
    tokenizer: Any,
    shape: Shape,
    *,
    prefix: Sequence[int],
    bits: int,
    chunk: int,
    probes: Sequence[Probe] = PROBES,
    share: float = 0.0,
) -> Quality:
    """Ask every probe in the three ways, and once more with a `share` read again; the model must not be attached."""
    kl, same, alike, count, mixed = 0.0, 0, 0, 0, 0
    device = next(model.parameters()).device
    for probe in probes:
        texts: list[list[int]] = [
            tokenizer(text, add_special_tokens=False)["input_ids"] for text in probe.texts
        ]
        asked: list[int] = tokenizer(probe.asked, add_special_tokens=False)["input_ids"]
        whole = expected(model, [*prefix, *(token for text in texts for token in text), *asked], len(asked))
        unaided = expected(model, [*prefix, *asked], len(asked))
        episodes = [
            coded("", text, capture(model, shape, prefix, text, chunk), shape, bits, "") for text in texts
        ]

        def told(held: Sequence[EpisodeKV], asked: Sequence[int] = asked) -> Tensor:
            with attach(model) as attached:
                total = sum(episode.tokens for episode in held)
                attached.recalled = stand(shape, held, places(held), total, device)
                return expected(model, [*prefix, *asked], len(asked))

        recalled = told(episodes)
        if share and can_blend(shape):
            together = blend(model, shape, prefix, episodes, share)
            tokens = [token for text in texts for token in text]
            one = told([coded("", tokens, together, shape, PLAIN, "")])
            mixed += int((whole.argmax(dim=-1) == one.argmax(dim=-1)).sum())
        kl += float((whole.exp() * (whole - recalled)).sum())
        same += int((whole.argmax(dim=-1) == recalled.argmax(dim=-1)).sum())
        alike += int((whole.argmax(dim=-1) == unaided.argmax(dim=-1)).sum())
        count += len(asked)
    return Quality(
        kl=kl / count,
        agreement=same / count,
        unaided=alike / count,
        tokens=count,
        blended=mixed / count,
    )


def places(episodes: Sequence[EpisodeKV]) -> list[int]:
    """Back to back, however long."""
    tokens = [episode.tokens for episode in episodes]
    return back_to_back(tokens, sum(tokens))


def expected(model: Any, ids: Sequence[int], last: int) -> Tensor:
    """Log-probabilities `[last, vocabulary]` fp32 after each of the last tokens."""
    logits: Tensor = model(torch.tensor([ids], device=next(model.parameters()).device)).logits
    return logits[0, -last:].float().log_softmax(dim=-1)
