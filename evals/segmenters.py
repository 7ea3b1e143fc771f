"""Ways to cut a conversation, with the settings each may choose from, and the rule by which it chooses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import product
from statistics import fmean
from typing import Any, NamedTuple

from agentmem.terms import terms
from agentmem.tokens import as_tokenizer
from agentmem.write.segment import Segmenter, Settings, Turn, opening_hint

from .boundary_metrics import f1_near, half_a_segment, pk, window_diff
from .task import Conversation
from .texttiling import Tiling, boundaries, likenesses

TOLERANCE = 2
# what all turns are given as their time where times are hidden
_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)


class Scores(NamedTuple):
    """How well boundaries match; `pk` and `window_diff` are better lower, `f1` (within ±2 turns) higher."""

    pk: float
    window_diff: float
    f1: float

    @property
    def quality(self) -> float:
        """What settings are chosen by, the same for every method: the mean of the three, each better higher."""
        return fmean((1 - self.pk, 1 - self.window_diff, self.f1))


@dataclass(frozen=True, slots=True)
class Script:
    """A conversation with its sessions hidden, and where they begin."""

    id: str
    turns: tuple[Turn, ...]
    true: frozenset[int]
    _likeness: dict[int, list[float]] = field(default_factory=dict)

    def likeness(self, block: int) -> list[float]:
        """TextTiling's curve, made once for each size of block."""
        if block not in self._likeness:
            self._likeness[block] = likenesses([turn.terms for turn in self.turns], block)
        return self._likeness[block]

    def score(self, found: set[int]) -> Scores:
        """How well these boundaries match the sessions'."""
        length = len(self.turns)
        k = half_a_segment(self.true, length)
        return Scores(
            pk(self.true, found, length, k),
            window_diff(self.true, found, length, k),
            f1_near(self.true, found, TOLERANCE),
        )


@dataclass(frozen=True, slots=True)
class Method:
    """A way to cut, and the settings it may choose from."""

    name: str
    cut: Callable[[Script, Any], set[int]]
    settings: Sequence[Any]


def script(conversation: Conversation, *, with_times: bool) -> Script:
    """A conversation as a segmenter may see it: one session, and every turn at one moment unless `with_times`."""
    count = as_tokenizer(None).count
    turns = tuple(
        Turn(
            seq=place,
            session="",
            at=turn.at if with_times else _NO_TIME,
            terms=Counter(terms(turn.content)),
            tokens=count(turn.content),
            hint=opening_hint(turn.content),
        )
        for place, turn in enumerate(conversation.turns)
    )
    sessions = [turn.session for turn in conversation.turns]
    true = frozenset(place for place in range(1, len(sessions)) if sessions[place] != sessions[place - 1])
    return Script(conversation.id, turns, true)


def ours(given: Script, settings: Settings) -> set[int]:
    """Where agentmem's episodes begin."""
    segmenter = Segmenter(settings)
    return {cut.turns[-1].seq + 1 for turn in given.turns for cut in segmenter.add(turn)}


def tiled(given: Script, tiling: Tiling) -> set[int]:
    """Where TextTiling cuts."""
    return boundaries(given.likeness(tiling.block), tiling)


def fixed(given: Script, length: int) -> set[int]:
    """A cut after every so many turns."""
    return set(range(length, len(given.turns), length))


def greetings(given: Script, least: float) -> set[int]:
    """A cut at every turn that sounds so much like a beginning."""
    return {turn.seq for turn in given.turns[1:] if turn.hint >= least}


def _ours(hints: Sequence[float]) -> list[Settings]:
    return [
        Settings(window=window, sigmas=sigmas, hint=hint, min_events=least)
        for window, sigmas, hint, least in product((2, 3, 4, 6), (1.0, 1.5, 2.0, 2.5, 3.0), hints, (4, 6, 8))
    ]


_TILINGS = [
    Tiling(*given)
    for given in product((2, 4, 6, 10), (0, 1, 2), (-1, -0.5, 0, 0.5, 1, 1.5, 2, 2.5), (3, 6, 10))
]

FITTED = (
    Method("agentmem", ours, _ours((1.0, 1.5, 2.0))),
    Method("agentmem without greetings", ours, _ours((0.0,))),
    Method("TextTiling", tiled, _TILINGS),
    Method("greetings alone", greetings, (1.0, 2.0)),
    Method("fixed length", fixed, range(5, 61)),
)
#: nothing to choose
AS_GIVEN: Mapping[str, Method] = {
    "agentmem, as shipped": Method("agentmem", ours, (Settings(),)),
    "TextTiling, as published": Method("TextTiling", tiled, (Tiling(),)),
}
