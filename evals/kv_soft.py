"""What soft memories give back, over how many embeddings an episode has and how many episodes stand together.

Episodes of 64 tokens that the encoder was not trained on; each fact in them is asked for by its name alone. Beside them
stand the keys and values of as many tokens as take the same bytes, those that surprised the model most; of the facts
alone, which nobody knows before they are asked for; and of all tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from agentmem import Memory
from agentmem.kv import SoftMemory, attach
from agentmem.kv.capture import Captured, capture
from agentmem.kv.episode import EpisodeKV, coded
from agentmem.kv.places import back_to_back, stand
from agentmem.kv.soft_encoder import SoftEncoder
from agentmem.kv.support import shape_of

from . import recaller
from .needles import PAGE
from .recaller_text import ID, START, text
from .train_soft import SEED, Episodes, answers, episodes

COUNTS = (1, 2, 4, 8, 16)
FACTS = (1, 2, 4, 8, 16)
TOGETHER = (1, 4, 16, 32)
USUAL_FACTS, USUAL_TOGETHER, USUAL_COUNT = 4, 4, 8
BITS, SOFT_BYTES = 4, 2
"""Of keys and values; bytes a number of an embedding."""


@dataclass(frozen=True, slots=True)
class Case:
    """Episodes of so many `facts`, `together` before a question, each as `count` embeddings or in their bytes."""

    told: str
    facts: int
    together: int
    count: int


@dataclass(frozen=True, slots=True)
class SoftRow:
    """A case, the bytes of an episode in it, and the share of facts given back."""

    told: str
    facts: int
    together: int
    count: int
    bytes: float
    recalled: float


SOFT, SURPRISING, TOLD, WHOLE = "embeddings", "KV, few tokens", "KV, facts alone", "KV, all tokens"
DISK = "on disk"
CASES = (
    *(Case(SOFT, facts, USUAL_TOGETHER, count) for facts in FACTS for count in COUNTS),
    *(Case(SOFT, USUAL_FACTS, together, USUAL_COUNT) for together in TOGETHER if together != USUAL_TOGETHER),
    *(Case(SURPRISING, USUAL_FACTS, USUAL_TOGETHER, count) for count in COUNTS),
    *(Case(told, USUAL_FACTS, USUAL_TOGETHER, 0) for told in (TOLD, WHOLE)),
)


def held_out(case: Case, number: int) -> Episodes:
    """The episodes of one text: the same for every way to keep them."""
    rng = np.random.default_rng([SEED, 10**6, case.facts, case.together, number])
    return episodes(rng, 1, case.together, case.facts, PAGE)


@torch.no_grad()
def soft_rows(model: Any, texts: int, cases: Sequence[Case] = CASES) -> Iterator[SoftRow]:
    """Every case over so many texts."""
    encoder = recaller.soft_encoder()
    for case in cases:
        ways = [
            as_embeddings(model, encoder, case, held_out(case, number))
            if case.told == SOFT
            else as_kv(model, encoder, case, held_out(case, number))
            for number in range(texts)
        ]
        size, right = (float(np.mean([way[at] for way in ways])) for at in (0, 1))
        yield SoftRow(case.told, case.facts, case.together, case.count, size, right)


def as_embeddings(model: Any, encoder: SoftEncoder, case: Case, read: Episodes) -> tuple[float, float]:
    """Bytes of an episode and share given back."""
    soft = encoder(encoder.listen(model, read.ids, 1), case.count).to(torch.bfloat16).float()
    told = torch.from_numpy(read.told.reshape(-1, 2))
    logits = answers(model, soft.reshape(1, -1, soft.shape[-1]).expand(len(told), -1, -1), told[:, 0])
    right = (logits.argmax(dim=-1) == told[:, 1]).float().mean()
    return SOFT_BYTES * case.count * soft.shape[-1], float(right)


def as_kv(model: Any, encoder: SoftEncoder, case: Case, read: Episodes) -> tuple[float, float]:
    """The same with keys and values; a token's bytes are a 64th of a page's."""
    shape, held = shape_of(model), []
    surprise = encoder.listen(model, read.ids, 1).surprise
    size = 0.0
    for ids, surprised in zip(read.ids.tolist(), surprise, strict=True):
        found, tokens = capture(model, shape, ids[:1], ids[1:], PAGE), ids[1:]
        a_token = coded("", tokens, found, shape, BITS, "").size_bytes / PAGE
        kept = torch.arange(len(tokens))
        if case.told == SURPRISING:
            most = int(SOFT_BYTES * case.count * model.config.hidden_size / a_token)
            kept = surprised.topk(most).indices.sort().values
        elif case.told == TOLD:
            kept = torch.isin(torch.tensor(tokens), torch.from_numpy(read.told)).nonzero()[:, 0]
        tokens = [tokens[place] for place in kept.tolist()]
        found = Captured(*(tuple(layer[:, :, kept] for layer in half) for half in (found.keys, found.values)))
        size += a_token * len(tokens)
        if tokens:
            held.append(coded("", tokens, found, shape, BITS, ""))
    right = [asked(model, held, name) == thing for name, thing in read.told.reshape(-1, 2).tolist()]
    return size / len(read.ids), float(np.mean(right))


def asked(model: Any, held: Sequence[EpisodeKV], name: int) -> int:
    """The token that follows a name, behind these episodes."""
    starts = back_to_back([one.tokens for one in held], PAGE * max(1, len(held)))
    with attach(model) as attached:
        attached.recalled = stand(shape_of(model), held, starts, max(1, len(held)), torch.device("cpu"))
        return int(model(torch.tensor([[ID[START], name]])).logits[0, -1].argmax())


@torch.no_grad()
def on_disk(model: Any, texts: int, count: int, together: int = 16) -> SoftRow:
    """Episodes remembered by a `SoftMemory`; a question recalls at most four that its words find."""
    case, right, sizes = Case(DISK, USUAL_FACTS, together, count), [], []
    for number in range(texts):
        read = held_out(case, number)
        with TemporaryDirectory() as folder, Memory(Path(folder, "soft.db"), embedder="hash") as memory:
            soft = SoftMemory(
                model, recaller.tokenizer(), memory, recaller.soft_encoder(), tokens=count, episodes=4
            )
            for ids in read.ids:
                soft.remember(text(ids.tolist()))
            for name, thing in read.told.reshape(-1, 2).tolist():
                found = soft.recall(text([name]))
                logits = model(**found.inputs(torch.tensor([[ID[START], name]]))).logits
                right.append(int(logits[0, -1].argmax()) == thing)
                sizes.append(found.bytes / max(1, len(found.episodes)))
    return SoftRow(DISK, case.facts, together, count, float(np.mean(sizes)), float(np.mean(right)))
