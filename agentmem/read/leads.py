"""What evidence leads on to: the names, titles, dates and rare words that it holds and the question does not.

"My new boss is called Marta Lindqvist" leads from a question about the boss to what is said of Marta Lindqvist. A word
leads nowhere where hardly anything else, or far too much, holds it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

from agentmem.contracts import StoredPassage
from agentmem.read.lack import Evidence
from agentmem.terms import terms
from agentmem.write.dates import named_dates
from agentmem.write.extract import mentions

# a term in more passages than this leads to anything and nothing
TOO_OFTEN = 150
_MOST = 3
# what promises less is not worth a look: a name that stands twice, in evidence of one chance in fourteen
_LEAST_WORTH = 0.3
# what a word that is no name is worth beside one that is
_PLAIN_WORTH = 0.5
_LEAST_CHARS = 4
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
# how many passages hold a term, counted no further than beyond `TOO_OFTEN`
Often = Callable[[str], int]


class Lead(NamedTuple):
    """Words of the evidence as they stand there, the terms by which to follow them, and how much they promise.

    `share` is the chance of the evidence that it is of, divided among the leads of that.
    """

    words: str
    terms: tuple[str, ...]
    worth: float
    share: float


def leads(evidence: Evidence, known: Collection[str], often: Often) -> list[Lead]:
    """The few most promising leads of evidence, none of them in `known` terms, best first."""
    found: dict[tuple[str, ...], tuple[int, Lead]] = {}
    for place, (passage, chance) in enumerate(evidence):
        for words, is_name in _named_then_plain(passage):
            of = tuple(term for term in dict.fromkeys(terms(words)) if term not in known)
            # what stands here alone links nothing
            counts = {term: count for term in of if 2 <= (count := often(term)) <= TOO_OFTEN}
            if counts:
                worth = chance * math.log1p(TOO_OFTEN / min(counts.values()))
                lead = Lead(words, tuple(counts), worth if is_name else worth * _PLAIN_WORTH, chance)
                found[lead.terms] = max(found.get(lead.terms, (place, lead)), (place, lead), key=_worth)
    promising = [entry for entry in found.values() if entry[1].worth >= _LEAST_WORTH]
    chosen = sorted(promising, key=lambda entry: (-_worth(entry), entry[1].words))[:_MOST]
    of_place: dict[int, float] = {}
    for place, lead in chosen:
        of_place[place] = of_place.get(place, 0.0) + lead.worth
    return [lead._replace(share=lead.share * lead.worth / of_place[place]) for place, lead in chosen]


def _worth(entry: tuple[int, Lead]) -> float:
    return entry[1].worth


def _named_then_plain(passage: StoredPassage) -> Iterator[tuple[str, bool]]:
    """The names, titles and dates of a passage, then its other words that are in none of these."""
    text = passage.text
    taken: set[str] = set()
    relative = {text[day.start : day.end].lower() for day in named_dates(text, passage.at)}
    for words in _named(text, passage):
        taken.update(terms(words))
        yield words, True
    for word in _WORD.findall(text):
        # a day that is told from another, as "yesterday" is, is another one in each passage
        if (
            len(word) >= _LEAST_CHARS
            and word.lower() not in relative
            and len(of := terms(word)) == 1
            and of[0] not in taken
        ):
            taken.update(of)
            yield word, False


def _named(text: str, passage: StoredPassage) -> Iterator[str]:
    for mention in mentions(text, speaker=None, said_at=passage.at):
        # its name is in ISO form, which nobody else says
        if mention.kind != "date":
            yield mention.surface
    for day in named_dates(text, passage.at):
        words = text[day.start : day.end]
        if any(char.isdigit() for char in words):
            yield words
