"""Cuts long messages into passages at block and sentence boundaries. Knows nothing of ranking.

Code blocks and tables stay whole where they fit. The passages cover the text without overlap or gap, so an
event is never less than its passages.
"""

from __future__ import annotations

import itertools
import re
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


def spans(text: str, max_chars: int = CUT_CHARS) -> list[tuple[int, int]]:
    """Consecutive `(start, end)` ranges of at most `max_chars` that together cover `text`."""
    if len(text) <= max_chars:
        return [(0, len(text))]
    pieces: list[tuple[int, int]] = []
    position = 0
    for fence in _FENCE.finditer(text):
        pieces.extend(_pieces(text, position, fence.start(), max_chars))
        pieces.extend(_pieces(text, fence.start(), fence.end(), max_chars, whole=True))
        position = fence.end()
    pieces.extend(_pieces(text, position, len(text), max_chars))
    return _joined(pieces, max_chars)


def _pieces(text: str, start: int, end: int, max_chars: int, *, whole: bool = False) -> list[tuple[int, int]]:
    """The range cut at the coarsest boundary that makes every piece fit."""
    if end <= start:
        return []
    if end - start <= max_chars and (whole or not _BLANK.search(text, start, end)):
        return [(start, end)]
    for boundary in (_BLANK, _SENTENCE, _SPACE):
        cuts = [match.end() for match in boundary.finditer(text, start, end) if match.end() < end]
        if cuts:
            edges = [start, *cuts, end]
            return [
                part
                for left, right in itertools.pairwise(edges)
                for part in (
                    [(left, right)]
                    if right - left <= max_chars
                    else _pieces_within(text, left, right, max_chars, boundary)
                )
            ]
    return _hard(start, end, max_chars)


def _pieces_within(
    text: str, start: int, end: int, max_chars: int, tried: re.Pattern[str]
) -> list[tuple[int, int]]:
    finer = {_BLANK: _SENTENCE, _SENTENCE: _SPACE}.get(tried)
    if finer is None:
        return _hard(start, end, max_chars)
    cuts = [match.end() for match in finer.finditer(text, start, end) if match.end() < end]
    edges = [start, *cuts, end]
    return [
        part
        for left, right in itertools.pairwise(edges)
        for part in (
            [(left, right)]
            if right - left <= max_chars
            else _pieces_within(text, left, right, max_chars, finer)
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
