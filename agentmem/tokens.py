"""How budgets are counted. Knows nothing of what is packed.

The default needs no model file: it splits text the way byte-pair tokenizers pre-split it and charges long
words by length. `AGENTMEM` budgets are stated in the named tokenizer; hand in your model's own for exactness.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from agentmem.contracts import Tokenizer
from agentmem.errors import InvalidInputError

_PIECES = re.compile(r"[A-Za-z]+(?:'[a-z]{1,2}\b)?|\d{1,3}|\n+|[^\S\n]{2,}|[^\sA-Za-z0-9]")
_LETTERS_PER_TOKEN = 8
_MAX_COSTS = 65_536


class _Costs(dict[str, int]):
    """The tokens of pieces met before; at this size a least recently used order would cost more than it saves."""

    def __missing__(self, piece: str) -> int:
        if len(self) >= _MAX_COSTS:
            self.clear()
        self[piece] = cost = _cost(piece)
        return cost


def _cost(piece: str) -> int:
    if piece[0].isascii():
        return -(-len(piece) // _LETTERS_PER_TOKEN) + ("'" in piece and len(piece) > 1)
    return -(-len(piece.encode("utf-8", "surrogatepass")) // 3)


_costs = _Costs()


class RegexTokenizer:
    """A model-free estimate, additive over lines; see `docs/results.md` for how close it is."""

    name = "agentmem-regex-1"

    def count(self, text: str) -> int:
        """Tokens in `text`, in time linear in its length."""
        return sum(map(_costs.__getitem__, _PIECES.findall(text)))


class CallableTokenizer:
    """Wraps a `str -> int` function, or anything with `encode` (tiktoken, Hugging Face tokenizers)."""

    def __init__(self, source: Any, name: str | None = None) -> None:
        self.name = name or getattr(source, "name_or_path", None) or getattr(source, "name", None) or "custom"
        # tiktoken's `encode` refuses texts that spell a special token; `encode_ordinary` counts them as text
        encode = getattr(source, "encode_ordinary", None) or getattr(source, "encode", None)
        self._count: Callable[[str], int] = source if encode is None else lambda text: len(encode(text))

    def count(self, text: str) -> int:
        """Tokens in `text`."""
        return self._count(text) if text else 0


def as_tokenizer(source: Any) -> Tokenizer:
    """A `Tokenizer` from None (the default), a tokenizer, a counting function, or an encoder."""
    if source is None:
        return RegexTokenizer()
    if hasattr(source, "count") and hasattr(source, "name"):
        counted: Tokenizer = source
        return counted
    if isinstance(source, str) or not (callable(source) or hasattr(source, "encode")):
        raise InvalidInputError(
            f"not a tokenizer: {source!r}; give an object with encode(text), or a function from text to a count"
        )
    return CallableTokenizer(source)
