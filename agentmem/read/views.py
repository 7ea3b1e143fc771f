"""What one passage offers to be matched on: its terms and a few marks of what it says. Knows no question.

A passage's text never changes and its key is never used again, so views are kept between recalls.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentmem.clock import day_text
from agentmem.contracts import StoredPassage
from agentmem.read.candidates import saying
from agentmem.terms import terms, terms_once

_DAYS = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_TIMES = (
    r"\b(?:yesterday|today|tonight|tomorrow|(?:last|next|this) (?:week|month|year|night|morning|weekend|summer|fall|"
    r"autumn|winter|spring|\w+day)|(?:days?|weeks?|months?|years?) ago|recently|since|just|"
    rf"{_DAYS}|{_MONTHS}|(?:19|20)\d\d)\b"
)
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|once|twice|couple|several"
_NUMBER = rf"\d|\b(?:{_NUMBERS})\b"
_NUMBER_WORDS = frozenset(_NUMBERS.split("|"))
# each time told has one of these, or a digit
_TIME_CLUES = "yesterday|today|tonight|tomorrow|last|next|this|day|days|week|weeks|month|months|year|years"
_TIME_WORDS = frozenset(f"{_TIME_CLUES}|recently|since|just|{_DAYS}|{_MONTHS}".split("|"))
# in lower case, as ASCII is found in a third of the time that ignoring case takes
_LOWER_TIMES, _ANY_TIMES = re.compile(_TIMES), re.compile(_TIMES, re.IGNORECASE)
_LOWER_NUMBER, _ANY_NUMBER = re.compile(_NUMBER), re.compile(_NUMBER, re.IGNORECASE)
_DIGIT = re.compile(r"\d")
# led by the letters that may begin a match, which the engine skips to: not inside a word, nor the first of a sentence
_NAME = re.compile(r"[A-Z](?<!\w.)(?<![.!?] .)(?<!^.)[a-z]+")
_SELF = re.compile(r"\b(?:I|my|we|our|me|My|We|Our)\b")
_QUOTED = re.compile(r'"[^"]{2,}"|“')
_IMAGE = "[image: "
_KEEP = 20_000


class View(NamedTuple):
    """A passage as the features see it: the terms of what is said, and of who said it when, joined by spaces.

    Counts are capped where more says nothing.
    """

    said: str
    header: str
    lower: str
    saying: str
    words: int
    asks: bool
    asks_inside: bool
    shows: bool
    times: int
    numbers: bool
    names: int
    quotes: bool
    oneself: int


def view(passage: StoredPassage) -> View:
    """The view of one passage."""
    text = passage.text
    words = text.partition(_IMAGE)[0]
    lower, says = text.casefold(), saying(text)
    if text.isascii():
        times, numbers = _in_ascii(lower, says) if len(words) == len(text) else _in_lower(lower[: len(words)])
    else:
        times, numbers = len(_ANY_TIMES.findall(words)), _ANY_NUMBER.search(words) is not None
    return View(
        said=" ".join(terms_once(text)),
        header=" ".join(terms(f"{passage.speaker or ''} {day_text(passage.at)}")),
        lower=lower,
        saying=says,
        words=len(text.split()),
        asks=words.rstrip().endswith("?"),
        asks_inside="?" in words,
        shows=len(words) < len(text),
        times=min(times, 3),
        numbers=numbers,
        names=min(len(_NAME.findall(words)), 5),
        quotes=_QUOTED.search(words) is not None,
        oneself=min(len(_SELF.findall(words)), 4),
    )


def _in_lower(text: str) -> tuple[int, bool]:
    """How many times ASCII in lower case tells, and whether a number."""
    return len(_LOWER_TIMES.findall(text)), _LOWER_NUMBER.search(text) is not None


def _in_ascii(text: str, says: str) -> tuple[int, bool]:
    """The same, looking first whether any of its words may be one: most texts have none."""
    words = says.split()
    digits = _DIGIT.search(text) is not None
    times = len(_LOWER_TIMES.findall(text)) if digits or not _TIME_WORDS.isdisjoint(words) else 0
    return times, digits or not _NUMBER_WORDS.isdisjoint(words)


# the owner, then a view laid out flat. The garbage collector lets go of plain tuples of strings and numbers, and would
# stop a recall for a tenth of a second to look into twenty thousand views
_Packed = tuple[Any, ...]


class Views:
    """Views of the `most` passages seen last, least recently used first out. Safe to share between threads."""

    def __len__(self) -> int:
        return len(self._kept)

    def __init__(self, most: int = _KEEP) -> None:
        self._most = most
        self._kept: OrderedDict[int, _Packed] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, passages: Sequence[StoredPassage]) -> list[View]:
        """The passages' views, each made once."""
        with self._lock:
            found = [self._known(passage) for passage in passages]
        # made without the lock, so that nobody waits for it
        views = [known or view(passage) for known, passage in zip(found, passages, strict=True)]
        if None in found:
            with self._lock:
                self._keep(passages, views)
        return views

    def _known(self, passage: StoredPassage) -> View | None:
        kept = self._kept.get(passage.key)
        if kept is None or kept[0] != passage.owner_id:
            return None
        self._kept.move_to_end(passage.key)
        return View._make(kept[1:])

    def _keep(self, passages: Sequence[StoredPassage], views: Sequence[View]) -> None:
        for passage, made in zip(passages, views, strict=True):
            self._kept[passage.key] = (passage.owner_id, *made)
            self._kept.move_to_end(passage.key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Drop everything, so that no trace of a forgotten text stays."""
        with self._lock:
            self._kept.clear()
