"""Decoding an attached model in tensors of fixed shape, one token at a time, until something must change shape.

What changes shape is left to the ordinary call: a prompt, a page that leaves the window, a move below `reach`. Between
such calls the layers are static (`StaticLayer`), and a step can be replayed as a CUDA graph. Tokens, and what is held
afterwards, are those of ordinary decoding.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from agentmem.errors import InvalidInputError
from agentmem.kv.attachment import Attachment
from agentmem.kv.captured import Captured
from agentmem.kv.far import Far
from agentmem.kv.layer import KVCache, KVLayer
from agentmem.kv.policies import Rolling
from agentmem.kv.static import Ring, StaticCache, StaticLayer

AHEAD = 4096
"""Tokens that room is made for at a time, where something grows."""


class StaticRun:
    """Decodes over `cache`, which it takes over at its first step and gives back at the end of its `with` block.

    Args:
        attached: the model's attachment. cache: one of its caches, after a prompt. ahead: tokens that may come.
        graphs: whether steps are CUDA graphs, where the model is on one CUDA device.

    Raises:
        InvalidInputError: the policy chooses what goes by more than the order in which tokens came.
    """

    def __init__(self, attached: Attachment, cache: KVCache, ahead: int, *, graphs: bool = True) -> None:
        self._attached, self._cache, self._ahead = attached, cache, min(ahead, AHEAD)
        self._rolling = rolling(attached)
        devices = {weight.device for weight in attached.model.parameters()}
        device = next(iter(devices))
        self._step = Captured(self._forward, device, graphs=graphs and len(devices) == 1)
        self._rings: dict[Rolling, Ring] = {}
        self._layers: list[StaticLayer] = []
        self._static = StaticCache([], self)
        self._far: dict[int, Far | None] = {}
        self._lie: tuple[object, ...] = ()
        self._taken, self._steps = False, 0
        batch = int(cache.kv_layers[0].kv[0].shape[0])
        self._token = torch.zeros(batch, 1, dtype=torch.int64, device=device)
        self._position = torch.zeros(1, 1, dtype=torch.int64, device=device)
        self._logits: Tensor | None = None

    def __enter__(self) -> StaticRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give()
        self._step.drop()
        self._layers, self._static, self._far = [], StaticCache([], self), {}
        for index, layer in enumerate(self._cache.kv_layers):
            self._attached.trim(index, layer)
        self._attached.note(self._cache)

    @torch.no_grad()
    def step(self, tokens: Tensor) -> Tensor:
        """The logits `[B, V]` after `tokens` `[B]`; the next step writes over them."""
        if not self._taken:
            self._take()
        if self._room() == 0:
            self._give()
            out = self._attached.model(input_ids=tokens[:, None], past_key_values=self._cache, use_cache=True)
            logits: Tensor = out.logits[:, -1]
            return logits
        self._token.copy_(tokens[:, None])
        self._step()
        self._steps += 1
        assert self._logits is not None
        return self._logits

    def layer_of(self, module: torch.nn.Module) -> StaticLayer | None:
        """The layer that this attention module fills."""
        index = self._attached.modules.get(module)
        return None if index is None else self._layers[index]

    def blocks_of(self, module: torch.nn.Module) -> Far | None:
        """What this attention module also attends to."""
        index = self._attached.modules.get(module)
        return None if index is None else self._far[index]

    def attended(self, *call: Any) -> None:
        """Nothing leaves within a step: it is written over by the next one, or waits for an ordinary call."""

    def _forward(self) -> None:
        """One step, on the device alone: the same tensors in and out each time."""
        for ring in self._rings.values():
            ring.advance()
        out = self._attached.model(
            input_ids=self._token, position_ids=self._position, past_key_values=self._static, use_cache=True
        )
        logits = out.logits[:, -1]
        if self._logits is None:
            self._logits = torch.empty_like(logits)
        self._logits.copy_(logits)
        self._position.add_(1)

    def _room(self) -> int:
        """Steps until an ordinary call is needed."""
        left = [ring.slots - ring.held for ring in self._rings.values() if not ring.wraps]
        if self._attached.reach is not None:
            left.append(self._attached.reach - self._cache.kv_layers[0].end)
        return min(left, default=self._steps + 1) - self._steps

    def _take(self) -> None:
        """Let static layers take over: the same tensors as the last time, where there is room in them."""
        layers = self._cache.kv_layers
        if self._layers and all(self._fits(one) for one in self._layers):
            for one in self._layers:
                one.ring.refill(one.source.held)
                one.take()
        else:
            self._step.drop()
            self._rings = {self._holds(layer): self._ring(layer) for layer in layers}
            self._layers = [StaticLayer(layer, self._rings[self._holds(layer)]) for layer in layers]
            self._static = StaticCache(self._layers, self)
        for index, layer in enumerate(layers):
            self._attached.reserve(index, layer, self._ahead)
        self._far = {index: self._attached.beside(index, layer) for index, layer in enumerate(layers)}
        lie = tuple(lying(self._far))
        if lie != self._lie:
            self._step.drop()
            self._lie = lie
        self._position.fill_(layers[0].end)
        self._taken, self._steps = True, 0

    def _give(self) -> None:
        """Give the layers back what they hold."""
        if self._taken:
            for layer in self._layers:
                layer.give(self._steps)
            self._taken, self._steps = False, 0

    def _holds(self, layer: KVLayer) -> Rolling:
        """How the layer rolls: over its own window, or as the policy says."""
        return self._rolling if layer.window is None else Rolling(layer.window, sinks=0, wraps=True)

    def _fits(self, one: StaticLayer) -> bool:
        """Whether its tensors have room for another token; those of a fixed number always do, sooner or later."""
        return self._holds(one.source).slots is not None or one.source.held < one.ring.slots

    def _ring(self, layer: KVLayer) -> Ring:
        holds = self._holds(layer)
        slots = layer.held + self._ahead if holds.slots is None else holds.slots
        return Ring(layer, slots, holds.sinks, wraps=holds.wraps)


def rolling(attached: Attachment) -> Rolling:
    """How the policy rolls.

    Raises:
        InvalidInputError: it does not.
    """
    found = attached.policy.rolling(attached.budget)
    if found is None:
        raise InvalidInputError(
            f"{type(attached.policy).__name__} chooses what goes by more than the order of tokens, so a step has no "
            "fixed shape: leave custom_generate=static_decode out, or use Full, SinkRecent, BlockRetrieval, or "
            "HeadSplit over it"
        )
    return found


def lying(part: Any) -> Iterator[object]:
    """Where the tensors in a structure lie, with their shapes, and what they are parts of."""
    if isinstance(part, Tensor):
        yield part.data_ptr(), tuple(part.shape)
    elif is_dataclass(part):
        yield type(part)
        for field in fields(part):
            yield from lying(getattr(part, field.name))
    elif isinstance(part, dict):
        for name, value in part.items():
            yield name
            yield from lying(value)
    elif isinstance(part, tuple):
        for value in part:
            yield from lying(value)
