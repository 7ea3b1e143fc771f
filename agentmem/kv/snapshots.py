"""What a model made of a text, restored bit by bit: a prompt that many calls go on from, read once.

Three ways to keep it, all exact:
    lossless  the keys and values themselves, packed without loss (`planes`): most bytes, restored fastest.
    residual  what goes into each layer's attention; keys and values are projected from it again. The idea of KV-Direct.
              Smaller only where `hidden_size < 2 kv_heads head_dim`, so not with grouped KV heads: refused elsewhere.
    replay    token ids and the chunk schedule alone; the text is read again.

*Identical* means: on the same machine, with the same versions, number of threads and chunk schedule, every key, value
and following logit has the same bits as if the text had just been read. A matrix product may round otherwise when its
shapes change, so `residual` and `replay` repeat the calls of the first reading; `lossless` does not depend on them.
Later calls must have the same shapes, too: a prompt read whole is not bit-identical to its parts, here or anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache

from agentmem.errors import InvalidInputError, UnsupportedModelError
from agentmem.kv import attention, planes
from agentmem.kv.support import check_version, layer_kinds, shape_of

Mode = Literal["lossless", "residual", "replay"]
MODES: tuple[Mode, ...] = get_args(Mode)
SILENT = "agentmem-silent"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A text as one model read it: `token_ids` `[T]` in calls of `schedule` tokens, and what else the mode keeps.

    `parts` are packed bytes by name, `shapes` and `dtype` what they are of; `size_bytes` is what has to be kept.
    """

    mode: Mode
    token_ids: Tensor
    schedule: tuple[int, ...]
    dtype: torch.dtype
    parts: dict[str, NDArray[np.uint8]]
    shapes: dict[str, tuple[int, ...]]

    @property
    def size_bytes(self) -> int:
        """Bytes to keep."""
        return 4 * len(self.token_ids) + sum(part.nbytes for part in self.parts.values())


def snapshot(model: Any, token_ids: Sequence[int], *, mode: Mode = "lossless", chunk: int = 2048) -> Snapshot:
    """Read `token_ids`, `chunk` a call, and keep what `mode` needs.

    Raises:
        InvalidInputError: no tokens, an unknown mode, `residual` where it is not smaller, or the model is attached.
        UnsupportedModelError: as `attach`.
    """
    ready(model, mode)
    if not token_ids or chunk < 1:
        raise InvalidInputError(f"{len(token_ids)} tokens in chunks of {chunk}: both must be at least 1")
    schedule = tuple(min(chunk, len(token_ids) - at) for at in range(0, len(token_ids), chunk))
    ids = torch.tensor(list(token_ids), dtype=torch.int32)
    held: dict[str, Tensor] = {}
    if mode == "lossless":
        held = tensors_of(read(model, ids, schedule))
    elif mode == "residual":
        with overheard(model) as said:
            read(model, ids, schedule)
        held = {f"{layer}": torch.cat(parts, dim=1) for layer, parts in said.items()}
    packed = {name: planes.pack(part) for name, part in held.items()}
    shapes = {name: tuple(part.shape) for name, part in held.items()}
    return Snapshot(mode, ids, schedule, next(model.parameters()).dtype, packed, shapes)


@torch.no_grad()
def restore(model: Any, kept: Snapshot) -> DynamicCache:
    """The cache, as it was when the last of the tokens had been read; hand it to the next call as `past_key_values`.

    Raises:
        InvalidInputError: the model is attached, or not of the snapshot's dtype.
    """
    ready(model, kept.mode)
    if next(model.parameters()).dtype != kept.dtype:
        raise InvalidInputError(
            f"the snapshot is of {kept.dtype}, the model of {next(model.parameters()).dtype}"
        )
    if kept.mode == "replay":
        return read(model, kept.token_ids, kept.schedule)
    held = {name: planes.unpack(part, kept.dtype, kept.shapes[name]) for name, part in kept.parts.items()}
    device = next(model.parameters()).device
    if kept.mode == "lossless":
        return filled(model, {name: part.to(device) for name, part in held.items()}, len(kept.token_ids))
    return projected(model, {int(name): part.to(device) for name, part in held.items()}, kept.schedule)


def ready(model: Any, mode: Mode) -> None:
    """Refuse what cannot be exact."""
    check_version()
    shape = shape_of(model)
    if mode not in MODES:
        raise InvalidInputError(f"no mode {mode!r}; known: {', '.join(MODES)}")
    if model.config._attn_implementation == attention.NAME:
        raise InvalidInputError("the model is attached to a bounded cache; leave that block first")
    hidden, pair = model.config.get_text_config(decoder=True).hidden_size, 2 * shape.kv_heads * shape.head_dim
    if mode == "residual" and hidden >= pair:
        raise InvalidInputError(
            f"residuals of this model take {hidden} numbers a token and layer, its keys and values {pair}: use "
            "mode='lossless', or 'replay'"
        )
    if mode == "residual":
        attentions(model)


@torch.no_grad()
def read(model: Any, ids: Tensor, schedule: Sequence[int]) -> DynamicCache:
    """Run the decoder over all tokens, call by call."""
    cache = new_cache(model)
    for part in torch.split(ids.long()[None].to(next(model.parameters()).device), list(schedule), dim=1):
        model.get_decoder()(part, past_key_values=cache, use_cache=True)
    return cache


def new_cache(model: Any) -> DynamicCache:
    """An empty cache of the model's own kind."""
    return DynamicCache(config=model.config.get_text_config(decoder=True))


def tensors_of(cache: DynamicCache) -> dict[str, Tensor]:
    """Every layer's keys and values."""
    layers: list[Any] = cache.layers
    return {
        f"{place} {name}": getattr(layer, name)
        for place, layer in enumerate(layers)
        for name in ("keys", "values")
    }


def filled(model: Any, held: dict[str, Tensor], seen: int) -> DynamicCache:
    """A cache with these keys and values, after `seen` tokens."""
    cache = new_cache(model)
    layers: list[Any] = cache.layers
    for place, layer in enumerate(layers):
        keys, values = held[f"{place} keys"], held[f"{place} values"]
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = keys, values
        if hasattr(layer, "cumulative_length"):
            layer.cumulative_length = seen
    return cache


def attentions(model: Any) -> list[Any]:
    """The attention modules, in order.

    Raises:
        UnsupportedModelError: they cannot be told from its other modules.
    """
    decoder = model.get_decoder()
    named = [
        part
        for part in decoder.modules()
        if hasattr(part, "layer_idx") and "Attention" in type(part).__name__
    ]
    found = sorted(named, key=lambda module: int(module.layer_idx))
    if [module.layer_idx for module in found] != list(range(len(decoder.layers))):
        raise UnsupportedModelError(f"{type(model).__name__} has layers without one attention of their own")
    return found


@contextmanager
def overheard(model: Any) -> Iterator[dict[int, list[Tensor]]]:
    """What goes into each attention module in the calls inside the block, `[1, T, hidden]` a call."""
    said: dict[int, list[Tensor]] = {}

    def listen(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        given = kwargs["hidden_states"] if "hidden_states" in kwargs else args[0]
        said.setdefault(int(module.layer_idx), []).append(given)

    hooks = [module.register_forward_pre_hook(listen, with_kwargs=True) for module in attentions(model)]
    try:
        yield said
    finally:
        for hook in hooks:
            hook.remove()


def projected(model: Any, inputs: dict[int, Tensor], schedule: Sequence[int]) -> DynamicCache:
    """Let each attention module project its inputs into a cache, call by call, without attending."""
    AttentionInterface.register(SILENT, silent)
    AttentionMaskInterface.register(SILENT, lambda **about: None)
    cache, before = new_cache(model), model.config._attn_implementation
    rotary = model.get_decoder().rotary_emb
    kinds = layer_kinds(type(model).__name__, model.config.get_text_config(decoder=True))
    model.set_attn_implementation(SILENT)
    try:
        for module in attentions(model):
            at = 0
            for part in torch.split(inputs[int(module.layer_idx)], list(schedule), dim=1):
                places = torch.arange(at, at + part.shape[1], device=part.device)[None]
                kind = kinds[module.layer_idx]
                own = (kind,) if hasattr(rotary, f"{kind}_inv_freq") else ()
                angles = rotary(part, places, *own)
                module(part, position_embeddings=angles, attention_mask=None, past_key_values=cache)
                at += part.shape[1]
    finally:
        model.set_attn_implementation(before)
    return cache


def silent(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **rest: Any
) -> tuple[Tensor, None]:
    """No attention: the keys and values are in the cache by now (an `AttentionInterface` function)."""
    return query.transpose(1, 2).contiguous(), None
