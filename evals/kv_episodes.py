"""What the recall model still knows when a text was remembered as episodes and is nowhere in its prompt.

The same texts and questions as for the policies. A text is remembered in parts of at most 64 tokens, cut between
sentences and facts; each question is a prompt of a name and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from agentmem import Memory
from agentmem.kv import KVMemory

from . import recaller
from .needles import PAGE, Kept
from .recaller_text import FIRST_NAME, FIRST_THING, ID, STOP, Reading, text

BITS = 4


@dataclass(frozen=True, slots=True)
class Told:
    """A text and the memory that holds it."""

    reading: Reading
    memory: Memory


def parts(reading: Reading, longest: int = PAGE) -> list[str]:
    """The text before its questions, in parts of at most `longest` tokens, none cut inside a sentence or a fact."""
    ids = reading.ids[1 : reading.asked[0]]
    after_stop = np.concatenate([[True], ids[:-1] == ID[STOP]])
    starts = np.flatnonzero(after_stop | ((ids >= FIRST_NAME) & (ids < FIRST_THING)))
    cuts = [0]
    for start, end in zip(starts, [*starts[1:], len(ids)], strict=True):
        if end - cuts[-1] > longest:
            cuts.append(int(start))
    return [text(ids[start:end]) for start, end in zip(cuts, [*cuts[1:], len(ids)], strict=True)]


@contextmanager
def remembered(model: Any, readings: list[Reading], bits: int = BITS) -> Iterator[list[Told]]:
    """Each text in a memory of its own, in files that go with the block."""
    with TemporaryDirectory() as folder, ExitStack() as stack:
        told = []
        for number, reading in enumerate(readings):
            memory = stack.enter_context(Memory(Path(folder, f"{number}.db"), embedder="hash"))
            kv = memory_of(model, memory, len(reading.ids), bits)
            for part in parts(reading):
                kv.remember(part)
            told.append(Told(reading, memory))
        yield told


def memory_of(model: Any, memory: Memory, budget: int, bits: int = BITS) -> KVMemory:
    """A memory that brings back no more than `budget` tokens for a question, and one episode at least."""
    return KVMemory(
        model,
        recaller.tokenizer(),
        memory,
        bits=bits,
        budget_tokens=max(PAGE, budget),
        episodes=max(1, budget // PAGE),
        min_agreement=0,
    )


@torch.no_grad()
def recalled(model: Any, told: list[Told], share: int, bits: int = BITS) -> Kept:
    """Questions answered right at `share` per cent of each text, and the most bytes that a question brought back."""
    right, most = [], 0
    for one in told:
        kv = memory_of(model, one.memory, len(one.reading.ids) * share // 100, bits)
        for place in one.reading.asked:
            name, thing = one.reading.ids[place : place + 2]
            with kv.recalled(text([name])) as found:
                logits = model(torch.tensor([[1, int(name)]])).logits
            right.append(int(logits[0, -1].argmax()) == thing)
            most = max(most, found.bytes)
    return Kept(float(np.mean(right)), most)
