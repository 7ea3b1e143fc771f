"""Which word pieces of a text carry its content. Knows tokenizers, not models.

Late interaction compares a question's pieces with a passage's; stop words, marks and special pieces of a passage are
half of them and change nothing in what is found, so they are not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentmem.terms import STOP_WORDS

Marks = NDArray[np.bool_]


def spoken(tokenizer: Any, texts: Sequence[str], limit: int | None) -> list[Marks] | None:
    """Per text which pieces are words or marks of it, and not the tokenizer's own; None where it cannot tell."""
    offsets = _offsets(tokenizer, texts, limit)
    return None if offsets is None else [np.array([end > start for start, end in found]) for found in offsets]


def content(tokenizer: Any, texts: Sequence[str], limit: int | None) -> list[Marks] | None:
    """Per text which pieces are of content words; all spoken ones where there is no such word."""
    offsets = _offsets(tokenizer, texts, limit)
    if offsets is None:
        return None
    marks = []
    for text, found in zip(texts, offsets, strict=True):
        kept = np.array([_says_something(text[start:end]) for start, end in found])
        marks.append(kept if kept.any() else np.array([end > start for start, end in found]))
    return marks


def _offsets(tokenizer: Any, texts: Sequence[str], limit: int | None) -> list[list[tuple[int, int]]] | None:
    if not getattr(tokenizer, "is_fast", False):
        return None
    read = tokenizer(list(texts), return_offsets_mapping=True, truncation=True, max_length=limit)
    offsets: list[list[tuple[int, int]]] = read["offset_mapping"]
    return offsets


def _says_something(piece: str) -> bool:
    word = piece.strip().lower()
    return any(char.isalnum() for char in word) and word not in STOP_WORDS
