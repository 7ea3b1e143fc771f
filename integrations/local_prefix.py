"""The cache of the last call, cut back to what a new prompt begins with: a conversation is not read again each turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from transformers.cache_utils import DynamicCache


class SharedPrefix:
    """Holds one cache and the tokens in it."""

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._cache: Any = None

    def start(self, ids: Sequence[int], model: Any) -> tuple[Any, int]:
        """A cache for a prompt, and how many of its tokens are in it; the last one is left for the model to read."""
        shared = common(self._ids, ids[:-1])
        cache, self._cache = self._cache, None
        if cache is not None and shared:
            try:
                cache.crop(shared - len(self._ids))
                return cache, shared
            except RuntimeError:
                # a layer with a window has let go of what would be needed
                pass
        return DynamicCache(config=model.config.get_text_config(decoder=True)), 0

    def keep(self, ids: Sequence[int], cache: Any) -> None:
        """Hold the cache, which has these tokens, for the next call."""
        if cache.get_seq_length() == len(ids):
            self._ids, self._cache = list(ids), cache


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
