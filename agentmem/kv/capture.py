"""Keys and values of a text as a model computes them, with the positions taken out of the keys.

The text is read behind a prefix, so that the tokens which soak up attention stand before it and not in it; only
what comes after the prefix is kept. Axes: `H` KV heads, `T` tokens, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from agentmem.errors import InvalidInputError
from agentmem.kv import attention, ops
from agentmem.kv.support import Shape


@dataclass(frozen=True, slots=True)
class Captured:
    """Pre-RoPE `keys` and `values` `[1, H, T, D]` of each layer that sees everything, in the model's dtype."""

    keys: tuple[Tensor, ...]
    values: tuple[Tensor, ...]


@torch.no_grad()
def capture(model: Any, shape: Shape, prefix: Sequence[int], tokens: Sequence[int], chunk: int) -> Captured:
    """Run the model over `prefix` and `tokens`, `chunk` tokens a call.

    Rotations are taken back in fp32 with angles made in fp64; scaled rotations (yarn) keep their scale.

    Raises:
        InvalidInputError: the model is attached to a bounded cache, which would not hold everything.
    """
    if model.config._attn_implementation == attention.NAME:
        raise InvalidInputError("the model is attached; leave that block before keys and values are computed")
    device = next(model.parameters()).device
    ids = torch.tensor([[*prefix, *tokens]], device=device)
    cache = DynamicCache(config=model.config.get_text_config(decoder=True))
    for at in range(0, ids.shape[1], chunk):
        model.get_decoder()(ids[:, at : at + chunk], past_key_values=cache, use_cache=True)
    keys, values = [], []
    positions = torch.arange(len(prefix), ids.shape[1], device=device)
    for layer in shape.full_layers:
        held: Any = cache.layers[layer]
        keys.append(unrotated(held.keys[:, :, len(prefix) :], shape.frequencies[layer], positions))
        values.append(held.values[:, :, len(prefix) :].contiguous())
    return Captured(tuple(keys), tuple(values))


def unrotated(keys: Tensor, inv_freq: Tensor, positions: Tensor) -> Tensor:
    """Keys `[1, H, T, D]` turned back from `positions` `[T]` to 0."""
    tables = ops.part("rope_tables")(inv_freq, -positions[None])
    turned: Tensor = ops.run("rotate", keys.float().contiguous(), tables.cos, tables.sin)
    return turned.to(keys.dtype)
