"""The attention function and mask function that an attached model runs.

Layers and heads may hold different tokens, so a mask is not a table made once a call: it is the model's own rule
(causal, sliding, padding), asked at the positions that a layer holds.

Axes: `B` batch, `Hq` query heads, `H` KV heads, `T` query tokens, `P` keys, `D` head dim.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import causal_mask_function

from agentmem.errors import InvalidInputError, UnsupportedModelError
from agentmem.kv import ops
from agentmem.kv.blocks import attend_both, in_front
from agentmem.kv.far import Far, merged
from agentmem.kv.layer import KVLayer
from agentmem.kv.static import StaticLayer

NAME = "agentmem"
"""What the functions are registered as."""


@dataclass(frozen=True, slots=True)
class KeyMask:
    """Which query sees which key, by position; what the model hands from its mask to its attention.

    `rule(batch, head, query, key) -> bool` is index based; `padding` `[B, tokens]` is false where a row is padding.
    """

    rule: Callable[..., Any]
    padding: Tensor | None
    first_query: int
    first_key: int

    @property
    def plain(self) -> bool:
        """Whether the rule is causality alone."""
        return self.rule is causal_mask_function and self.padding is None

    def contiguous(self) -> KeyMask:
        """Itself: `generate` asks this of a mask that it prepares for a cache with static shapes."""
        return self

    def table(self, queries: int, positions: Tensor) -> Tensor | None:
        """`[B, 1 or H, queries, P]`, true where seen; none where every query sees every key.

        Args:
            queries: of the call, the first at `first_query`. positions: `[B, 1 or H, P]` of the keys.
        """
        if self.plain and queries == 1:
            return None
        batch, heads, _ = positions.shape
        device = positions.device
        row = torch.arange(batch, device=device)[:, None, None, None]
        head = torch.arange(heads, device=device)[None, :, None, None]
        query = torch.arange(self.first_query, self.first_query + queries, device=device)[None, None, :, None]
        key = positions[:, :, None].long()
        seen: Tensor = self.rule(row, head, query, key)
        if self.padding is not None:
            seen = seen & self.padding[row, key]
        return seen.expand(batch, heads, queries, -1)


class Watcher(Protocol):
    """What runs a call: it hands out layers and is told when one has attended."""

    def layer_of(self, module: torch.nn.Module) -> KVLayer | StaticLayer | None:
        """The layer that this attention module fills in the current call."""

    def blocks_of(self, module: torch.nn.Module) -> Far | None:
        """Blocks beside its cache that this attention module also attends to."""

    def attended(
        self, module: torch.nn.Module, layer: KVLayer, query: Tensor, seen: Tensor | None, scaling: float
    ) -> None:
        """The layer's attention is done: its tokens may go now."""


running: ContextVar[Watcher | None] = ContextVar("agentmem_kv_running", default=None)
"""The attachment whose model is in a forward call."""


def mask(
    *,
    q_offset: int,
    kv_offset: int,
    mask_function: Callable[..., Any],
    attention_mask: Tensor | None = None,
    **rest: Any,
) -> KeyMask:
    """Keep the rule instead of making a table of it (an `AttentionMaskInterface` function)."""
    padding = None if attention_mask is None or bool(attention_mask.all()) else attention_mask.bool()
    return KeyMask(mask_function, padding, int(q_offset), int(kv_offset))


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: KeyMask | Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attend to what the layer holds (an `AttentionInterface` function): `[B, T, Hq, D]` out.

    Raises:
        InvalidInputError: the model's attention has a term that is not ours to leave out.
    """
    for term in ("s_aux", "position_bias"):
        if rest.get(term) is not None:
            raise InvalidInputError(f"attention with {term!r} is not supported by agentmem.kv")
    watcher = running.get()
    layer = watcher.layer_of(module) if watcher else None
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    blocks = watcher.blocks_of(module) if watcher else None
    if layer is not None and (blocks is not None or isinstance(layer, StaticLayer)):
        check_unchanged(module, (key, value), layer.cells if isinstance(layer, StaticLayer) else layer.kv)
    if isinstance(layer, StaticLayer):
        return one_token(query, layer, blocks, factor, softcap).transpose(1, 2).contiguous(), None
    seen, causal = visible(attention_mask, query, key, layer)
    if blocks is not None and softcap is None and query.shape[2] <= blocks.longest and dropout == 0.0:
        table = lower_triangle(query, key) if causal else seen
        out = attend_both(query, key, value, table, blocks, factor)
    else:
        out = beside(query, key, value, seen, causal, blocks, factor, dropout, softcap)
    if watcher is not None and layer is not None:
        watcher.attended(module, layer, query, seen, factor)
    return out.transpose(1, 2).contiguous(), None


def check_unchanged(
    module: torch.nn.Module, given: tuple[Tensor, Tensor], held: tuple[Tensor, Tensor]
) -> None:
    """Refuse attention to something else than what the cache holds.

    Raises:
        UnsupportedModelError: keys or values are changed after they are cached (differential attention).
    """
    for one, other in zip(given, held, strict=True):
        if one.data_ptr() != other.data_ptr() or one.shape != other.shape:
            raise UnsupportedModelError(
                f"{type(module).__name__} changes keys or values after they are cached, so it can attend to no others: "
                "use attach without episodes, with a policy that keeps nothing far, and without static_decode"
            )


def one_token(
    query: Tensor, layer: StaticLayer, far: Far | None, scaling: float, softcap: float | None
) -> Tensor:
    """Attention `[B, Hq, 1, D]` over the filled cells of a static layer, and what is beside it: shapes never change."""
    ring, (keys, values) = layer.ring, layer.cells
    dim = query.shape[-1]
    if softcap is None and ops.on_kernels(cuda=query.is_cuda) and dim % 16 == 0 and dim <= 256:
        asked = query.contiguous()
        near = ops.run("sparse_paged_attention", asked, layer.pages, ring.table, ring.lengths, scale=scaling)
        found: Tensor = (near if far is None else merged([near, far.attend(query, scaling)])).out
        return found
    if softcap is None and far is not None:
        return attend_both(query, keys, values, ring.seen, far, scaling)
    return beside(query, keys, values, ring.seen, False, far, scaling, 0.0, softcap)


def beside(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    seen: Tensor | None,
    causal: bool,
    blocks: Far | None,
    factor: float,
    dropout: float,
    softcap: float | None,
) -> Tensor:
    """Attention over the layer's keys and, in front of them, those of recalled blocks."""
    if blocks is not None:
        table = lower_triangle(query, key) if causal else seen
        if table is None:
            table = torch.ones(1, 1, query.shape[2], key.shape[2], dtype=torch.bool, device=key.device)
        key, value, seen = in_front(key, value, table.expand(key.shape[0], -1, -1, -1), query, blocks)
        causal = False
    if softcap is None:
        return torch.nn.functional.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=spread(seen, query),
            dropout_p=dropout,
            scale=factor,
            is_causal=causal,
            enable_gqa=key.shape[1] != query.shape[1],
        )
    return capped(query, key, value, seen, factor, softcap)


def lower_triangle(query: Tensor, key: Tensor) -> Tensor:
    """`[1, 1, T, P]`: the last queries see the keys up to their own."""
    size = query.shape[2], key.shape[2]
    return torch.ones(size, dtype=torch.bool, device=key.device).tril(size[1] - size[0])[None, None]


def visible(
    attention_mask: KeyMask | Tensor | None, query: Tensor, key: Tensor, layer: KVLayer | None
) -> tuple[Tensor | None, bool]:
    """The table of who sees whom, or none; and whether torch's own causal rule says it all."""
    if not isinstance(attention_mask, KeyMask):
        return attention_mask, False
    positions = layer.positions if layer is not None else None
    if positions is None:
        positions = attention_mask.first_key + torch.arange(key.shape[2], device=key.device)
        positions = positions.expand(key.shape[0], 1, -1)
    whole = key.shape[2] == query.shape[2] and key.shape[2] > 1
    if whole and attention_mask.plain:
        # the first call: nothing is held before it, and the table would be T x T
        return None, True
    return attention_mask.table(query.shape[2], positions), False


def spread(seen: Tensor | None, query: Tensor) -> Tensor | None:
    """The table by query head, where KV heads hold different tokens."""
    if seen is None or seen.shape[1] in (1, query.shape[1]):
        return seen
    return seen.repeat_interleave(query.shape[1] // seen.shape[1], dim=1)


def capped(
    query: Tensor, key: Tensor, value: Tensor, seen: Tensor | None, scaling: float, softcap: float
) -> Tensor:
    """Attention whose scores pass through `softcap tanh(score / softcap)` (Gemma 2)."""
    group = query.shape[1] // key.shape[1]
    keys, values = (x.repeat_interleave(group, dim=1) for x in (key, value))
    score = softcap * torch.tanh(query @ keys.transpose(2, 3) * scaling / softcap)
    table = spread(seen, query)
    if table is None and query.shape[2] > 1:
        table = lower_triangle(query, key)
    if table is not None:
        score = score.masked_fill(~table, -torch.inf)
    # a padded query sees nothing
    return score.float().softmax(dim=-1).nan_to_num(0.0).to(query.dtype) @ values


def register() -> None:
    """Make the functions known to transformers under `NAME`; repeating it changes nothing."""
    AttentionInterface.register(NAME, attention)
    AttentionMaskInterface.register(NAME, mask)
