"""The passages that one question is decided between, with where each stands in its conversation.

Axes: `N` passages, `D` dims.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import StoredPassage, Vectors
from agentmem.read.views import View, Views

Places = NDArray[np.int64]
# with fewer of the pool, what is known of some would be set against what is not of others
_MOST = 0.9


@dataclass(frozen=True, slots=True)
class Pool:
    """Passages with their views and neighbours.

    `before` and `after` `[N]` are the places in the pool of what was said right before and after, -1 where the
    session began or ended there or the pool does not hold it. `session` `[N]` numbers the sessions. `vectors`
    `[N, D]` are the stored ones, zero where a passage has none; None without an embedder. `pieces` `[N, Q]` say how
    near each piece of the question comes to any of the passage; None unless nearly all passages have theirs.
    """

    passages: Sequence[StoredPassage]
    views: Sequence[View]
    before: Places
    after: Places
    session: Places
    vectors: Vectors | None
    pieces: Vectors | None = None

    def __len__(self) -> int:
        return len(self.passages)


def make_pool(
    passages: Sequence[StoredPassage],
    views: Views,
    vectors: Mapping[int, Vectors] | None,
    pieces: Mapping[int, Vectors] | None = None,
) -> Pool:
    """A pool of these passages; `vectors` are unit rows, and `pieces` nearest cosines, by passage key."""
    before, after = _chain(passages)
    numbers: dict[str | None, int] = {}
    session = np.array([numbers.setdefault(p.session, len(numbers)) for p in passages], dtype=np.int64)
    return Pool(
        passages=passages,
        views=views.of(passages),
        before=before,
        after=after,
        session=session,
        vectors=None if not vectors else _stacked(passages, vectors),
        pieces=None if not pieces else _complete(passages, pieces),
    )


def _chain(passages: Sequence[StoredPassage]) -> tuple[Places, Places]:
    """Which passage follows which: inside a long event, then from event to event of a session."""
    before = np.full(len(passages), -1, dtype=np.int64)
    after = np.full(len(passages), -1, dtype=np.int64)
    order = sorted(
        (place for place, passage in enumerate(passages) if passage.seq >= 0),
        key=lambda place: (passages[place].seq, _start(passages[place])),
    )
    for left, right in pairwise(order):
        first, second = passages[left], passages[right]
        if first.session == second.session and _adjacent(first, second):
            before[right], after[left] = left, right
    return before, after


def _adjacent(first: StoredPassage, second: StoredPassage) -> bool:
    if first.seq == second.seq:
        return first.span is not None and first.span[1] == _start(second)
    return second.seq == first.seq + 1 and _start(second) == 0


def _start(passage: StoredPassage) -> int:
    return passage.span[0] if passage.span else 0


def _stacked(passages: Sequence[StoredPassage], vectors: Mapping[int, Vectors]) -> Vectors:
    dims = len(next(iter(vectors.values())))
    rows = np.zeros((len(passages), dims), dtype=np.float32)
    for place, passage in enumerate(passages):
        vector = vectors.get(passage.key)
        if vector is not None:
            rows[place] = vector
    return rows


def _complete(passages: Sequence[StoredPassage], pieces: Mapping[int, Vectors]) -> Vectors | None:
    """Rows `[N, Q]`; a passage without gets the average, and none gets any where too many are without."""
    found = [pieces.get(passage.key) for passage in passages]
    known = [row for row in found if row is not None]
    if len(known) < _MOST * len(passages):
        return None
    average = np.mean(known, axis=0)
    rows: Vectors = np.stack([average if row is None else row for row in found]).astype(np.float32)
    return rows
