"""Lets captions of images give way to more lines, below the best of a ranking.

An image stands in the words of a turn by its caption, which is often as long as what was said. The best turns are laid
out with theirs; further down, one that shares no word with the question shrinks to the mark that there was an image.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from agentmem.read.candidates import Candidate
from agentmem.terms import terms

# so many of the best keep everything
_WHOLE = 10
# as `write.messages` writes it; the path that may follow stays
_CAPTION = re.compile(r"\[image: ([^\[\]\n]{1,500})\]")


def shortened(candidates: Sequence[Candidate], wanted: Collection[str]) -> list[Candidate]:
    """The candidates, best first, those marked brief whose captions have none of the terms `wanted`."""
    below = [
        entry.briefly() if _only_shown(entry.passage.text, wanted) else entry for entry in candidates[_WHOLE:]
    ]
    return [*candidates[:_WHOLE], *below]


def without_captions(text: str) -> str:
    """The text with a bare mark in the place of each caption; unchanged where nothing else would be said."""
    if "[image: " not in text:
        return text
    short = _CAPTION.sub("[image]", text)
    return short if short.replace("[image]", "").strip() else text


def _only_shown(text: str, wanted: Collection[str]) -> bool:
    captions = _CAPTION.findall(text)
    return bool(captions) and not any(term in wanted for caption in captions for term in terms(caption))
