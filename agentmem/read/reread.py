"""Looks again where the first look left a question open: by what the evidence leads on to, or as a model splits it.

After MemReread: raw events are read again, never summaries of them, at most twice. The chances of what a further look
finds are added to those of the first with a small weight, times how much is open, so what was certain stays first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

from agentmem.read.candidates import Candidate
from agentmem.read.features import Asked
from agentmem.read.lack import Evidence, Lack, lack
from agentmem.read.leads import Often, leads
from agentmem.read.query import named
from agentmem.read.split import Plan, Splitter
from agentmem.terms import terms
from agentmem.types import RereadTrace

MOST_ROUNDS = 2
# a question that lacks less than this has what it needs
ENOUGH = 0.3
# chances of a further look count so much beside those of the first, where everything is open
_WEIGHT = 0.2
# a model's question is about what is missing; words that evidence leads on to may be about anything
_MODEL_WEIGHT = 0.5
# so many of the likeliest are taken for evidence
_EVIDENCE = 3
_SHOWN = 12
# what is so likely evidence need not be found again
_KNOWN = 1 / _EVIDENCE
_LEAST_CHANCE = 1e-12
_LEADS = "leads"

# candidates of several questions, each best first with scores in logits
Look = Callable[[Sequence[str]], Sequence[Sequence[Candidate]]]
Ask = Callable[[str], Asked]


class _Inquiry(NamedTuple):
    """A further question, its share of the round's weight, and terms of which what it finds must hold one, if any."""

    text: str
    share: float
    links: frozenset[str]


class _Round(NamedTuple):
    by: str
    inquiries: Sequence[_Inquiry]
    weight: float
    plan: Plan = Plan()


class Rereader:
    """Reads again for one question.

    Args:
        asked: the question.
        head: what the first look found, at least one, best first with scores in logits.
        look: what further questions find.
        ask: a further question, in terms; embeds nothing.
        often: how many passages hold a term.
    """

    def __init__(self, asked: Asked, head: Sequence[Candidate], look: Look, ask: Ask, often: Often) -> None:
        self._asked, self._look, self._ask, self._often = asked, look, ask, often
        self._people = named(
            asked.analysis.text, {entry.passage.speaker for entry in head if entry.passage.speaker}
        )
        self._found = {entry.passage.key: entry for entry in head}
        chances = _softmax([entry.score for entry in head])
        self._chances = dict(zip(self._found, chances, strict=True))
        first = dict(sorted(self._chances.items(), key=_chance)[:_EVIDENCE])
        self._looks = [self._evidence({key: chance / sum(first.values()) for key, chance in first.items()})]
        self._followed = set(asked.terms) | {
            term for entry in head for term in terms(entry.passage.speaker or "")
        }
        self.traces: list[RereadTrace] = []

    def read(self, rounds: int, splitter: Splitter | None) -> list[Candidate]:
        """The candidates of all looks, best first by their joint chances as logits; `traces` tell of each."""
        plans: list[Callable[[Lack], _Round]] = [self._as_led] * rounds
        if splitter is not None:
            plans.insert(0, partial(self._as_split, splitter))
        for plan in plans[:MOST_ROUNDS]:
            start = perf_counter()
            open_ = self._open(self._asked)
            if open_.share < ENOUGH:
                self.traces.append(_enough(open_))
                break
            asking = plan(open_)
            self._go(open_, asking, start)
            if asking.by == _LEADS and not asking.inquiries:
                break
        ranked = sorted(self._chances.items(), key=_chance)
        return [self._found[key].scored(math.log(max(chance, _LEAST_CHANCE))) for key, chance in ranked]

    def _as_led(self, open_: Lack) -> _Round:
        """Questions for what is open of each lead of the newest evidence."""
        found = leads(self._looks[-1], self._followed, self._often)
        rest = _rest(self._asked.analysis.text, self._people, open_)
        self._followed.update(term for lead in found for term in lead.terms)
        inquiries = [_Inquiry(f"{lead.words}: {rest}", lead.share, frozenset(lead.terms)) for lead in found]
        return _Round(_LEADS, inquiries, _WEIGHT)

    def _as_split(self, splitter: Splitter, open_: Lack) -> _Round:
        """A model's questions, without those that the evidence answers."""
        likeliest = sorted(self._chances.items(), key=_chance)[:_SHOWN]
        plan = splitter.plan(self._asked.text, [self._found[key].passage for key, _ in likeliest])
        new = [text for text in plan.questions if self._open(self._ask(text)).share >= ENOUGH]
        inquiries = [_Inquiry(text, 1 / len(new), frozenset()) for text in new]
        return _Round(splitter.name, inquiries, _MODEL_WEIGHT, plan)

    def _go(self, open_: Lack, asking: _Round, start: float) -> None:
        """Look again, and take in what is found."""
        questions = tuple(inquiry.text for inquiry in asking.inquiries)
        fresh: dict[int, float] = {}
        for inquiry, found in zip(asking.inquiries, self._look(questions) if questions else (), strict=True):
            self._take_in(inquiry, found, fresh)
        for key, chance in fresh.items():
            self._chances[key] = self._chances.get(key, 0.0) + chance * asking.weight * open_.share
        if fresh:
            self._looks.append(self._evidence(fresh))
        self.traces.append(
            RereadTrace(
                by=asking.by,
                open_share=open_.share,
                open=open_.open,
                asked=questions,
                confirmed=asking.plan.confirmed,
                found=len(fresh),
                seconds=perf_counter() - start,
                note=asking.plan.note or ("" if questions else "nothing more to ask"),
            )
        )

    def _take_in(self, inquiry: _Inquiry, found: Sequence[Candidate], fresh: dict[int, float]) -> None:
        """Add the chances of what one further question found, without what is evidence already."""
        known = {passage.key for evidence in self._looks for passage, chance in evidence if chance >= _KNOWN}
        new = [entry for entry in found if entry.passage.key not in known]
        linked = [entry for entry in new if not inquiry.links or _holds(entry, inquiry.links)]
        if not linked:
            return
        # what holds no link is set against these by its best alone, however much of it there is
        others = [entry.score for entry in new if entry not in linked][:1]
        chances = _softmax([*(entry.score for entry in linked), *others])
        shares = [chance * inquiry.share for chance in chances]
        for place, (entry, share) in enumerate(zip(linked, shares, strict=False), 1):
            key = entry.passage.key
            fresh[key] = fresh.get(key, 0.0) + share
            before = self._found.get(key, Candidate(entry.passage, 0.0, {}, entry.source_ids))
            self._found[key] = replace(before, ranks={**before.ranks, "reread": place})

    def _evidence(self, chances: Mapping[int, float]) -> Evidence:
        """The likeliest of these."""
        likeliest = sorted(chances.items(), key=_chance)[:_EVIDENCE]
        return [(self._found[key].passage, chance) for key, chance in likeliest]

    def _open(self, asked: Asked) -> Lack:
        return lack(asked, self._looks, [entry.passage for entry in self._found.values()])


def _softmax(scores: Sequence[float]) -> list[float]:
    values = np.array(scores)
    chances = np.exp(values - values.max())
    shares: list[float] = (chances / chances.sum()).tolist()
    return shares


def _chance(entry: tuple[int, float]) -> float:
    """Orders by chance, best first."""
    return -entry[1]


def _holds(entry: Candidate, links: frozenset[str]) -> bool:
    return not links.isdisjoint(terms(entry.passage.text))


def _enough(open_: Lack) -> RereadTrace:
    return RereadTrace("", open_.share, open_.open, (), (), 0, 0.0, "the evidence covers the question")


def _rest(question: str, people: Sequence[str], open_: Lack) -> str:
    """The question without the people it names, and without words that the evidence covers."""
    for name in people:
        for word in name.split():
            question = re.sub(
                rf"(?<!\w){re.escape(word)}(?:['’]s)?(?!\w)", " ", question, flags=re.IGNORECASE
            )
    return " ".join(
        word for word in question.split() if not (of := set(terms(word))) or not of.isdisjoint(open_.open)
    )
