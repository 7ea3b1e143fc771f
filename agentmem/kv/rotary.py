"""How a model turns its keys by position: asked of the model itself, for no configuration says it.

Keys that are kept before RoPE, or moved, must be turned as the model would. Most turn channel `j` with `j + R/2`; some
turn neighbours (Cohere, GLM, Ernie, Helium), and some layers do not turn at all (SmolLM 3, EXAONE 4, Cohere 2). Alone
in a sequence a token attends to itself, so that what enters each layer does not depend on its position: its keys at
two positions differ by the rotation between them and nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from agentmem.errors import UnsupportedModelError
from agentmem.kv import ops
from agentmem.kv.support import Shape

PLACE = 5
"""The second position."""
CLOSE = 0.02
"""Relative difference of keys that are the same but for rounding in 16 bits."""

_found: WeakKeyDictionary[Any, dict[int, str]] = WeakKeyDictionary()
"""Model -> layer that sees everything -> `halves`, `still` or `otherwise`."""


def turning(model: Any, shape: Shape) -> Shape:
    """The shape with each layer's frequencies as it applies them: zeros in a layer that does not turn.

    The model must not be attached. It reads one random vector twice, once in its life.

    Raises:
        UnsupportedModelError: a layer turns its keys in another way than by halves.
    """
    if model not in _found:
        _found[model] = asked(model, shape)
    others = [str(layer) for layer, kind in _found[model].items() if kind == "otherwise"]
    if others:
        raise UnsupportedModelError(
            f"{type(model).__name__} turns keys by position in a way that is not known here (layers "
            f"{', '.join(others)}), so kept keys cannot stand elsewhere; policies that move none work: "
            "Full, SinkRecent, H2O, TOVA, SnapKV, TokenEntropy, Ladder"
        )
    still = torch.zeros_like(shape.frequencies[0])
    return replace(
        shape,
        frequencies=tuple(
            still if _found[model].get(layer) == "still" else inv_freq
            for layer, inv_freq in enumerate(shape.frequencies)
        ),
    )


@torch.no_grad()
def asked(model: Any, shape: Shape) -> dict[int, str]:
    """How each layer that sees everything turns its keys."""
    first, second = keys_at(model, shape, 0), keys_at(model, shape, PLACE)
    kinds = {}
    for layer, (start, there) in zip(shape.full_layers, zip(first, second, strict=True), strict=True):
        place = torch.tensor([[PLACE]], device=start.device)
        tables = ops.part("rope_tables")(shape.frequencies[layer], place)
        turned = ops.run("rotate", start.contiguous(), tables.cos, tables.sin)
        near = {"halves": turned, "still": start}
        kinds[layer] = next((kind for kind, keys in near.items() if close(keys, there)), "otherwise")
    return kinds


def keys_at(model: Any, shape: Shape, place: int) -> list[Tensor]:
    """The keys `[1, H, 1, D]` fp32 of one vector alone at a position, in each layer that sees everything."""
    weight = model.get_input_embeddings().weight
    drawn = torch.randn(weight.shape[1], generator=torch.Generator().manual_seed(0))
    device = weight.device
    cache: Any = DynamicCache(config=model.config.get_text_config(decoder=True))
    model.get_decoder()(
        inputs_embeds=drawn.to(device, weight.dtype)[None, None],
        position_ids=torch.tensor([[place]], device=device),
        past_key_values=cache,
        use_cache=True,
    )
    return [cache.layers[layer].keys.float() for layer in shape.full_layers]


def close(one: Tensor, other: Tensor) -> bool:
    """Whether keys are the same but for rounding."""
    return bool((one - other).norm() <= CLOSE * other.norm())
