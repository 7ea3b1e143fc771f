"""What coding keys and values costs: bytes a token, and what the recall model then says of a text it was told.

A text is remembered whole, as one episode, at each width, and put back before its questions. What the model expects
after each question is compared with what it expects with the text in its prompt. The last rows are of the same text
remembered in parts that have not read each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agentmem.kv import attach, ops
from agentmem.kv.capture import Captured, capture
from agentmem.kv.episode import coded
from agentmem.kv.pages import PLAIN, code, decode
from agentmem.kv.places import back_to_back, stand
from agentmem.kv.quality import expected
from agentmem.kv.support import Shape, shape_of

from . import recaller
from .kv_episodes import parts
from .needles import texts
from .recaller_text import Reading

CHUNK = 2048
WIDTHS = ("bf16", "int8", "int4", "int2", "polar 4", "polar 2")
POLAR_VALUES = 4
"""Bits of the values beside polar keys, which are a code for keys alone."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`agreement`: how often the first choice is that of the text in the prompt; `kl` in nats; `right`: answers."""

    width: str
    told: str
    bytes_a_token: float
    agreement: float
    kl: float
    right: float


@dataclass(frozen=True, slots=True)
class Coded:
    """Keys and values `[1, H, T, D]` of a layer after coding, and the bytes that the code takes."""

    keys: Tensor
    values: Tensor
    size_bytes: int


def costs(model: Any, distractors: int, count: int) -> Iterator[Cost]:
    """Every width for texts told as one episode, then texts told in parts at full width and at 4 bits."""
    shape, readings = shape_of(model), list(texts(distractors, count))
    for width in WIDTHS:
        yield cost(model, shape, readings, width, "whole")
    for width in ("fp32", "int4"):
        yield cost(model, shape, readings, width, "in parts")


@torch.no_grad()
def cost(model: Any, shape: Shape, readings: Sequence[Reading], width: str, told: str) -> Cost:
    """One width over all texts."""
    size, tokens, same, kl, right = 0, 0, [], [], []
    for reading in readings:
        first, ids = int(reading.asked[0]), reading.ids.tolist()
        asked, answers = reading.asked - first, torch.from_numpy(reading.ids[reading.asked + 1])
        held = [ids[1:first]] if told == "whole" else [words(part) for part in parts(reading)]
        want = expected(model, ids, len(ids) - first)[asked]
        captured = [capture(model, shape, ids[:1], part, CHUNK) for part in held]
        layers = [layer for one in captured for layer in as_coded(one, shape, width)]
        size += sum(layer.size_bytes for layer in layers)
        tokens += sum(map(len, held))
        got = put_back(model, shape, held, layers, [*ids[:1], *ids[first:]])[1:][asked]
        same += (got.argmax(dim=-1) == want.argmax(dim=-1)).tolist()
        kl += (want.exp() * (want - got)).sum(dim=-1).tolist()
        right += (got.argmax(dim=-1) == answers).tolist()
    mean = np.mean
    return Cost(width, told, size / tokens, float(mean(same)), float(mean(kl)), float(mean(right)))


def as_coded(captured: Captured, shape: Shape, width: str) -> list[Coded]:
    """Each layer at this width."""
    return [
        at_width(keys, values, shape.frequencies[layer], width)
        for keys, values, layer in zip(captured.keys, captured.values, shape.full_layers, strict=True)
    ]


def at_width(keys: Tensor, values: Tensor, inv_freq: Tensor, width: str) -> Coded:
    """One layer coded and read back."""
    tokens = keys.shape[2]
    if width in ("fp32", "bf16"):
        kind = torch.float32 if width == "fp32" else torch.bfloat16
        pages = code(keys.to(kind), values.to(kind), inv_freq, PLAIN)
        return Coded(*decode(pages, tokens), pages.size_bytes)
    if width.startswith("int"):
        pages = code(keys, values, inv_freq, int(width.removeprefix("int")))
        return Coded(*decode(pages, tokens), pages.size_bytes)
    bits, turn = int(width.removeprefix("polar ")), ops.part("random_rotation")(keys.shape[-1])
    polar = ops.run("polar_encode", keys, turn, bits=bits)
    pages = code(keys, values, inv_freq, POLAR_VALUES)
    size = sum(part.numel() * part.element_size() for part in (*polar, pages.v, pages.v_scale, pages.v_zero))
    return Coded(ops.part("polar_decode")(polar, turn, bits=bits), decode(pages, tokens)[1], size)


def put_back(
    model: Any, shape: Shape, held: Sequence[Sequence[int]], layers: Sequence[Coded], ids: Sequence[int]
) -> Tensor:
    """What the model expects after each of `ids` when it also attends to what was read back, all of it."""
    depth = len(shape.full_layers)
    episodes = []
    for number, tokens in enumerate(held):
        mine = layers[number * depth : (number + 1) * depth]
        read = Captured(tuple(layer.keys for layer in mine), tuple(layer.values for layer in mine))
        episodes.append(coded("", tokens, read, shape, PLAIN, ""))
    total = sum(map(len, held))
    starts = back_to_back([episode.tokens for episode in episodes], total)
    with attach(model) as attached:
        attached.recalled = stand(shape, episodes, starts, total, torch.device("cpu"))
        return expected(model, ids, len(ids))


def words(part: str) -> list[int]:
    """A part's tokens."""
    ids: list[int] = recaller.tokenizer()(part, add_special_tokens=False)["input_ids"]
    return ids
