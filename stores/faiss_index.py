"""FAISS indexes, one entry per namespace, derived from the vectors table. Knows nothing of texts.

Exact up to `EXACT_LIMIT` vectors, an inverted file beyond (`faiss_kinds`). An entry follows the table: before
each search it takes in what is new, and after a removal elsewhere it drops what is gone. Rows are read a batch at a
time, so building costs no more memory than the index itself. Large entries are kept on disk beside the database
(`index_file`) and rebuilt when in doubt.
"""

from __future__ import annotations

import logging
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from agentmem.contracts import Scored, Vectors
from agentmem.keys import SecretKey

from . import faiss_kinds, index_file, vectors
from .faiss_kinds import Grade, Keys
from .locks import ReadWriteLock
from .namespaces import NamespaceRow

logger = logging.getLogger("agentmem")

EXACT_LIMIT = 50_000
PERSIST_FROM = 20_000
_PERSIST_GROWTH = 1.1
_CACHE_BYTES = 3 << 30
# a namespace's epoch, which moves on every removal, and the key of the embedder in use
State = tuple[int, int]
# an empty FAISS index costs some kilobytes, whatever it holds
_CACHE_ENTRIES = 4096


@dataclass(slots=True)
class _Entry:
    """One namespace's indexes by grade, and how far they have read."""

    indexes: dict[Grade, Any] = field(default_factory=dict)
    last_pk: int = 0
    highest_key: int = 0
    last_crc: int = 0
    epoch: int = 0
    saved: int = 0
    counted_bytes: int = 0
    loaded: bool = False
    lock: ReadWriteLock = field(default_factory=ReadWriteLock)

    @property
    def count(self) -> int:
        return sum(index.ntotal for index in self.indexes.values())

    @property
    def size_bytes(self) -> int:
        return sum(map(faiss_kinds.size_bytes, self.indexes.values()))

    def exact_after(self, grade: Grade, pending: int) -> int:
        """How many vectors an exact index may hold once these came; 0 where it is an inverted file by now."""
        index = self.indexes.get(grade)
        if index is None:
            return pending
        return 0 if faiss_kinds.is_approximate(index) else index.ntotal + pending

    def add(self, batch: vectors.Batch, dims: int) -> None:
        """Take in rows of the table, each in place of an older one of its passage."""
        # a new passage has a higher key than any before it, so mostly there is nothing to look for
        known = batch.keys[batch.keys <= self.highest_key]
        if len(known):
            for index in self.indexes.values():
                index.remove_ids(known)
            # worth writing again, though it has not grown
            self.saved = min(self.saved, self.count)
        self.highest_key = max(self.highest_key, int(batch.keys.max()))
        for grade, chosen in _by_grade(batch.coarse).items():
            if grade not in self.indexes:
                self.indexes[grade] = faiss_kinds.exact(dims)
            self.indexes[grade].add_with_ids(batch.rows[chosen], batch.keys[chosen])
        self.last_pk, self.last_crc = batch.last_pk, zlib.crc32(batch.last_data)

    def keep_only(self, live: Keys) -> None:
        """Drop what is gone, or stands under a newer row that is still to be read."""
        for index in self.indexes.values():
            dead = np.setdiff1d(faiss_kinds.held_keys(index), live)
            if len(dead):
                index.remove_ids(dead)
                self.saved = 0

    def search(self, vector: Vectors, k: int) -> list[Scored]:
        """At most `k`, best first, over all grades."""
        hits = [
            Scored(int(key), float(score))
            for index in self.indexes.values()
            if index.ntotal
            for score, key in zip(
                *(found[0] for found in index.search(vector.reshape(1, -1), min(k, index.ntotal))),
                strict=True,
            )
            if key >= 0
        ]
        if len(self.indexes) > 1:
            hits.sort(key=lambda hit: -hit.score)
        return hits[:k]


class VectorIndexes:
    """The indexes of one store, least recently used first out."""

    def __init__(
        self,
        folder: Path | None,
        store_id: str,
        state: Callable[[int], State],
        key: SecretKey | None = None,
    ) -> None:
        """`state` tells, of a namespace's key, how the database stands now; `key` seals what is kept on disk."""
        self._folder = folder
        self._store_id = store_id
        self._state = state
        self._key = key
        self._entries: OrderedDict[tuple[int, int], _Entry] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def search(
        self,
        connection: Connection,
        namespace: NamespaceRow,
        embedder: tuple[int, int],
        vector: Vectors,
        k: int,
    ) -> list[Scored]:
        """At most `k` passages by cosine to a unit `[dims]` vector, best first."""
        entry = self._current(connection, namespace, embedder)
        with entry.lock.read():
            return entry.search(vector, k)

    def kept_from(self) -> int | None:
        """From how many passages on an index is kept on disk; None where there is no disk."""
        return None if self._folder is None else PERSIST_FROM

    def follow(self, connection: Connection, namespace: NamespaceRow, embedder: tuple[int, int]) -> None:
        """Bring a namespace's index up to date, so that the next process finds it on disk."""
        if namespace.passages >= PERSIST_FROM:
            self._current(connection, namespace, embedder)

    def drop(self, namespace_pk: int) -> None:
        """Leave no removed vector on disk; what is in memory drops it before the next search."""
        with self._lock:
            for key, entry in self._entries.items():
                if key[0] == namespace_pk:
                    entry.saved = 0
        if self._folder is not None:
            for path in self._folder.glob(f"{namespace_pk}-*"):
                path.unlink(missing_ok=True)

    def keep_only(self, embedder_pk: int) -> None:
        """Forget the indexes of every other embedder, in memory and on disk."""
        with self._lock:
            for key in [key for key in self._entries if key[1] != embedder_pk]:
                self._held_bytes -= self._entries.pop(key).counted_bytes
        if self._folder is not None:
            for path in self._folder.glob("*-*"):
                if not path.name.partition("-")[2].startswith(f"{embedder_pk}."):
                    path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write what has grown since it was last written."""
        with self._lock:
            entries = list(self._entries.items())
        for key, entry in entries:
            with entry.lock.read():
                if entry.count > entry.saved:
                    self._save(key, entry)

    def _current(self, connection: Connection, namespace: NamespaceRow, embedder: tuple[int, int]) -> _Entry:
        """The entry of a namespace, having read all there is."""
        embedder_pk, dims = embedder
        key = (namespace.pk, embedder_pk)
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        newest = vectors.newest(connection, namespace.pk, embedder_pk)
        if not entry.loaded or newest > entry.last_pk or entry.epoch < namespace.epoch:
            with entry.lock.write():
                if not entry.loaded:
                    self._load(connection, namespace, key, dims, entry)
                    entry.loaded = True
                self._follow(connection, entry, namespace, embedder_pk, dims)
            self._account(key, entry)
        return entry

    def _account(self, key: tuple[int, int], entry: _Entry) -> None:
        """Let go of what was not used for longest, where there is too much."""
        size = entry.size_bytes
        with self._lock:
            if self._entries.get(key) is not entry:
                # let go of while it was being read
                return
            self._held_bytes += size - entry.counted_bytes
            entry.counted_bytes = size
            while len(self._entries) > 1 and (
                self._held_bytes > _CACHE_BYTES or len(self._entries) > _CACHE_ENTRIES
            ):
                _, gone = self._entries.popitem(last=False)
                self._held_bytes -= gone.counted_bytes

    def _follow(
        self, connection: Connection, entry: _Entry, namespace: NamespaceRow, embedder_pk: int, dims: int
    ) -> None:
        # only forward: our snapshot may be older than what another thread has read meanwhile
        if entry.epoch < namespace.epoch:
            if entry.count:
                live = vectors.live_keys(connection, namespace.pk, embedder_pk, entry.last_pk)
                entry.keep_only(live)
            entry.epoch = namespace.epoch
        pending = vectors.count_after(connection, namespace.pk, embedder_pk, entry.last_pk)
        if pending > max(entry.count, EXACT_LIMIT):
            # most is new, or was replaced: building anew is cheaper, and has lists for what there is now
            entry.indexes.clear()
            entry.last_pk = entry.highest_key = entry.saved = 0
        if any(entry.exact_after(grade, pending) > EXACT_LIMIT for grade in faiss_kinds.GRADES):
            _outgrow(connection, entry, namespace.pk, embedder_pk, dims)
        for batch in vectors.after(connection, namespace.pk, embedder_pk, entry.last_pk, dims):
            entry.add(batch, dims)
        if entry.count >= max(PERSIST_FROM, entry.saved * _PERSIST_GROWTH):
            self._save((namespace.pk, embedder_pk), entry)

    def _path(self, key: tuple[int, int]) -> Path | None:
        return None if self._folder is None else self._folder / f"{key[0]}-{key[1]}.faiss"

    def _save(self, key: tuple[int, int], entry: _Entry) -> None:
        path = self._path(key)
        if path is None or entry.count < PERSIST_FROM or self._overtaken(key, entry):
            return
        facts = {
            "store": self._store_id,
            "last_pk": entry.last_pk,
            "last_crc": entry.last_crc,
            "epoch": entry.epoch,
        }
        try:
            index_file.write(path, dict[str, Any](entry.indexes.items()), facts, self._key)
            entry.saved = entry.count
            # a removal while we wrote has looked for the file before it was there
            if self._overtaken(key, entry):
                path.unlink(missing_ok=True)
        except OSError as error:
            # only a cache: a full or read-only disk must not stop recall
            logger.warning("could not keep the vector index at %s: %s", path, error)

    def _overtaken(self, key: tuple[int, int], entry: _Entry) -> bool:
        """Whether something was removed from the database that this index may still hold."""
        return self._state(key[0]) != (entry.epoch, key[1])

    def _load(
        self, connection: Connection, namespace: NamespaceRow, key: tuple[int, int], dims: int, entry: _Entry
    ) -> None:
        """Fill a fresh entry from disk, if what is there can be believed."""

        def check(header: Mapping[str, Any]) -> None:
            if header["store"] != self._store_id:
                raise ValueError("it belongs to another database")
            # a database put back from a copy gives out the same keys again, to other vectors
            last = vectors.data_of(connection, header["last_pk"])
            if header["epoch"] > namespace.epoch or last is None or zlib.crc32(last) != header["last_crc"]:
                raise ValueError("the database was changed behind it")

        path = self._path(key)
        if path is None or not path.exists():
            return
        try:
            header, indexes = index_file.read(path, check, self._key)
            if any(index.d != dims for index in indexes.values()) or not set(indexes) <= {
                *faiss_kinds.GRADES
            }:
                raise ValueError(f"it has not {dims} dims")
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            logger.warning("rebuilding the vector index at %s from the database: %s", path, error)
            return
        for name in faiss_kinds.GRADES:
            if name in indexes:
                entry.indexes[name] = faiss_kinds.ready(indexes[name])
        entry.last_pk, entry.last_crc, entry.epoch = header["last_pk"], header["last_crc"], header["epoch"]
        entry.highest_key = max(
            (int(faiss_kinds.held_keys(i).max(initial=0)) for i in entry.indexes.values()), default=0
        )
        entry.saved = entry.count


def _by_grade(coarse: np.ndarray[Any, np.dtype[np.bool_]]) -> dict[Grade, Any]:
    """Which rows of a batch belong to which grade; a whole batch is not copied."""
    if not coarse.any():
        return {"fine": slice(None)}
    if coarse.all():
        return {"coarse": slice(None)}
    return {"fine": ~coarse, "coarse": coarse}


def _outgrow(connection: Connection, entry: _Entry, namespace_pk: int, embedder_pk: int, dims: int) -> None:
    """Put inverted files in place of exact indexes that will be too large, trained on a sample of all there is."""
    wanted = faiss_kinds.lists_for(vectors.count_after(connection, namespace_pk, embedder_pk, 0))
    sample, total = vectors.sample(
        connection, namespace_pk, embedder_pk, dims, wanted * faiss_kinds.TRAIN_PER_LIST
    )
    for grade, chosen in _by_grade(sample.coarse).items():
        rows = sample.rows[chosen]
        expected = total * len(rows) // len(sample.rows)
        old = entry.indexes.get(grade)
        if expected > EXACT_LIMIT and not (old is not None and faiss_kinds.is_approximate(old)):
            new = faiss_kinds.approximate(rows, expected, grade)
            if old is not None:
                faiss_kinds.move(old, new)
            entry.indexes[grade] = new
