"""Episodes made to have read each other, at a fraction of the cost: CacheBlend (Yao et al., arXiv 2405.16444).

Kept keys and values stand one after the other behind the prefix. The model reads their tokens together through its
first two layers; in the second, whose keys and values depend on what came before, those of each token are compared
with the kept ones:
    deviation(t) = |K(t) - K_kept(t)|^2 / mean |K_kept|^2 + |V(t) - V_kept(t)|^2 / mean |V_kept|^2.
From the third layer on only the prefix and the `share` of tokens with the greatest deviation go on; they attend to all,
and their keys and values replace the kept ones. The paper computes one layer whole and narrows down layer by layer; the
default share of 0.15 is its. Axes: `H` KV heads, `T` tokens, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from math import ceil
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.cache_utils import DynamicCache

from agentmem.kv import ops
from agentmem.kv.capture import Captured, unrotated
from agentmem.kv.episode import EpisodeKV
from agentmem.kv.support import Shape

NAME = "agentmem-blend"
WHOLE = 2
"""Layers that read every token."""
_running: ContextVar[Blending | None] = ContextVar("agentmem_blending", default=None)


def can_blend(shape: Shape) -> bool:
    """Whether there is something to save: more than two layers, all of which see everything."""
    return len(shape.windows) > WHOLE and len(shape.full_layers) == len(shape.windows)


@torch.no_grad()
def blend(
    model: Any, shape: Shape, prefix: Sequence[int], episodes: Sequence[EpisodeKV], share: float
) -> Captured:
    """Keys before RoPE and values of all episodes, as one text, after the tokens that deviate most were read again.

    The model must not be attached, and `can_blend` must hold.
    """
    device = next(model.parameters()).device
    ids = [*prefix, *(token for episode in episodes for token in episode.token_ids.tolist())]
    running = Blending(model, shape, len(prefix), episodes, share)
    with blending(model, running):
        model.get_decoder()(torch.tensor([ids], device=device), past_key_values=running, use_cache=True)
    first, at = len(prefix), torch.arange(len(prefix), len(ids), device=device)
    keys = [
        unrotated(running.made[layer][0][:, :, first:], shape.frequencies[layer], at)
        for layer in shape.full_layers
    ]
    values = [running.made[layer][1][:, :, first:].contiguous() for layer in shape.full_layers]
    return Captured(tuple(keys), tuple(values))


class Blending(DynamicCache):
    """A cache that starts from kept keys and values, and takes in those of the tokens that are read again."""

    def __init__(
        self, model: Any, shape: Shape, first: int, episodes: Sequence[EpisodeKV], share: float
    ) -> None:
        super().__init__(config=model.config.get_text_config(decoder=True))
        self.made: dict[int, tuple[Tensor, Tensor]] = {}
        self.chosen: Tensor | None = None
        """`[S]` positions of the tokens that go on, in order; none while all do."""
        self._shape, self._first, self._episodes, self._share = shape, first, episodes, share

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *rest: Any, **options: Any
    ) -> Any:
        """Everything that a call of this layer attends to."""
        if layer_idx < WHOLE:
            self.made[layer_idx] = key_states, value_states
            if layer_idx == WHOLE - 1:
                self._choose(*self.made[layer_idx])
        else:
            keys, values = self._kept(layer_idx, key_states)
            keys[:, :, self.chosen], values[:, :, self.chosen] = key_states, value_states
            self.made[layer_idx] = keys, values
        return self.made[layer_idx]

    def _kept(self, layer: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Keys at their positions and values of all episodes, behind blanks for the prefix: `[1, H, T, D]`."""
        keys, values = (
            torch.cat([part[layer] for part in parts], dim=2).to(like.device)
            for parts in ([one.k for one in self._episodes], [one.v for one in self._episodes])
        )
        at = torch.arange(self._first, self._first + keys.shape[2], device=like.device)
        tables = ops.part("rope_tables")(self._shape.frequencies[layer], at[None])
        keys = ops.run("rotate", keys.contiguous(), tables.cos, tables.sin)
        blank = (0, 0, self._first, 0)
        pad = torch.nn.functional.pad
        return pad(keys, blank).to(like.dtype), pad(values, blank).to(like.dtype)

    def _choose(self, keys: Tensor, values: Tensor) -> None:
        deviation = torch.zeros(keys.shape[2] - self._first, device=keys.device)
        for new, kept in zip((keys, values), self._kept(WHOLE - 1, keys), strict=True):
            new, kept = new[:, :, self._first :].float(), kept[:, :, self._first :].float()
            size = (kept**2).sum(dim=(0, 1, 3)).mean().clamp(min=1e-12)
            deviation += ((new - kept) ** 2).sum(dim=(0, 1, 3)) / size
        count = min(len(deviation), ceil(self._share * len(deviation)))
        # the last token goes on in any case: a call needs one
        deviation[-1] = torch.inf
        most = deviation.topk(max(1, count)).indices.sort().values + self._first
        self.chosen = torch.cat([torch.arange(self._first, device=keys.device), most])


@contextmanager
def blending(model: Any, running: Blending) -> Iterator[None]:
    """Let the layers after the second see the chosen tokens alone."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, lambda **about: None)
    before, token = model.config._attn_implementation, _running.set(running)
    with ExitStack() as stack:
        for place, layer in enumerate(model.get_decoder().layers):
            if place >= WHOLE:
                stack.callback(
                    layer.register_forward_pre_hook(narrowed(running, place), with_kwargs=True).remove
                )
        model.set_attn_implementation(NAME)
        try:
            yield
        finally:
            model.set_attn_implementation(before)
            _running.reset(token)


def narrowed(running: Blending, place: int) -> Any:
    """A hook that hands a layer the chosen tokens' part of what it was to get."""

    def narrow(
        module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        chosen = running.chosen
        cos, sin = kwargs["position_embeddings"]
        changed = {"position_embeddings": (cos[:, chosen], sin[:, chosen])}
        if kwargs.get("position_ids") is not None:
            changed["position_ids"] = kwargs["position_ids"][:, chosen]
        hidden = args[0][:, chosen] if place == WHOLE else args[0]
        return (hidden, *args[1:]), {**kwargs, **changed}

    return narrow


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Any,
    *,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Each token attends to all up to its own position (an `AttentionInterface` function)."""
    running = _running.get()
    at = torch.arange(key.shape[2], device=key.device)
    asks = at if running is None or query.shape[2] == key.shape[2] else running.chosen
    assert asks is not None
    out = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=at[None] <= asks[:, None],
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return out.transpose(1, 2).contiguous(), None
