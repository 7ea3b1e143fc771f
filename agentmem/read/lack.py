"""What a question still lacks, judged without a model: the terms, people and times that the evidence does not cover."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agentmem.contracts import StoredPassage
from agentmem.read.features import Asked
from agentmem.read.lexis import terms_of
from agentmem.read.query import named
from agentmem.read.times import TimeSpan
from agentmem.terms import terms
from agentmem.write.dates import named_dates

# passages with the chance of each to be evidence; those of one look sum to 1 at most
Evidence = Sequence[tuple[StoredPassage, float]]
# what is covered with less chance than this is called open
_LIKELY = 0.5


@dataclass(frozen=True, slots=True)
class Lack:
    """What is not covered: its `share` of the question from 0 to 1, and the words for it."""

    share: float
    open: tuple[str, ...]


def lack(asked: Asked, looks: Sequence[Evidence], among: Sequence[StoredPassage]) -> Lack:
    """What the evidence of several looks leaves open.

    Each term, person and time is covered with the chance of the passages that hold it, in the look that covers it best.
    Terms weigh by how rare they are `among` all that was found. A person is covered who speaks or is named, a time by
    what was said in it or names a day.
    """
    people = named(asked.analysis.text, {passage.speaker for passage in among if passage.speaker})
    names = {term for name in people for term in terms_of(name)}
    wanted = tuple(term for term in dict.fromkeys(asked.terms) if term not in names)
    parts = [(term, _covered(looks, _holds(term))) for term in wanted]
    parts += [(name, _covered(looks, _tells_of(name))) for name in people]
    parts += [(span.words, _covered(looks, _within(span))) for span in asked.analysis.spans]
    if not parts:
        return Lack(0.0, ())
    weights = [*_rarity(wanted, among), *[1.0] * (len(parts) - len(wanted))]
    covered = sum(weight * chance for weight, (_, chance) in zip(weights, parts, strict=True))
    return Lack(
        max(0.0, 1.0 - covered / sum(weights)), tuple(words for words, chance in parts if chance < _LIKELY)
    )


def _covered(looks: Iterable[Evidence], covers: Callable[[StoredPassage], bool]) -> float:
    return max(
        (sum(chance for passage, chance in evidence if covers(passage)) for evidence in looks), default=0.0
    )


def _holds(term: str) -> Callable[[StoredPassage], bool]:
    return lambda passage: term in terms(passage.text)


def _tells_of(name: str) -> Callable[[StoredPassage], bool]:
    return lambda passage: passage.speaker == name or name.casefold() in passage.text.casefold()


def _within(span: TimeSpan) -> Callable[[StoredPassage], bool]:
    return lambda passage: span.distance_days(passage.at) == 0 or any(named_dates(passage.text, passage.at))


def _rarity(wanted: tuple[str, ...], among: Sequence[StoredPassage]) -> list[float]:
    """What each term weighs, as in BM25, 1 on average."""
    held = Counter(term for passage in among for term in set(terms(passage.text)).intersection(wanted))
    rarity = [math.log1p((len(among) - held[term] + 0.5) / (held[term] + 0.5)) for term in wanted]
    return [value * len(wanted) / sum(rarity) for value in rarity]
