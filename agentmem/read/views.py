"""What one passage offers to be matched on: its terms and a few marks of what it says. Knows no question.

A passage's text never changes and its key is never used again, so views are kept between recalls.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from agentmem.clock import day_text
from agentmem.contracts import StoredPassage
from agentmem.read.candidates import saying
from agentmem.read.lexis import Bag, bag
from agentmem.terms import terms

# in lower case, as ASCII is found in a third of the time that ignoring case takes
_TIMES = (
    r"\b(?:yesterday|today|tonight|tomorrow|(?:last|next|this) (?:week|month|year|night|morning|weekend|summer|fall|"
    r"autumn|winter|spring|\w+day)|(?:days?|weeks?|months?|years?) ago|recently|since|just|monday|tuesday|wednesday|"
    r"thursday|friday|saturday|sunday|january|february|march|april|may|june|july|august|september|october|"
    r"november|december|(?:19|20)\d\d)\b"
)
_NUMBER = r"\d|\b(?:two|three|four|five|six|seven|eight|nine|ten|once|twice|couple|several)\b"
_LOWER_TIMES, _ANY_TIMES = re.compile(_TIMES), re.compile(_TIMES, re.IGNORECASE)
_LOWER_NUMBER, _ANY_NUMBER = re.compile(_NUMBER), re.compile(_NUMBER, re.IGNORECASE)
# led by the letters that may begin a match, which the engine skips to: not inside a word, nor the first of a sentence
_NAME = re.compile(r"[A-Z](?<!\w.)(?<![.!?] .)(?<!^.)[a-z]+")
_SELF = re.compile(r"\b(?:I|my|we|our|me|My|We|Our)\b")
_QUOTED = re.compile(r'"[^"]{2,}"|“')
_IMAGE = "[image: "
_KEEP = 20_000


@dataclass(frozen=True, slots=True)
class View:
    """A passage as the features see it. Counts are capped where more says nothing."""

    said: Bag
    indexed: Bag
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


_rest = attrgetter(*View.__slots__[2:])


def view(passage: StoredPassage) -> View:
    """The view of one passage."""
    text = passage.text
    said = bag(terms(text))
    words = text.partition(_IMAGE)[0]
    lower = text.casefold()
    if text.isascii():
        times, number, caseless = _LOWER_TIMES, _LOWER_NUMBER, lower[: len(words)]
    else:
        times, number, caseless = _ANY_TIMES, _ANY_NUMBER, words
    return View(
        said=said,
        indexed=bag(terms(f"{passage.speaker or ''} {day_text(passage.at)}"), more_than=said),
        lower=lower,
        saying=saying(text),
        words=len(text.split()),
        asks=words.rstrip().endswith("?"),
        asks_inside="?" in words,
        shows=_IMAGE in text,
        times=min(len(times.findall(caseless)), 3),
        numbers=number.search(caseless) is not None,
        names=min(len(_NAME.findall(words)), 5),
        quotes=_QUOTED.search(words) is not None,
        oneself=min(len(_SELF.findall(words)), 4),
    )


# the owner, then a view laid out flat. The garbage collector lets go of tuples of strings and numbers, and would stop
# a recall for a tenth of a second to look into twenty thousand views
_Packed = tuple[Any, ...]


def _packed(owner_id: str, made: View) -> _Packed:
    said, indexed = made.said, made.indexed
    return owner_id, tuple(said), tuple(said.values()), tuple(indexed), tuple(indexed.values()), *_rest(made)


def _unpacked(packed: _Packed) -> View:
    _, said, said_often, indexed, indexed_often, *rest = packed
    return View(
        dict(zip(said, said_often, strict=True)), dict(zip(indexed, indexed_often, strict=True)), *rest
    )


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
        return _unpacked(kept)

    def _keep(self, passages: Sequence[StoredPassage], views: Sequence[View]) -> None:
        for passage, made in zip(passages, views, strict=True):
            self._kept[passage.key] = _packed(passage.owner_id, made)
            self._kept.move_to_end(passage.key)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Drop everything, so that no trace of a forgotten text stays."""
        with self._lock:
            self._kept.clear()
