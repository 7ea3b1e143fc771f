"""Attach a bounded KV cache to a transformers model for the time of a `with` block.

Nothing is patched: the model's attention implementation is set to ours by its own setter, and two forward hooks hand it
a cache and tidy up after each call. Leaving the block puts both back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import Token
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from agentmem.errors import InvalidInputError, UnsupportedModelError
from agentmem.kv import attention, ops
from agentmem.kv.budget import check_reach, resolve_budget
from agentmem.kv.far import Far, together
from agentmem.kv.layer import KVCache, KVLayer
from agentmem.kv.policies import Full, Policy, Step
from agentmem.kv.rotary import turning
from agentmem.kv.static import StaticCache
from agentmem.kv.stats import KVStats
from agentmem.kv.support import Shape, check_version, shape_of

LOGIT_ROWS = 512
"""Rows of logits made at once to measure surprise."""


attachments: WeakKeyDictionary[Any, Attachment] = WeakKeyDictionary()
"""Model -> what it is attached to now."""


class Attachment:
    """A model's caches while it is attached; made by `attach`."""

    def __init__(
        self, model: Any, policy: Policy, budget: int | None, shape: Shape, reach: int | None = None
    ) -> None:
        self.model = model
        self._outside = model.config._attn_implementation
        self.policy = policy
        self.budget = budget
        """Tokens a layer may hold for each sequence; none for no limit."""
        self.reach = reach
        """The position that no token passes; none: tokens keep the positions they came with."""
        self._shape = shape
        self._places = {layer: place for place, layer in enumerate(shape.full_layers)}
        self.modules: dict[torch.nn.Module, int] = {
            module: module.layer_idx
            for module in model.get_decoder().modules()
            if isinstance(getattr(module, "layer_idx", None), int)
        }
        """Module -> its layer; of these only those that attend are asked for."""
        self._caches: WeakSet[KVCache] = WeakSet()
        self._stats = KVStats()
        self._cache: KVCache | None = None
        self._padding: Tensor | None = None
        self._waiting: list[Step] = []
        self._asked = self._paused = False
        self._tokens: Tensor | None = None
        self._hidden: Tensor | None = None
        self._entered: list[Token[attention.Watcher | None]] = []
        self.recalled: Mapping[int, Far] = {}
        """Layer -> blocks of a memory that calls attend to beside the cache."""

    def stats(self) -> KVStats:
        """What the cache of the last call held when it ended."""
        return self._stats

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the model's decoder run as it does outside."""
        self.model.set_attn_implementation(self._outside)
        self._paused = True
        try:
            yield
        finally:
            self._paused = False
            self.model.set_attn_implementation(attention.NAME)

    def layer_of(self, module: torch.nn.Module) -> KVLayer | None:
        """The layer that this attention module fills in the current call."""
        if self._cache is None:
            return None
        if module not in self.modules:
            raise UnsupportedModelError(
                f"{type(module).__name__} does not say which layer it is (layer_idx), so its cache cannot be bounded"
            )
        return self._cache.kv_layers[self.modules[module]]

    def blocks_of(self, module: torch.nn.Module) -> Far | None:
        """What this attention module also attends to: what was recalled, and what left its own window."""
        index = self.modules.get(module)
        return None if index is None else self.beside(index, self.layer_of(module))

    def beside(self, index: int, layer: KVLayer | None) -> Far | None:
        """What this layer also attends to."""
        if index not in self._places:
            return None
        left = None if layer is None else self.policy.far(layer, self._places[index])
        return together([self.recalled.get(index), left])

    def reserve(self, index: int, layer: KVLayer, tokens: int) -> None:
        """Make room for so many tokens more in what left this layer, so that it stays where it lies."""
        if index in self._places:
            self.policy.reserve(layer, self._shape.frequencies[index], tokens)

    def trim(self, index: int, layer: KVLayer) -> None:
        """Free the room that was not needed."""
        if index in self._places:
            self.policy.trim(layer)

    def note(self, cache: KVCache) -> None:
        """Let `stats` tell of this cache."""
        self._stats = measured(cache)

    def attended(
        self, module: torch.nn.Module, layer: KVLayer, query: Tensor, seen: Tensor | None, scaling: float
    ) -> None:
        """Free what the policy, or the layer's own window, lets go."""
        index = self.modules[module]
        self._asked = True
        if layer.is_sliding:
            layer.slide()
            return
        if self.budget is None:
            return
        first = torch.zeros(query.shape[0], 1, 1, dtype=torch.int32, device=query.device)
        real = None
        if self._padding is not None:
            assert layer.positions is not None
            first = self._padding.int().argmax(dim=1)[:, None, None].int()
            row = torch.arange(query.shape[0], device=query.device)[:, None, None]
            real = self._padding[row, layer.positions.long()]
        step = Step(
            layer=layer,
            query=query,
            seen=seen,
            real=real,
            first=first,
            scaling=scaling,
            inv_freq=self._shape.frequencies[index],
            index=self._places[index],
            depth=len(self._places),
            budget=self.budget,
        )
        if self.policy.surprise:
            self._waiting.append(step)
        else:
            self._evict(step)

    def _evict(self, step: Step) -> None:
        self.policy.observe(step)
        self.policy.shrink(step)

    def before(
        self, model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the call one of our caches (a forward pre-hook)."""
        given = kwargs.get("past_key_values")
        if isinstance(given, StaticCache):
            self._entered.append(attention.running.set(given.watcher))
            return args, kwargs
        wanted = kwargs.get("use_cache")
        asked = given is None and (model.config.use_cache if wanted is None else wanted)
        if asked or (type(given) is DynamicCache and given.get_seq_length() == 0):
            given = self.new_cache()
        elif given is not None and not (isinstance(given, KVCache) and given in self._caches):
            raise InvalidInputError(
                f"a {type(given).__name__} that was filled elsewhere, or has a shape of its own, cannot be bounded; "
                "start without past_key_values, or go on with the cache of a call inside this attach"
            )
        mask = kwargs.get("attention_mask")
        if mask is not None and (not isinstance(mask, Tensor) or mask.ndim != 2):
            raise InvalidInputError(
                "agentmem.kv takes a 2-D attention mask (padding); it makes the rest itself"
            )
        self._cache = given
        self._padding = None if mask is None or bool(mask.all()) else mask.bool()
        self._tokens = kwargs.get("input_ids", args[0] if args else None)
        self._hidden, self._waiting, self._asked = None, [], False
        if self.policy.surprise and self._tokens is None:
            raise InvalidInputError(
                f"{type(self.policy).__name__} needs input_ids: embeddings have no surprise"
            )
        if given is not None:
            kwargs = {**kwargs, "past_key_values": given, **self._places_of(given, kwargs)}
        self._entered.append(attention.running.set(self))
        return args, kwargs

    def _places_of(self, cache: KVCache, kwargs: Mapping[str, Any]) -> dict[str, Tensor]:
        """Positions of the call's tokens where they must not pass `reach`."""
        if self.reach is None:
            return {}
        if self._padding is not None:
            raise InvalidInputError("reach takes no padding: give it sequences of one length")
        tokens = self._tokens if self._tokens is not None else kwargs["inputs_embeds"][..., 0]
        new = int(tokens.shape[1])
        at = cache.make_room(new, self.reach, self._shape.frequencies)
        return {"position_ids": torch.arange(at, at + new, device=tokens.device)[None]}

    def decoded(self, decoder: Any, args: tuple[Any, ...], output: Any) -> None:
        """Note the hidden states that predict the tokens (a forward hook of the decoder)."""
        self._hidden = output.last_hidden_state

    def after(self, model: Any, args: tuple[Any, ...], output: Any) -> None:
        """End the call, also a failed one (a forward hook)."""
        if self._entered:
            attention.running.reset(self._entered.pop())
        cache, self._cache, self._padding = self._cache, None, None
        waiting, self._waiting = self._waiting, []
        if cache is None or output is None:
            return
        if not (self._asked or self._paused):
            raise UnsupportedModelError(
                f"{type(model).__name__} attends by code of its own and not by transformers' attention interface, so "
                "its cache cannot be bounded"
            )
        if waiting:
            surprise = self._surprise(cache)
            for step in waiting:
                self._evict(replace(step, surprise=surprise))
        self.note(cache)

    def new_cache(self) -> KVCache:
        """A cache with nothing in it, for calls inside this attachment."""
        cache = KVCache(self._shape.windows)
        self._caches.add(cache)
        return cache

    @torch.no_grad()
    def _surprise(self, cache: KVCache) -> Tensor:
        """-log p of each token of the call, `[B, T]` fp32; 0 for the first of all, which nothing predicted."""
        assert self._hidden is not None
        assert self._tokens is not None
        hidden, tokens = self._hidden, self._tokens
        before = hidden[:, :1] * 0 if cache.last_hidden is None else cache.last_hidden[:, None]
        first = cache.last_hidden is None
        cache.last_hidden = hidden[:, -1].clone()
        rows = torch.cat([before, hidden[:, :-1]], dim=1).flatten(0, 1)
        targets = tokens.to(rows.device).flatten()
        parts = [
            ops.run(
                "token_entropy", self._logits(rows[at : at + LOGIT_ROWS]), targets[at : at + LOGIT_ROWS]
            ).surprise
            for at in range(0, rows.shape[0], LOGIT_ROWS)
        ]
        surprise = torch.cat(parts).view(tokens.shape)
        if first:
            surprise[:, 0] = 0.0
        return surprise

    def _logits(self, rows: Tensor) -> Tensor:
        logits: Tensor = self.model.get_output_embeddings()(rows)
        cap = getattr(self.model.config.get_text_config(decoder=True), "final_logit_softcapping", None)
        return (logits if cap is None else cap * torch.tanh(logits / cap)).contiguous()

    def close(self) -> None:
        """Refuse further tokens to every cache made here."""
        for cache in self._caches:
            cache.close()


@contextmanager
def outside(model: Any) -> Iterator[None]:
    """Let a model run as it does when it is not attached."""
    attached = attachments.get(model)
    with attached.paused() if attached is not None else nullcontext():
        yield


def measured(cache: KVCache) -> KVStats:
    """A cache as numbers."""
    layers = cache.kv_layers
    held = tuple(layer.held for layer in layers)
    bounded = [layer.held for layer in layers if not layer.is_sliding] or list(held)
    return KVStats(
        logical_tokens=cache.get_seq_length(),
        physical_tokens=max(bounded),
        layer_tokens=held,
        size_bytes=sum(layer.size_bytes for layer in layers),
        batch=int(layers[0].kv[0].shape[0]),
    )


@contextmanager
def attach(
    model: Any,
    policy: Policy | None = None,
    *,
    budget_tokens: int | None = None,
    budget_bytes: int | None = None,
    reach: int | None = None,
) -> Iterator[Attachment]:
    """Bound the KV cache of a transformers decoder while the block runs; `model.generate` is used as ever.

    Args:
        model: a decoder-only language model with rotary positions (Llama, Qwen, Mistral, Gemma, Phi shapes).
        policy: what each layer keeps; everything when not given.
        budget_tokens: tokens that each layer which sees everything may hold for each sequence.
        budget_bytes: the same as bytes for one sequence over all those layers, bookkeeping included; what a policy
            notes beside that (SnapKV's window of queries, Expected Attention's moments) does not grow with the text.
        reach: the position that no token may pass, for a text longer than the model's positions (StreamingLLM, arXiv
            2309.17453): when the next call would pass it, what is held is turned to stand at 0 and on without gaps, and
            the call goes on behind it. Not with policies that keep far keys at their positions.

    Yields:
        An `Attachment`; `stats()` says what is held.

    Raises:
        InvalidInputError: the budget does not suit the policy, or the model is attached already.
        UnsupportedModelError: the model or the transformers version is not known here, or the policy (or `reach`) moves
            keys and the model turns them in a way that is not.

    During a call a layer holds its budget and the call's own tokens; what goes is freed as soon as the layer has
    attended. Feed a long prompt in chunks (`generate(prefill_chunk_size=...)`) to bound that too. Tokens keep the
    positions they came with. One attachment serves one thread at a time.
    """
    check_version()
    shape = shape_of(model)
    chosen = policy if policy is not None else Full()
    if model in attachments:
        raise InvalidInputError("this model is attached already; leave that block first")
    if chosen.turns or reach is not None:
        shape = turning(model, shape)
    budget = resolve_budget(model, shape, chosen, budget_tokens, budget_bytes)
    check_reach(chosen, budget, reach)
    attachment = Attachment(model, chosen, budget, shape, reach)
    before = model.config._attn_implementation
    attention.register()
    hooks = [
        model.register_forward_pre_hook(attachment.before, with_kwargs=True),
        model.register_forward_hook(attachment.after, always_call=True),
    ]
    if chosen.surprise:
        hooks.append(model.get_decoder().register_forward_hook(attachment.decoded))
    try:
        model.set_attn_implementation(attention.NAME)
        attachments[model] = attachment
        yield attachment
    finally:
        for hook in hooks:
            hook.remove()
        attachments.pop(model, None)
        model.set_attn_implementation(before)
        attachment.close()
