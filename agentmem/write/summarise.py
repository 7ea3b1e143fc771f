"""A title and a summary for an episode, out of its own words. No model; the same words give the same text.

The summary is the sentences nearest to what the episode is about, each unlike those before it: centroid scoring
(Radev et al. 2004) with maximal marginal relevance (Carbonell and Goldstein 1998). Knows nothing of storage.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from agentmem.terms import terms
from agentmem.types import Event
from agentmem.write.extract import OPENERS

_SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s+|\n+")
_WORD = re.compile(r"[^\W_][\w'’-]*")
# what politeness repeats says nothing of what an episode is about
_BLAND = frozenset(term for word in OPENERS for term in terms(word))
_MAX_SENTENCES = 3
_MAX_CHARS = 240
_MAX_SUMMARY = 600
_TITLE_WORDS = 4
_MAX_TITLE = 80
# an episode of few words is titled with its opening instead of its terms
_FEW_TERMS = 6
_RELEVANCE = 0.7
_CONSIDERED = 60
# a title asks for every word of an episode, and most are asked for again and again
_terms_of_word = lru_cache(maxsize=65_536)(terms)


class _Sentence(NamedTuple):
    place: int
    speaker: str
    text: str
    terms: frozenset[str]


def describe(events: Sequence[Event]) -> tuple[str, str]:
    """`(title, summary)` of the events of an episode, in their order."""
    sentences = [
        _Sentence(place, event.speaker, text, frozenset(found))
        for place, (event, text) in enumerate(
            (event, text) for event in events for text in _sentences(event.content)
        )
        if (found := terms(text))
    ]
    speakers = {term for speaker in {event.speaker for event in events} for term in terms(speaker)}
    aside = _BLAND | speakers
    weights = Counter(chain.from_iterable(sentence.terms - aside for sentence in sentences))
    chosen = _chosen(sentences, weights)
    summary = " ".join(f"{sentence.speaker}: {sentence.text}" for sentence in chosen)
    return _title(events, weights), summary[:_MAX_SUMMARY] or _opening(events)


def _sentences(content: str) -> list[str]:
    return [text for part in _SENTENCE_END.split(content) if (text := " ".join(part.split())[:_MAX_CHARS])]


def _chosen(sentences: Sequence[_Sentence], weights: Counter[str]) -> list[_Sentence]:
    """The sentences of the summary, in the order they were said."""
    # a term said once says little of the whole
    worth = {term: count - 1 for term, count in weights.items() if count > 1}
    scored = sorted(
        ((_centrality(sentence, worth), sentence) for sentence in sentences),
        key=lambda pair: (-pair[0], pair[1].place),
    )[:_CONSIDERED]
    chosen: list[_Sentence] = []
    while scored and len(chosen) < _MAX_SENTENCES:
        best = max(
            scored,
            key=lambda pair: (
                _RELEVANCE * pair[0] - (1 - _RELEVANCE) * pair[0] * _likeness(pair[1], chosen),
                -pair[1].place,
            ),
        )
        scored.remove(best)
        if _likeness(best[1], chosen) < 1:
            chosen.append(best[1])
    return sorted(chosen, key=lambda sentence: sentence.place)


def _centrality(sentence: _Sentence, worth: Mapping[str, int]) -> float:
    # the root keeps long sentences from winning by length
    said = sum([worth[term] for term in sentence.terms if term in worth])
    return said / math.sqrt(len(sentence.terms) + 4)


def _likeness(sentence: _Sentence, others: Sequence[_Sentence]) -> float:
    return max((_jaccard(sentence.terms, other.terms) for other in others), default=0.0)


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    shared = len(a & b)
    return shared / (len(a) + len(b) - shared)


def _title(events: Sequence[Event], weights: Counter[str]) -> str:
    """The terms most sentences share, in the spelling they are first met in; else the opening words."""
    if len(weights) < _FEW_TERMS:
        return _opening(events)
    spelling = _spelling(events, _leading(events, weights))
    ranked = sorted(
        ((weights[term], word) for term, word in spelling.items()),
        key=lambda pair: (-pair[0] * math.log1p(len(pair[1])), pair[1]),
    )
    words = [word for _, word in ranked[:_TITLE_WORDS]]
    return ", ".join(words)[:_MAX_TITLE] or _opening(events)


def _leading(events: Sequence[Event], weights: Counter[str]) -> set[str]:
    """The terms that may be among the first of a title, however they are spelled: most are said too seldom."""
    longest = max((max(map(len, event.content.split()), default=1) for event in events), default=1)
    leading = weights.most_common(_TITLE_WORDS)
    # no spelling is shorter than one letter
    least = leading[-1][1] * math.log1p(1) / math.log1p(longest)
    return {term for term, count in weights.items() if count >= least}


def _spelling(events: Sequence[Event], wanted: set[str]) -> dict[str, str]:
    """How each of these terms is spelled where it first occurs."""
    spelling: dict[str, str] = {}
    met: set[str] = set()
    for event in events:
        if (wanted - spelling.keys()).isdisjoint(terms(event.content)):
            continue
        # in order, each once
        words = [word for word in dict.fromkeys(_WORD.findall(event.content)) if word not in met]
        met.update(words)
        for word in words:
            for term in _terms_of_word(word):
                if term in wanted:
                    spelling.setdefault(term, word)
    return spelling


def _opening(events: Sequence[Event]) -> str:
    words = " ".join(events[0].content.split())
    return words if len(words) <= _MAX_TITLE else words[: _MAX_TITLE - 1].rsplit(" ", 1)[0] + "…"
