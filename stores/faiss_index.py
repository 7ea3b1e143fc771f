"""FAISS indexes, one per namespace, derived from the vectors table. Knows nothing of texts.

Exact up to `EXACT_LIMIT` vectors; beyond that an inverted file of 8-bit codes, which can remove, append and be
searched in a millisecond (measured beside HNSW in `docs/results.md`). An index follows the table: it reads what
is new before each search, and after a removal elsewhere it drops what is gone. Large ones are kept on disk
beside the database, checked by CRC, and rebuilt when in doubt.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from sqlalchemy import Connection

from agentmem.contracts import Scored, Vectors

from . import vectors
from .locks import ReadWriteLock
from .namespaces import NamespaceRow

logger = logging.getLogger("agentmem")

EXACT_LIMIT = 50_000
PERSIST_FROM = 20_000
_PERSIST_GROWTH = 1.1
_PROBES = 32
_TRAIN_PER_LIST = 64
_CACHE_BYTES = 3 << 30
_MAGIC = b"agentmem-index-1\n"


@dataclass(slots=True)
class _Entry:
    """One namespace's index and how far it has read."""

    index: Any
    last_pk: int = 0
    last_crc: int = 0
    epoch: int = 0
    saved: int = 0
    lock: ReadWriteLock = field(default_factory=ReadWriteLock)


class VectorIndexes:
    """The indexes of one store, least recently used first out."""

    def __init__(self, folder: Path | None, store_id: str) -> None:
        self._folder = folder
        self._store_id = store_id
        self._entries: OrderedDict[tuple[int, int], _Entry] = OrderedDict()
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
        embedder_pk, dims = embedder
        entry = self._entry(connection, namespace, embedder_pk, dims)
        self._follow(connection, entry, namespace, embedder_pk, dims)
        with entry.lock.read():
            if not entry.index.ntotal:
                return []
            scores, keys = entry.index.search(vector.reshape(1, -1), min(k, entry.index.ntotal))
        return [Scored(int(key), float(s)) for key, s in zip(keys[0], scores[0], strict=True) if key >= 0]

    def follow(self, connection: Connection, namespace: NamespaceRow, embedder: tuple[int, int]) -> None:
        """Bring a namespace's index up to date, so that the next process finds it on disk."""
        embedder_pk, dims = embedder
        if self._folder is not None and namespace.passages >= PERSIST_FROM:
            entry = self._entry(connection, namespace, embedder_pk, dims)
            self._follow(connection, entry, namespace, embedder_pk, dims)

    def drop(self, namespace_pk: int) -> None:
        """Forget a namespace's index, in memory and on disk; it is rebuilt when next needed."""
        with self._lock:
            for key in [key for key in self._entries if key[0] == namespace_pk]:
                del self._entries[key]
        if self._folder is not None:
            for path in self._folder.glob(f"{namespace_pk}-*.faiss"):
                path.unlink(missing_ok=True)

    def save(self) -> None:
        """Write what has grown since it was last written."""
        with self._lock:
            entries = list(self._entries.items())
        for key, entry in entries:
            with entry.lock.read():
                if entry.index.ntotal > entry.saved:
                    self._save(key, entry)

    def _entry(self, connection: Connection, namespace: NamespaceRow, embedder_pk: int, dims: int) -> _Entry:
        key = (namespace.pk, embedder_pk)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._load(connection, namespace, key, dims) or _Entry(_exact_index(dims))
                self._entries[key] = entry
                self._evict(dims)
            self._entries.move_to_end(key)
            return entry

    def _evict(self, dims: int) -> None:
        held = sum(entry.index.ntotal for entry in self._entries.values()) * dims * 4
        while held > _CACHE_BYTES and len(self._entries) > 1:
            _, entry = self._entries.popitem(last=False)
            held -= entry.index.ntotal * dims * 4

    def _follow(
        self, connection: Connection, entry: _Entry, namespace: NamespaceRow, embedder_pk: int, dims: int
    ) -> None:
        newest = vectors.newest(connection, namespace.pk, embedder_pk)
        if newest <= entry.last_pk and entry.epoch >= namespace.epoch:
            return
        with entry.lock.write():
            # only forward: our snapshot may be older than what another thread has read meanwhile
            if entry.epoch < namespace.epoch:
                _drop_dead(entry, vectors.live_keys(connection, namespace.pk, embedder_pk))
                entry.epoch = namespace.epoch
            keys, rows, last_pk = vectors.after(connection, namespace.pk, embedder_pk, entry.last_pk, dims)
            if len(keys):
                entry.index.add_with_ids(rows, keys)
                entry.last_pk, entry.last_crc = last_pk, zlib.crc32(rows[-1].tobytes())
            if entry.index.ntotal > EXACT_LIMIT and not _is_approximate(entry.index):
                entry.index = _approximate_index(entry.index, dims)
            if entry.index.ntotal >= max(PERSIST_FROM, entry.saved * _PERSIST_GROWTH):
                self._save((namespace.pk, embedder_pk), entry)

    def _path(self, key: tuple[int, int]) -> Path | None:
        return None if self._folder is None else self._folder / f"{key[0]}-{key[1]}.faiss"

    def _save(self, key: tuple[int, int], entry: _Entry) -> None:
        path = self._path(key)
        if path is None or entry.index.ntotal < PERSIST_FROM:
            return
        body = faiss.serialize_index(entry.index).tobytes()
        header = json.dumps(
            {
                "store": self._store_id,
                "last_pk": entry.last_pk,
                "last_crc": entry.last_crc,
                "epoch": entry.epoch,
                "crc": zlib.crc32(body),
                "bytes": len(body),
            }
        ).encode()
        temporary = path.with_suffix(f".{os.getpid()}.{threading.get_ident()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as file:
                file.write(_MAGIC + header + b"\n")
                file.write(body)
            temporary.replace(path)
            entry.saved = entry.index.ntotal
        except OSError as error:
            # only a cache: a full or read-only disk must not stop recall
            temporary.unlink(missing_ok=True)
            logger.warning("could not keep the vector index at %s: %s", path, error)

    def _load(
        self, connection: Connection, namespace: NamespaceRow, key: tuple[int, int], dims: int
    ) -> _Entry | None:
        path = self._path(key)
        if path is None or not path.exists():
            return None
        try:
            with path.open("rb") as file:
                if file.readline() != _MAGIC:
                    raise ValueError("not an index of this version")
                header = json.loads(file.readline())
                body = np.fromfile(file, dtype=np.uint8)
            if header["store"] != self._store_id:
                raise ValueError("it belongs to another database")
            # a database put back from a copy gives out the same keys again, to other vectors
            last = vectors.data_of(connection, header["last_pk"])
            if header["epoch"] > namespace.epoch or last is None or zlib.crc32(last) != header["last_crc"]:
                raise ValueError("the database was changed behind it")
            if len(body) != header["bytes"] or zlib.crc32(body.data) != header["crc"]:
                raise ValueError("checksum differs")
            index = faiss.deserialize_index(body)
            if index.d != dims:
                raise ValueError(f"it has {index.d} dims, not {dims}")
            if _is_approximate(index):
                faiss.extract_index_ivf(index).nprobe = _PROBES
            return _Entry(index, header["last_pk"], header["last_crc"], header["epoch"], index.ntotal)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            logger.warning("rebuilding the vector index at %s from the database: %s", path, error)
            return None


def _exact_index(dims: int) -> Any:
    return faiss.IndexIDMap2(faiss.IndexFlatIP(dims))


def _is_approximate(index: Any) -> bool:
    return isinstance(faiss.downcast_index(index), faiss.IndexIVF)


def _approximate_index(exact: Any, dims: int) -> Any:
    """An inverted file of 8-bit codes with the same content; removal and appending stay cheap."""
    flat: Any = faiss.downcast_index(exact.index)
    rows = faiss.rev_swig_ptr(flat.get_xb(), exact.ntotal * dims)
    rows = rows.reshape(-1, dims)
    lists = int(4 * np.sqrt(exact.ntotal))
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dims), dims, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    sample = np.random.default_rng(0).permutation(exact.ntotal)[: lists * _TRAIN_PER_LIST]
    index.cp.niter = 6
    index.train(rows[np.sort(sample)])
    index.add_with_ids(rows, faiss.vector_to_array(exact.id_map))
    index.nprobe = _PROBES
    return index


def _drop_dead(entry: _Entry, live: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    index: Any = faiss.downcast_index(entry.index)
    if _is_approximate(index):
        lists = index.invlists
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
            for i in range(index.nlist)
            if lists.list_size(i)
        ]
        held = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    else:
        held = faiss.vector_to_array(index.id_map)
    dead = np.setdiff1d(held, live)
    if len(dead):
        entry.index.remove_ids(dead)
        entry.saved = 0
