"""How long a remembered text of 4,000 tokens takes to be in place again: from disk, from host memory, or read anew.

The recall model is so small that reading a text is cheap, so a larger model with random weights stands beside it: what
reading costs does not depend on what the weights are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from agentmem import Memory
from agentmem.kv import EpisodeKV, KVMemory
from agentmem.kv.capture import capture
from agentmem.kv.places import stand
from agentmem.kv.support import shape_of

from . import recaller
from .recaller_text import START, VOCABULARY, needles, text

TOKENS, REPEATS, CHUNK = 4000, 5, 2048


@dataclass(frozen=True, slots=True)
class Loading:
    """Seconds until the keys and values of one text can be attended to; medians."""

    model: str
    bits: int
    file_bytes: int
    disk_s: float
    host_s: float
    read_anew_s: float


def random_model(kv_heads: int = 2) -> Any:
    """A Llama of 8 layers, 8 query heads and hidden size 512 over the recall model's words, with random weights."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=kv_heads,
        max_position_embeddings=8192,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=None,
    )
    return LlamaForCausalLM(config).eval()  # type: ignore[no-untyped-call]


def loadings(model: Any) -> Iterator[Loading]:
    """The recall model at 16 and 4 bits, and the larger one at 4."""
    yield loading(model, "recall model", 16)
    yield loading(model, "recall model", 4)
    yield loading(random_model(), "random, 8 layers of 512", 4)


def loading(model: Any, name: str, bits: int) -> Loading:
    """One model at one width."""
    told = needles(np.random.default_rng(3), 1, TOKENS).ids[1 : TOKENS + 1]
    shape, cpu = shape_of(model), torch.device("cpu")
    with TemporaryDirectory() as folder, Memory(Path(folder, "agent.db"), embedder="hash") as memory:
        kv = KVMemory(model, recaller.tokenizer(), memory, bits=bits, chunk=CHUNK, min_agreement=0)
        id = kv.remember(text(told))
        held = kv.load(id)

        def place(episode: EpisodeKV) -> None:
            stand(shape, [episode], [-TOKENS], TOKENS, cpu)

        return Loading(
            model=name,
            bits=bits,
            file_bytes=kv.verify(id).size_bytes,
            disk_s=seconds(lambda: place(kv.load(id))),
            host_s=seconds(lambda: place(held)),
            read_anew_s=seconds(
                lambda: capture(model, shape, [VOCABULARY.index(START)], told.tolist(), CHUNK), repeats=3
            ),
        )


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median of some runs."""
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return median(taken)
