"""A plain cache's keys and values in an attached model's cache for a while, and back: nothing is read again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from transformers.cache_utils import DynamicCache

from agentmem.errors import InvalidInputError
from agentmem.kv.attachment import attach
from agentmem.kv.layer import KVCache, KVLayer


@contextmanager
def adopted(model: Any, cache: DynamicCache) -> Iterator[KVCache]:
    """Attach `model` with everything kept, over what `cache` holds; `cache` has it back, and what came, at the end.

    Raises:
        InvalidInputError: layers that look back over a window only, or as `attach`.
        UnsupportedModelError: as `attach`.
    """
    with attach(model) as attached:
        mine = attached.new_cache()
        pairs: list[tuple[KVLayer, Any]] = list(zip(mine.kv_layers, cache.layers, strict=True))
        if any(one.is_sliding for one, _ in pairs):
            raise InvalidInputError(
                "a cache whose layers look back over a window only cannot be taken over: start without a cache"
            )
        for one, other in pairs:
            if other.get_seq_length():
                one.update(other.keys, other.values)
        try:
            yield mine
        finally:
            for one, other in pairs:
                if one.is_initialized:
                    other.lazy_initialization(*one.kv)
                    other.keys, other.values = one.kv
