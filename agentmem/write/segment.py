"""Cuts a stream of turns into episodes, as the turns come: by time gaps, changes of session, and changes of topic.

A topic changes where the words before and after a gap are unlike: more than `sigmas` standard deviations of what is
usual here, and more than at the gaps beside it. Greetings and farewells count as hints. A threshold on running
statistics is the idea of online event segmentation (SceneTiling in VideoLLaMB; Nemori); comparing windows at a gap is
Hearst's TextTiling (1997). No model is called, no vector read: the same turns give the same episodes, whether they come
at once or one by one, now or after a restart. Knows nothing of storage.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from agentmem.write.clues import may_match

Reason = Literal["session", "gap", "topic", "length"]
# a mean and a deviation of fewer say nothing yet
_ENOUGH = 8
# older similarities fade, so that a change of habits is followed
_MEMORY = 200
_OUTLIER = 3.0
_LEAST_DEVIATION = 0.05
_GREETING = re.compile(
    r"\W*(?:hey|hi|hiya|hello|yo|good (?:morning|afternoon|evening)|greetings|long time no \w+|what'?s up|howdy)\b",
    re.IGNORECASE,
)
_REUNION = re.compile(
    r"\b(?:long time|how (?:have you been|are you|'?s it going|are things|is everything)|good to (?:see|hear)"
    r"|nice to (?:see|hear)|great to (?:see|hear)|since we (?:last )?(?:talked|spoke|chatted|met)"
    r"|what'?s (?:new|up))\b",
    re.IGNORECASE,
)
_FAREWELL = re.compile(
    r"\b(?:good ?bye|bye|take care|(?:talk|speak|chat)(?: to you)? (?:soon|later)|see (?:you|ya)|catch (?:you|ya|up)"
    r"|later!|good ?night|have a (?:great|good|nice|lovely|wonderful)|until next time|stay in touch|keep in touch)\b",
    re.IGNORECASE,
)
# without one of these, none of the above is there
_REUNION_CLUES = ("long time", "how ", " to see", " to hear", "since we ", "what")
_FAREWELL_CLUES = (
    "bye", "take care", " soon", "later", "see y", "catch ", "night", "have a ", "until next", "in touch",
)  # fmt: skip
_HEAD = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """How to cut. Defaults: round numbers near what cross-validation chooses (`docs/results.md`).

    `window` turns are compared on each side; an episode ended by topic or length has at least `min_events`. `hint`
    is what a greeting or a farewell is worth in standard deviations.
    """

    window: int = 2
    sigmas: float = 2.5
    hint: float = 1.5
    min_events: int = 6
    max_events: int = 48
    max_tokens: int = 4000
    max_gap: timedelta = timedelta(minutes=30)
    # a session is over once so many later events belong to others
    idle_events: int = 32


@dataclass(frozen=True, slots=True)
class Turn:
    """An event as the segmentation sees it."""

    seq: int
    session: str
    at: datetime
    terms: Mapping[str, int]
    tokens: int
    hint: float


@dataclass(frozen=True, slots=True)
class Cut:
    """Turns of one session that make an episode, and why it ends."""

    session: str
    turns: tuple[Turn, ...]
    reason: Reason


@dataclass(slots=True)
class _Running:
    """Mean and deviation of a stream, older values fading (West 1979, with a bounded count)."""

    count: float = 0.0
    mean: float = 0.0
    spread: float = 0.0

    def deviations(self, value: float) -> float:
        """How far above the mean, in standard deviations; 0 while too little is known."""
        return 0.0 if self.count < _ENOUGH else (value - self.mean) / self._deviation()

    def _deviation(self) -> float:
        # where all is alike, a trifle is still a trifle
        return max(math.sqrt(self.spread / self.count), _LEAST_DEVIATION)

    def add(self, value: float) -> None:
        # what stands out must not hide the next to do so
        if self.count >= _ENOUGH:
            value = min(value, self.mean + _OUTLIER * self._deviation())
        if self.count >= _MEMORY:
            self.spread *= (_MEMORY - 1) / self.count
            self.count = _MEMORY - 1
        self.count += 1
        step = value - self.mean
        self.mean += step / self.count
        self.spread += step * (value - self.mean)


@dataclass(frozen=True, slots=True)
class _Side:
    """The words on one side of a gap."""

    terms: Mapping[str, int]
    length: float


@dataclass(slots=True)
class _Tail:
    """The turns of a session that are in no episode yet, and how unlike the sides of each gap looked are."""

    turns: list[Turn] = field(default_factory=list)
    tokens: int = 0
    # scores[i] is of the gap before turns[i + 1]
    scores: list[float] = field(default_factory=list)
    # by their first turn and their number of turns: what is after one gap is before another
    sides: dict[tuple[int, int], _Side] = field(default_factory=dict)

    def add(self, turn: Turn) -> None:
        """Append a turn."""
        self.turns.append(turn)
        self.tokens += turn.tokens

    def take(self, count: int) -> tuple[Turn, ...]:
        """Remove the first turns, with the gaps after each."""
        taken = tuple(self.turns[:count])
        del self.turns[:count]
        del self.scores[:count]
        self.tokens -= sum(turn.tokens for turn in taken)
        self.sides.clear()
        return taken

    def side(self, turns: Sequence[Turn], *, last: bool) -> _Side:
        """The words of these turns, kept for the gap after them unless this is the `last`."""
        key = turns[0].seq, len(turns)
        side = self.sides.pop(key, None) or _side(turns)
        if not last:
            self.sides[key] = side
        return side


def opening_hint(content: str) -> float:
    """How much a turn sounds like a beginning (positive) or an end (negative): -1, 0, 1 or 2."""
    head = content[:_HEAD]
    begins = float(_GREETING.match(head) is not None) + float(_found(_REUNION, _REUNION_CLUES, head))
    return begins or -float(_found(_FAREWELL, _FAREWELL_CLUES, content[-_HEAD:]))


def _found(pattern: re.Pattern[str], clues: tuple[str, ...], text: str) -> bool:
    return may_match(text, clues) and pattern.search(text) is not None


class Segmenter:
    """Follows one namespace. `state()` is all that must be kept, beside the turns in `open_turns()`."""

    def __init__(
        self,
        settings: Settings | None = None,
        state: Mapping[str, Any] | None = None,
        open_turns: Sequence[Turn] = (),
    ) -> None:
        self._settings = settings or Settings()
        given = state or {}
        self._running = _Running(*given.get("running", ()))
        self._tails: dict[str, _Tail] = {}
        for turn in open_turns:
            self._tails.setdefault(turn.session, _Tail()).add(turn)
        for session, scores in given.get("scores", {}).items():
            if session in self._tails:
                # turns forgotten meanwhile take their gaps along
                self._tails[session].scores = list(scores)[: len(self._tails[session].turns) - 1]

    def state(self) -> dict[str, Any]:
        """What JSON can hold."""
        return {
            "running": [self._running.count, self._running.mean, self._running.spread],
            "scores": {session: tail.scores for session, tail in self._tails.items() if tail.scores},
        }

    def open_turns(self) -> list[Turn]:
        """The turns in no episode yet, in order."""
        return sorted((turn for tail in self._tails.values() for turn in tail.turns), key=lambda t: t.seq)

    def add(self, turn: Turn) -> Iterator[Cut]:
        """Take the next turn; gives the episodes that are now complete."""
        yield from self._close_idle(turn)
        tail = self._tails.setdefault(turn.session, _Tail())
        if tail.turns and abs(turn.at - tail.turns[-1].at) > self._settings.max_gap:
            yield self._close(turn.session, "gap")
            tail = self._tails[turn.session] = _Tail()
        tail.add(turn)
        while (place := self._scored(tail)) is not None:
            if self._is_boundary(tail, place):
                yield self._cut(turn.session, tail, place, "topic")
        while len(tail.turns) > self._settings.max_events or self._too_long(tail):
            yield self._cut(turn.session, tail, self._weakest(tail), "length")

    def finish(self) -> Iterator[Cut]:
        """Close what is open, where a stream has an end."""
        for session in list(self._tails):
            yield self._close(session, "session")

    def _close_idle(self, turn: Turn) -> Iterator[Cut]:
        for session, tail in list(self._tails.items()):
            if session != turn.session and turn.seq - tail.turns[-1].seq > self._settings.idle_events:
                yield self._close(session, "session")

    def _close(self, session: str, reason: Reason) -> Cut:
        return Cut(session, tuple(self._tails.pop(session).turns), reason)

    def _scored(self, tail: _Tail) -> int | None:
        """Score the next gap that has a full window after it; gives the place of the gap before, now decidable."""
        settings, place = self._settings, len(tail.scores) + 1
        if len(tail.turns) < place + settings.window:
            return None
        left = tail.turns[max(0, place - settings.window) : place]
        right = tail.turns[place : place + settings.window]
        unlike = 1.0 - _cosine(tail.side(left, last=True), tail.side(right, last=False))
        hint = max(0.0, right[0].hint) + max(0.0, -min(turn.hint for turn in left[-2:]))
        tail.scores.append(self._running.deviations(unlike) + settings.hint * hint)
        self._running.add(unlike)
        return place - 1

    def _is_boundary(self, tail: _Tail, place: int) -> bool:
        if place < self._settings.min_events:
            return False
        before, here, after = tail.scores[place - 2], tail.scores[place - 1], tail.scores[place]
        return here > self._settings.sigmas and here >= before and here > after

    def _too_long(self, tail: _Tail) -> bool:
        return len(tail.turns) > 1 and tail.tokens > self._settings.max_tokens

    def _weakest(self, tail: _Tail) -> int:
        """Where to cut what is too long: at the gap whose sides are least alike, not too near either end."""
        least = self._settings.min_events
        places = range(least, min(len(tail.scores), len(tail.turns) - least) + 1)
        if not places:
            return max(1, len(tail.turns) - 1)
        return max(places, key=lambda place: tail.scores[place - 1])

    def _cut(self, session: str, tail: _Tail, place: int, reason: Reason) -> Cut:
        return Cut(session, tail.take(place), reason)


def _side(turns: Sequence[Turn]) -> _Side:
    terms = turns[0].terms if len(turns) == 1 else _together(turns)
    return _Side(terms, sum(map(_squared, terms.values())))


def _together(turns: Sequence[Turn]) -> Mapping[str, int]:
    found: dict[str, int] = dict(turns[0].terms)
    for turn in turns[1:]:
        for term, count in turn.terms.items():
            found[term] = found.get(term, 0) + count
    return found


@lru_cache(maxsize=4096)
def _dampened(count: int) -> float:
    return 1 + math.log(count)


@lru_cache(maxsize=4096)
def _squared(count: int) -> float:
    return _dampened(count) * _dampened(count)


def _cosine(a: _Side, b: _Side) -> float:
    """Cosine of term counts, each dampened by its logarithm."""
    if len(a.terms) > len(b.terms):
        a, b = b, a
    few, many = a.terms, b.terms
    shared = sum([_dampened(few[term]) * _dampened(many[term]) for term in few if term in many])
    return shared / math.sqrt(a.length * b.length) if a.length and b.length else 0.0
