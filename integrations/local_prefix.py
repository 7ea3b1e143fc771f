"""Caches of earlier calls, by the tokens in them: what a new prompt begins with is not read again.

One cache a conversation, so that several that take turns, or share a system prompt, each find theirs. Sharing a prefix
among the prompts at hand is BatchLLM's idea (arXiv 2412.03594).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from transformers.cache_utils import DynamicCache

LEAST = 16
"""Tokens that are worth a copy."""


class SharedPrefix:
    """Holds the caches of the last `caches` conversations and the tokens in each."""

    def __init__(self, caches: int = 4) -> None:
        self.caches = caches
        self._held: list[tuple[list[int], Any]] = []

    def start(self, ids: Sequence[int], model: Any) -> tuple[Any, int]:
        """A cache for a prompt, and how many of its tokens are in it; the last one is left for the model to read.

        A prompt that begins with more than half of a cache takes it over, as a conversation does that goes on; of one
        with which it shares less, such as a system prompt, the beginning is copied.
        """
        best = max(self._held, key=lambda one: common(one[0], ids[:-1]), default=None)
        shared = 0 if best is None else common(best[0], ids[:-1])
        if best is None or not shared:
            return empty(model), 0
        held, cache = best
        if 2 * shared > len(held):
            self._held.remove(best)
        elif shared >= LEAST:
            cache = deepcopy(cache)
        else:
            return empty(model), 0
        try:
            cache.crop(shared - len(held))
        except RuntimeError:
            # a layer with a window has let go of what would be needed
            return empty(model), 0
        return cache, shared

    def keep(self, ids: Sequence[int], cache: Any) -> None:
        """Hold the cache, which has these tokens, for calls to come; the one not used for longest goes."""
        if self.caches and cache.get_seq_length() == len(ids):
            self._held = [*self._held, (list(ids), cache)][-self.caches :]


def empty(model: Any) -> Any:
    """A cache with nothing in it."""
    return DynamicCache(config=model.config.get_text_config(decoder=True))


def common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
