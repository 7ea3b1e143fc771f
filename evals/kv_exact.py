"""What each exact way to keep a text costs, and whether it comes back with the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from agentmem.kv import restore, snapshot
from agentmem.kv.snapshots import Mode, read, tensors_of

from .kv_loading import random_model, seconds
from .recaller_text import ID, needles

TOKENS, CHUNK = 1000, 256
NEXT = torch.tensor([[ID["the"], ID["number"]]])


@dataclass(frozen=True, slots=True)
class Exact:
    """One model and mode: bytes a token, seconds to restore, whether all bits and the next logits are the same."""

    model: str
    mode: Mode
    bytes_a_token: float
    restore_s: float
    identical: bool


def exacts(model: Any) -> Iterator[Exact]:
    """The recall model in bf16, and a larger one with random weights that has a KV head for each query head."""
    half = type(model)(model.config).to(torch.bfloat16).eval()
    half.load_state_dict(model.state_dict())
    large = random_model(kv_heads=8).to(torch.bfloat16)
    modes: tuple[tuple[str, Any, Mode], ...] = (
        ("recall model", half, "lossless"),
        ("recall model", half, "replay"),
        ("random, 8 layers of 512", large, "lossless"),
        ("random, 8 layers of 512", large, "residual"),
        ("random, 8 layers of 512", large, "replay"),
    )
    for name, one, mode in modes:
        yield exact(name, one, mode)


@torch.no_grad()
def exact(name: str, model: Any, mode: Mode) -> Exact:
    """One mode on one model."""
    ids = needles(np.random.default_rng(3), 1, TOKENS).ids[:TOKENS].tolist()
    kept = snapshot(model, ids, mode=mode, chunk=CHUNK)
    fresh, back = read(model, kept.token_ids, kept.schedule), restore(model, kept)
    left, right = tensors_of(fresh), tensors_of(back)
    same = all(torch.equal(left[part], right[part]) for part in left)
    logits = [model(NEXT, past_key_values=cache).logits for cache in (fresh, back)]
    return Exact(
        model=name,
        mode=mode,
        bytes_a_token=kept.size_bytes / TOKENS,
        restore_s=seconds(lambda: restore(model, kept), repeats=3),
        identical=same and torch.equal(*logits),
    )
