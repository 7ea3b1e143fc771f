"""One layer after one call, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

torch = pytest.importorskip(
    "torch", reason="in-model memory needs the extra agentmem[kv]: torch is not installed"
)
pytest.importorskip(
    "transformers", reason="in-model memory needs the extra agentmem[kv]: transformers is not installed"
)

MakeStep = Callable[..., Any]


@pytest.fixture
def fed() -> MakeStep:
    """Feed a layer a call of noise, or of given keys and queries, and say what a policy is shown."""
    from agentmem.kv.layer import KVLayer
    from agentmem.kv.policies import Step

    torch.manual_seed(0)
    layers: list[KVLayer] = []

    def feed(tokens: int, *, budget: int = 8, batch: int = 1, again: bool = False, **changes: Any) -> Step:
        if not again:
            layers.append(KVLayer())
        layer = layers[-1]
        before = layer.held
        k, v = (torch.randn(batch, 2, tokens, 16) for _ in range(2))
        layer.update(changes.pop("k", k), changes.pop("v", v))
        query = torch.arange(layer.seen - tokens, layer.seen)[:, None]
        seen = (layer.positions[:, :, None] <= query) if before else None
        settings = {
            "query": torch.randn(batch, 4, tokens, 16),
            "seen": seen,
            "real": None,
            "first": torch.zeros(batch, 1, 1, dtype=torch.int32),
            "scaling": 0.25,
            "inv_freq": 100.0 ** -(torch.arange(8) / 8),
            "index": 0,
            "depth": 4,
            "budget": budget,
        }
        return Step(layer=layer, **{**settings, **changes})

    return feed
