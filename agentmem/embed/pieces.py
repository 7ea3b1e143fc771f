"""Which word pieces of a text carry its content. Knows tokenizers, not models.

Late interaction compares a question's pieces with a passage's; stop words, marks and special pieces of a passage are
half of them and change nothing in what is found, so they are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentmem.embed.late import Span
from agentmem.terms import STOP_WORDS

Marks = NDArray[np.bool_]


def spoken(spans: Sequence[Span]) -> Marks:
    """Which pieces are words or marks of the text, and not the tokenizer's own."""
    return np.array([end > start for start, end in spans], dtype=bool)


def content(text: str, spans: Sequence[Span]) -> Marks:
    """Which pieces are of content words; all spoken ones where there is no such word."""
    kept = np.array([says_something(text[start:end]) for start, end in spans], dtype=bool)
    return kept if kept.any() else spoken(spans)


def spans_of(tokenizer: Any, texts: Sequence[str], limit: int | None) -> list[list[Span]] | None:
    """Where in each text its pieces stand, empty for the tokenizer's own; None where it cannot tell."""
    if not getattr(tokenizer, "is_fast", False):
        return None
    read = tokenizer(list(texts), return_offsets_mapping=True, truncation=True, max_length=limit)
    offsets: list[list[Span]] = read["offset_mapping"]
    return offsets


def says_something(piece: str) -> bool:
    """Whether a piece is of a word, and not of a stop word."""
    word = piece.strip().lower()
    return any(char.isalnum() for char in word) and word not in STOP_WORDS
