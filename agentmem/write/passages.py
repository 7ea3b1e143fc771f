"""Cuts long messages into passages at block and sentence boundaries. Knows nothing of ranking.

Code blocks and tables stay whole where they fit. The passages cover the text without overlap or gap, so an
event is never less than its passages.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from datetime import datetime

from agentmem.clock import day_text
from agentmem.contracts import Passage
from agentmem.terms import terms
from agentmem.types import Note

# a message up to this length is one passage, so that what was said in one breath is recalled whole
MAX_CHARS = 900
# a longer one is cut finer: five passages of it fit a budget of 500 tokens
CUT_CHARS = 400
_FENCE = re.compile(r"^```.*?^```[^\n]*\n?", re.MULTILINE | re.DOTALL)
_BLANK = re.compile(r"\n\s*\n")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])[\"')\]]*\s+|\n")
_SPACE = re.compile(r"\s+")
# coarsest first
_BOUNDARIES = (_BLANK, _SENTENCE, _SPACE)


def spans(text: str, max_chars: int = CUT_CHARS) -> list[tuple[int, int]]:
    """Consecutive `(start, end)` ranges of at most `max_chars` that together cover `text`."""
    if len(text) <= max_chars:
        return [(0, len(text))]
    pieces: list[tuple[int, int]] = []
    position = 0
    for fence in _FENCE.finditer(text):
        pieces += _pieces(text, position, fence.start(), max_chars, _BOUNDARIES)
        start, end = fence.span()
        fits = end - start <= max_chars
        pieces += [(start, end)] if fits else _pieces(text, start, end, max_chars, _BOUNDARIES)
        position = end
    pieces += _pieces(text, position, len(text), max_chars, _BOUNDARIES)
    return _joined([piece for piece in pieces if piece[0] < piece[1]], max_chars)


def _pieces(
    text: str, start: int, end: int, max_chars: int, boundaries: Sequence[re.Pattern[str]]
) -> list[tuple[int, int]]:
    """The range cut at the first of the boundaries; what is still too long there at the next."""
    if not boundaries:
        return _hard(start, end, max_chars)
    cuts = [match.end() for match in boundaries[0].finditer(text, start, end) if match.end() < end]
    return [
        part
        for left, right in itertools.pairwise([start, *cuts, end])
        for part in (
            [(left, right)]
            if right - left <= max_chars
            else _pieces(text, left, right, max_chars, boundaries[1:])
        )
    ]


def _hard(start: int, end: int, max_chars: int) -> list[tuple[int, int]]:
    return [(left, min(left + max_chars, end)) for left in range(start, end, max_chars)]


def _joined(pieces: list[tuple[int, int]], max_chars: int) -> list[tuple[int, int]]:
    """Neighbouring pieces put together while they fit."""
    joined = [pieces[0]]
    for start, end in pieces[1:]:
        first, _ = joined[-1]
        if end - first <= max_chars:
            joined[-1] = (first, end)
        else:
            joined.append((start, end))
    return joined


def event_passages(speaker: str, occurred_at: datetime, content: str) -> tuple[Passage, ...]:
    """The passages of an event, each indexed with its speaker and date."""
    heading = f"{speaker} ({day_text(occurred_at)}): "
    made = []
    for start, end in spans(content) if len(content) > MAX_CHARS else [(0, len(content))]:
        said = content[start:end]
        # no term reaches across the colon
        made.append(Passage(start, end, terms(heading) + terms(said), heading + said))
    return tuple(made)


def note_passage(note: Note) -> Passage:
    """A note as one passage, indexed with its subject and the day it holds from."""
    since = note.valid_from or note.recorded_at
    subject = f"{note.subject} " if note.subject and note.subject not in note.text else ""
    index_text = f"{subject}({day_text(since)}): {note.text}"
    return Passage(0, len(note.text), terms(index_text), index_text)
