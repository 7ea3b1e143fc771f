"""Answers a recall in two steps, so that a model reads the first evidence while the rest is still looked for.

Words are matched in a moment; to embed the question takes longer than all else. So what words alone make likely
goes out first, and what everything together finds goes out when the question is embedded. The two ways to
hand it on, to append and to update, are those of Stream2LLM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from time import perf_counter
from typing import Literal

import numpy as np

from agentmem.contracts import Tokenizer
from agentmem.read.candidates import Candidate, saying
from agentmem.read.features import Asked
from agentmem.read.pack import Context, Packed, items_of
from agentmem.read.recall import Found, Recaller
from agentmem.read.request import Request
from agentmem.types import RecallChunk

StreamMode = Literal["append", "update"]
STREAM_MODES: tuple[StreamMode, ...] = ("append", "update")
# what may go out before all is known: what is so likely to be evidence by words alone, in this share of the budget
_CERTAIN = 0.1
_EARLY_SHARE = 0.25
Taken = tuple[tuple[Candidate, int], ...]


class Stream:
    """One question on its way to its answer.

    Raises:
        BudgetTooSmallError: the budget cannot hold the frame of a context.
    """

    def __init__(self, request: Request, mode: StreamMode, tokenizer: Tokenizer) -> None:
        self._start = perf_counter()
        self._request = request
        self._appends = mode == "append"
        self._context = Context(request.budget_tokens, tokenizer)
        self._early: Taken = ()

    def first(self, recaller: Recaller) -> RecallChunk | None:
        """What words alone find; None where that is nothing, or nothing may be said yet."""
        request = self._request
        if self._appends and request.min_relevance > 0:
            # what is said cannot be taken back, and all that is known decides whether there is an answer
            return None
        # to look again takes longer than to embed the question
        at_once = replace(request, reread=0, splitter=None)
        found = recaller.find(at_once, recaller.ask_words(request.text, request.at))
        if not self._appends:
            told = recaller.packed(request, found, 0.0, self._start)
            return RecallChunk(told.text, told.items, told.tokens, self._seconds()) if told.items else None
        added = self._context.add(_certain(found), k=request.k, share=_EARLY_SHARE)
        self._early = added.taken
        if not added.taken:
            return None
        items = items_of(added.taken, partial(recaller.tiers, request.namespace))
        return RecallChunk(added.text, items, self._context.tokens, self._seconds())

    def rest(self, recaller: Recaller, asked: Asked, embed_seconds: float) -> RecallChunk:
        """What all channels find, with the whole answer."""
        found = recaller.find(self._request, asked)
        if self._appends:
            return self._appended(recaller, found, embed_seconds)
        told = recaller.packed(self._request, found, embed_seconds, self._start)
        return RecallChunk(told.text, told.items, told.tokens, self._seconds(), told)

    def _appended(self, recaller: Recaller, found: Found, embed_seconds: float) -> RecallChunk:
        request, tiers = self._request, partial(recaller.tiers, self._request.namespace)
        early = {_says(candidate) for candidate, _ in self._early}
        more = [candidate for candidate in found.candidates if _says(candidate) not in early]
        added = self._context.add(more, k=request.k)
        text = self._context.text + self._context.ending
        items = items_of(_best_first(self._early, added.taken, found.candidates), tiers)
        packed = Packed(text, items, self._context.tokens, added.cut)
        recall = recaller.answer(request, found, packed, embed_seconds, self._seconds())
        return RecallChunk(
            added.text + self._context.ending,
            items_of(added.taken, tiers),
            self._context.tokens,
            self._seconds(),
            recall,
        )

    def _seconds(self) -> float:
        return perf_counter() - self._start


def _certain(found: Found) -> Sequence[Candidate]:
    """The best, and what else is rather likely to be evidence by the scores, which are logits within the head."""
    head = found.candidates[: len(found.gathered.head)]
    if not head:
        return []
    scores = np.array([candidate.score for candidate in head])
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    likely = [candidate for candidate, chance in zip(head, chances, strict=True) if chance >= _CERTAIN]
    return likely or head[:1]


def _best_first(early: Taken, late: Taken, ranked: Sequence[Candidate]) -> Taken:
    """All that was taken in the order of the ranking, with its scores; what is not in it stands last."""
    places = {_says(candidate): place for place, candidate in enumerate(ranked)}
    known = [(places.get(_says(candidate), len(ranked)), candidate, tokens) for candidate, tokens in early]
    judged = [
        (place, _as_ranked(candidate, ranked[place]) if place < len(ranked) else candidate, tokens)
        for place, candidate, tokens in known
    ]
    judged.extend((places[_says(candidate)], candidate, tokens) for candidate, tokens in late)
    judged.sort(key=lambda entry: entry[0])
    return tuple((candidate, tokens) for _, candidate, tokens in judged)


def _as_ranked(early: Candidate, ranked: Candidate) -> Candidate:
    """What went out early, as it is judged with all that is known."""
    return replace(early, score=ranked.score, ranks=ranked.ranks).sourced(ranked.source_ids)


def _says(candidate: Candidate) -> tuple[str | None, str]:
    """What makes two candidates duplicates of each other, as in `fold`."""
    return candidate.passage.speaker, saying(candidate.passage.text)
