"""What the views of one memory share: the open store, the embedder, the readers and writers.

Not public: `Memory` is the face of it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

from agentmem.clock import Clock
from agentmem.config import scheme_of
from agentmem.contracts import Embedder, Store, Tokenizer, Vectors
from agentmem.embed import choose_embedder
from agentmem.embed.safe import embed_or_none
from agentmem.errors import ClosedError, EmbedderError, InvalidInputError, UnknownPluginError
from agentmem.read.recall import Recaller
from agentmem.registry import load, names
from agentmem.types import Namespace
from agentmem.write.ingest import Ingest, Progress

logger = logging.getLogger("agentmem")

CHANNELS = ("dense", "lexical", "recent")
_WAITING_BATCH = 512
_RETRY_AFTER_S = 30.0
_REINDEX_BATCH = 256


def open_store(url: str) -> Store:
    """The store behind a URL. Raises `InvalidInputError` for an unknown kind."""
    scheme = scheme_of(url)
    try:
        opener = load("stores", scheme)
    except UnknownPluginError as error:
        raise InvalidInputError(f"no store for {scheme!r}; known: {', '.join(names('stores'))}") from error
    store: Store = opener(url)
    return store


class Core:
    """One open store with what reads and writes it."""

    def __init__(self, url: str, embedder: str | Embedder | None, tokenizer: Tokenizer, clock: Clock) -> None:
        self.store = open_store(url)
        try:
            self.embedder = choose_embedder(embedder, self.store.meta("embedder"))
            self.store.bind_embedder(self.embedder.name, self.embedder.dims)
        except BaseException:
            self.store.close()
            raise
        self.tokenizer = tokenizer
        self.clock = clock
        self._closed = False
        self._retry_at = 0.0
        self._waiting_lock = threading.Lock()
        self._wire()

    def _wire(self) -> None:
        self._pid = os.getpid()
        # a recall that began before a reindex keeps the threads it has
        self._executor = ThreadPoolExecutor(max_workers=len(CHANNELS), thread_name_prefix="agentmem")
        channels: list[Any] = [load("channels", name)(self.store) for name in CHANNELS]
        self.ingest = Ingest(self.store, self.embedder, self.tokenizer, self.clock)
        self.recaller = Recaller(
            self.store, self.embedder, self.tokenizer, channels, self._executor, self.clock
        )

    def check_open(self) -> None:
        """Raise `ClosedError` once closed."""
        if self._closed:
            raise ClosedError("this memory is closed; open it again with Memory(...)")
        if os.getpid() != self._pid:
            # threads do not cross a fork, and a lock may have been held in the middle of one
            self._waiting_lock = threading.Lock()
            self._wire()

    def embed_waiting(self, namespace: Namespace) -> None:
        """Make the vectors that could not be made before, unless the embedder failed just now."""
        if monotonic() < self._retry_at or not self._waiting_lock.acquire(blocking=False):
            return
        try:
            while rows := self.store.unembedded(namespace, _WAITING_BATCH):
                vectors = embed_or_none(self.embedder, [text for _, text in rows])
                if vectors is None:
                    self._retry_at = monotonic() + _RETRY_AFTER_S
                    return
                self.store.add_vectors([key for key, _ in rows], vectors)
        finally:
            self._waiting_lock.release()

    def reindex(self, embedder: str | Embedder | None, progress: Progress | None) -> int:
        """Embed every passage anew; the old vectors serve until all are there."""
        new = self.embedder if embedder is None else choose_embedder(embedder)
        if (new.name, new.dims) == (self.embedder.name, self.embedder.dims):
            while rows := self.store.unembedded(None, _WAITING_BATCH):
                self.store.add_vectors([key for key, _ in rows], _embed(new, [text for _, text in rows]))
            return 0
        count = self.store.replace_vectors(new.name, new.dims, self._batches(new, progress))
        self.embedder = new
        self._wire()
        return count

    def _batches(self, embedder: Embedder, progress: Progress | None) -> Iterator[tuple[list[int], Vectors]]:
        done = 0
        for rows in self.store.passage_texts(_REINDEX_BATCH):
            yield [key for key, _ in rows], _embed(embedder, [text for _, text in rows])
            done += len(rows)
            if progress is not None:
                progress(done, done)

    def close(self) -> None:
        """Flush and release; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._executor.shutdown()
            self.store.close()


def _embed(embedder: Embedder, texts: list[str]) -> Vectors:
    vectors = embed_or_none(embedder, texts)
    if vectors is None:
        raise EmbedderError(
            f"{embedder.name} failed; the old vectors stay in use. See the log, then run it again"
        )
    return vectors
