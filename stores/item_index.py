"""The items' vectors and terms in memory, following the tables; ranks a subtree of namespaces exactly.

Every process has its own, fills it at the first question, and reads what has changed before each later one.
Scores are `c + (1 - c) * w * b`: the cosine `c` of the item's best text, raised by the words it shares with the
question (`b` is BM25 over the subtree's own statistics as a share of the most it could be, in [0, 1)). An
item that shares no word scores its bare cosine.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, select

from agentmem.contracts import Vectors
from agentmem.types import Namespace

from .columns import Column, Rows
from .item_schema import item_removals, item_state, item_texts, items
from .locks import ReadWriteLock
from .namespaces import decode

K1 = 1.2
B = 0.75
# a question whose every word is found closes half the gap to a perfect score
WORD_WEIGHT = 0.5
# scores closer than this are one score, so that a page never turns on the last bit of a sum
_DIGITS = 6
_MANY_DEAD = 1_000
_KEPT_SCOPES = 256
_STATE = select(item_state.c.version, item_state.c.pruned)
_TABLES = items.outerjoin(item_texts, item_texts.c.item_pk == items.c.pk)
_COLUMNS = (items.c.pk, items.c.path, item_texts.c.terms, item_texts.c.vector)
_GONE = select(item_removals.c.item_pk).where(item_removals.c.version > bindparam("since"))
_CHANGED = (
    select(*_COLUMNS)
    .select_from(_TABLES)
    .where(items.c.version > bindparam("since"))
    .order_by(items.c.pk, item_texts.c.pk)
)
Ids = NDArray[np.int64]


class Scope(NamedTuple):
    """A subtree as it is until the next write: its items' slots, sorted, and where among them the owner of each
    vector row is; `single` where no item has two."""

    slots: Ids
    rows: Ids
    places: Ids
    single: bool


class ItemIndex:
    """Ranks items by vector and words. One per process and store."""

    def __init__(self) -> None:
        self._lock = ReadWriteLock()
        self._scopes: dict[Namespace, Scope] = {}
        self._clear()

    def _clear(self) -> None:
        self._version = 0
        self._pks = Column(np.int64)
        self._lengths = Column(np.int64)
        self._alive = Column(np.bool_)
        self._dead = 0
        self._slot_of: dict[int, int] = {}
        self._rows = Rows()
        self._owners = Column(np.int64)
        self._slots_of_path: list[array[int]] = []
        self._rows_of_path: list[array[int]] = []
        self._path_ids: dict[str, int] = {}
        self._paths_below: dict[Namespace, list[int]] = {}
        self._postings: dict[str, tuple[array[int], array[int]]] = {}

    def follow(self, connection: Connection, until: int | None = None) -> None:
        """Take in what was written since the last call; a writer names in `until` the last write before its own.

        Nothing is read under the lock, so code that shares it may wait for the database as it likes.
        """
        version, pruned = connection.execute(_STATE).one()
        version = version if until is None else min(version, until)
        since = self._version
        if version <= since:
            return
        # started over where the removals are no longer told, or most of what is held is gone
        anew = since < pruned or self._dead > max(_MANY_DEAD, len(self._slot_of))
        since = 0 if anew else since
        gone = connection.execute(_GONE, {"since": since}).scalars().all() if since else []
        changed = connection.execute(_CHANGED, {"since": since}).all()
        with self._lock.write():
            # what another call took in meanwhile may be taken in again, but nothing older
            if version > self._version:
                self._scopes = {}
                if anew:
                    self._clear()
                self._take(gone, changed)
                self._version = version

    def _take(self, gone: Sequence[int], changed: Sequence[Any]) -> None:
        for pk in gone:
            self._drop(pk)
        last = None
        for pk, path, terms, vector in changed:
            if pk != last:
                self._drop(pk)
                self._add(pk, path)
                last = pk
            if terms is not None:
                self._add_text(self._slot_of[pk], path, terms, vector)

    def _drop(self, pk: int) -> None:
        slot = self._slot_of.pop(pk, None)
        if slot is not None:
            self._alive.view[slot] = False
            self._dead += 1

    def _add(self, pk: int, path: str) -> None:
        slot = len(self._pks)
        self._slot_of[pk] = slot
        self._pks.add(pk)
        self._alive.add(True)
        self._lengths.add(0)
        self._slots_of_path[self._path_id(path)].append(slot)

    def _path_id(self, path: str) -> int:
        found = self._path_ids.get(path)
        if found is None:
            found = self._path_ids[path] = len(self._path_ids)
            self._slots_of_path.append(array("q"))
            self._rows_of_path.append(array("q"))
            namespace = decode(path)
            for depth in range(1, len(namespace) + 1):
                self._paths_below.setdefault(namespace[:depth], []).append(found)
        return found

    def _add_text(self, slot: int, path: str, terms: str, vector: bytes | None) -> None:
        words = terms.split(" ") if terms else []
        self._lengths.view[slot] += len(words)
        for word, count in Counter(words).items():
            slots, counts = self._postings.setdefault(word, (array("q"), array("q")))
            slots.append(slot)
            counts.append(count)
        if vector is not None:
            self._rows_of_path[self._path_ids[path]].append(len(self._owners))
            self._owners.add(slot)
            self._rows.add(np.frombuffer(vector, dtype=np.float32))

    def rank(
        self, prefix: Namespace, terms: Sequence[str], vector: Vectors | None, need: int
    ) -> Iterator[list[tuple[int, float | None]]]:
        """Every item at and below `prefix` as `(key, score)`, best first, the first `need` before the rest.

        What matches nothing comes last, unscored, oldest first.
        """
        with self._lock.read():
            scope = self._scope(prefix)
            slots, pks = scope.slots, self._pks.view[scope.slots]
            scores = np.round(self._scores(scope, terms, vector), _DIGITS)
        # NaN (unscored) sorts last
        order_by = -scores
        done = 0
        if need < len(slots) // 2:
            limit = np.partition(order_by, need)[need]
            if not np.isnan(limit):
                head = np.flatnonzero(order_by <= limit)
                yield _in_order(head, order_by, pks, scores)
                done = len(head)
        yield _in_order(np.arange(len(slots)), order_by, pks, scores)[done:]

    def _scope(self, prefix: Namespace) -> Scope:
        found = self._scopes.get(prefix)
        if found is None:
            if len(self._scopes) >= _KEPT_SCOPES:
                # of readers that do this at once, both are right
                self._scopes.clear()
            found = self._scopes[prefix] = self._make_scope(prefix)
        return found

    def _make_scope(self, prefix: Namespace) -> Scope:
        slots = self._below(prefix, self._slots_of_path, len(self._pks))
        slots = slots[self._alive.view[slots]]
        rows = self._below(prefix, self._rows_of_path, len(self._owners))
        places, held = _places(slots, self._owners.view[rows])
        # most items have one text, and then there is no best to be found
        single = bool(len(np.unique(places)) == len(places))
        return Scope(slots, rows[held], places, single)

    def _below(self, prefix: Namespace, of_path: Sequence[array[int]], count: int) -> Ids:
        """What these lists hold for a subtree, sorted."""
        if not prefix:
            return np.arange(count)
        paths = self._paths_below.get(prefix, ())
        parts = [np.frombuffer(of_path[path], dtype=np.int64) for path in paths]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, dtype=np.int64)

    def _scores(self, scope: Scope, terms: Sequence[str], vector: Vectors | None) -> NDArray[np.float64]:
        """A score per slot; NaN where nothing matches."""
        slots = scope.slots
        scores = np.full(len(slots), np.nan)
        if vector is not None and len(scope.rows):
            similar = self._similar(scope.rows, vector)
            if scope.single:
                scores[scope.places] = similar
            else:
                np.fmax.at(scores, scope.places, similar)
        shares = self._word_shares(slots, terms)
        shared = np.flatnonzero(shares)
        base = np.nan_to_num(scores[shared])
        weight = 1.0 if vector is None else WORD_WEIGHT
        scores[shared] = base + (1 - base) * weight * shares[shared]
        return scores

    def _similar(self, rows: Ids, vector: Vectors) -> NDArray[np.float32]:
        matrix = self._rows.view
        if len(rows) == len(matrix):
            return _dot(matrix, vector)
        # gathering many rows costs more than multiplying all
        return _dot(matrix[rows], vector) if len(rows) < len(matrix) // 4 else _dot(matrix, vector)[rows]

    def _word_shares(self, slots: Ids, terms: Sequence[str]) -> NDArray[np.float64]:
        """BM25 (Robertson and Zaragoza 2009) over these slots, as a share of what a perfect item would get."""
        shares = np.zeros(len(slots))
        if not terms or not len(slots):
            return shares
        lengths = self._lengths.view[slots]
        norms = K1 * (1 - B + B * lengths / max(float(lengths.mean()), 1.0))
        most = 0.0
        for term, wanted in Counter(terms).items():
            found, counts = self._postings.get(term, (array("q"), array("q")))
            places, held = _places(slots, np.frombuffer(found, dtype=np.int64))
            often = np.frombuffer(counts, dtype=np.int64)[held]
            n = len(np.unique(places))
            weight = wanted * math.log1p((len(slots) - n + 0.5) / (n + 0.5))
            most += weight
            np.add.at(shares, places, weight * often / (often + norms[places]))
        return np.minimum(shares / most, 1.0)


def _dot(matrix: Vectors, vector: Vectors) -> Vectors:
    # not `@`, whose threads wait for each other on a busy machine, and which rounds a row by its neighbours
    found: Vectors = np.einsum("ij,j->i", matrix, vector)
    return found


def _places(slots: Ids, wanted: Ids) -> tuple[Ids, NDArray[np.bool_]]:
    """Where in the sorted `slots` the wanted ones are, and a mask of those that are there at all."""
    if not len(slots):
        return slots, np.zeros(len(wanted), dtype=np.bool_)
    places = np.minimum(np.searchsorted(slots, wanted), len(slots) - 1)
    held: NDArray[np.bool_] = slots[places] == wanted
    return places[held], held


def _in_order(
    chosen: Ids, order_by: NDArray[np.float64], pks: Ids, scores: NDArray[np.float64]
) -> list[tuple[int, float | None]]:
    chosen = chosen[np.lexsort((pks[chosen], order_by[chosen]))]
    return [
        (pk, None if math.isnan(score) else score)
        for pk, score in zip(pks[chosen].tolist(), scores[chosen].tolist(), strict=True)
    ]
