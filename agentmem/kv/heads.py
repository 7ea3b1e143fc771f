"""Find a model's retrieval heads by optimisation: DuoAttention (Xiao et al., arXiv 2410.10819).

Every KV head gets a gate a in [0, 1], and its attention is a mixture of two:
    out = a * full + (1 - a) * streaming,    streaming = the `sinks` first and the `recent` last tokens.
With the model frozen, gates alone are trained on texts that ask for something far back, so that the last hidden states
at `asked` positions stay what they are while gates are pushed down:
    loss = mean |h_mixed - h|^2 / mean |h|^2 + weight * sum(a).
A head whose gate stays above a threshold retrieves. Axes: `Hq`/`H` query and KV heads, `T` tokens, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface

from agentmem.errors import InvalidInputError
from agentmem.kv.attention import NAME as ATTACHED
from agentmem.kv.support import check_version, shape_of

NAME = "agentmem-gated"
_gates: ContextVar[Callable[[int], tuple[Tensor, Tensor]] | None] = ContextVar("agentmem_gates", default=None)
"""Layer -> its gates `[H]`, and who sees whom in the streaming attention `[T, T]`."""


def retrieval_gates(
    model: Any,
    texts: Iterable[tuple[Tensor, Tensor]],
    *,
    sinks: int = 4,
    recent: int = 64,
    rate: float = 0.05,
    weight: float = 0.05,
) -> Tensor:
    """Train gates, one step a text, and return them: `[layers that see everything, H]` fp32 on the host.

    Args:
        texts: token ids `[T]` and the positions `[A]` at which the model answers from far back.
        sinks, recent: what a streaming head sees. rate: of Adam. weight: how hard gates are pushed down.

    Raises:
        InvalidInputError: the model is attached, or there is no text.
        UnsupportedModelError: as `attach`.
    """
    check_version()
    shape = shape_of(model)
    if model.config._attn_implementation == ATTACHED:
        raise InvalidInputError("the model is attached; leave that block before its heads are looked for")
    device = next(model.parameters()).device
    places = {layer: place for place, layer in enumerate(shape.full_layers)}
    gates = torch.ones(len(places), shape.kv_heads, device=device, requires_grad=True)
    optimizer, steps = torch.optim.Adam([gates], lr=rate), 0
    wanted = [part.requires_grad for part in model.parameters()]
    model.requires_grad_(False)
    try:
        for ids, asked in texts:
            at = torch.arange(len(ids), device=device)
            back = at[:, None] - at
            seen = (back >= 0) & ((back < recent) | (at < sinks))
            with torch.no_grad():
                plain = model.get_decoder()(ids[None].to(device), use_cache=False).last_hidden_state[0, asked]
            with gated(model, partial(chosen, gates, places, seen)):
                mixed = model.get_decoder()(ids[None].to(device), use_cache=False).last_hidden_state[0, asked]
            loss = ((mixed - plain) ** 2).mean() / (plain**2).mean() + weight * gates.sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                gates.clamp_(0.0, 1.0)
            steps += 1
    finally:
        for part, was in zip(model.parameters(), wanted, strict=True):
            part.requires_grad_(was)
    if steps == 0:
        raise InvalidInputError("heads are found on texts, and there were none")
    return gates.detach().cpu()


def chosen(gates: Tensor, places: Mapping[int, int], seen: Tensor, layer: int) -> tuple[Tensor, Tensor]:
    """The gates of a layer, and who sees whom in its streaming attention."""
    return gates[places[layer]], seen


def retrieval_heads(gates: Tensor, threshold: float = 0.5) -> tuple[tuple[int, ...], ...]:
    """The heads above the threshold, layer by layer, as `policies.HeadSplit` takes them."""
    return tuple(tuple((row > threshold).nonzero()[:, 0].tolist()) for row in gates)


@contextmanager
def gated(model: Any, gates: Callable[[int], tuple[Tensor, Tensor]]) -> Iterator[None]:
    """Let the layers that see everything run both attentions and mix them."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, lambda **about: about["mask_function"])
    before, token = model.config._attn_implementation, _gates.set(gates)
    model.set_attn_implementation(NAME)
    try:
        yield
    finally:
        model.set_attn_implementation(before)
        _gates.reset(token)


def attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    *,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Full and streaming attention, mixed by the gates (an `AttentionInterface` function)."""
    at = torch.arange(query.shape[2], device=query.device)
    rule = attention_mask(0, 0, at[:, None], at[None])
    running = _gates.get()
    group = query.shape[1] // key.shape[1]
    sliding = getattr(module, "sliding_window", None) is not None

    def attend(seen: Tensor) -> Tensor:
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=seen, scale=scaling, enable_gqa=group > 1
        )

    out = attend(rule)
    if running is not None and not sliding:
        gates, seen = running(module.layer_idx)
        mix = gates.repeat_interleave(group)[:, None, None].to(out.dtype)
        out = mix * out + (1 - mix) * attend(rule & seen)
    return out.transpose(1, 2).contiguous(), None
