"""What the views of one memory share: the open store, the embedder, the readers and writers.

Not public: `Memory` is the face of it.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from agentmem.clock import Clock
from agentmem.config import scheme_of
from agentmem.contracts import AsyncBridge, Embedder, Running, Store, Tokenizer
from agentmem.embed import choose_embedder
from agentmem.embed.cache import CachedEmbedder
from agentmem.embed.off_loop import OffLoopEmbedder
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.errors import (
    ClosedError,
    EmbedderMismatchError,
    InvalidInputError,
    MissingExtraError,
    UnknownPluginError,
)
from agentmem.keys import Key, find_key
from agentmem.read.recall import Recaller
from agentmem.read.request import CHANNELS
from agentmem.recall_log import RecallLog
from agentmem.reembed import WAITING_BATCH, Progress, add_made, embed_missing, reembed
from agentmem.registry import load, names
from agentmem.terms import drop_texts
from agentmem.types import ArchiveReport, Namespace
from agentmem.write.derive import Deriver
from agentmem.write.ingest import Ingest

logger = logging.getLogger("agentmem")
T = TypeVar("T")

_RETRY_AFTER_S = 30.0
# how often a store may move to another embedder during one call
_MOVES = 10


def open_store(url: str, key: Key | None = None) -> Store:
    """The store behind a URL; a file is opened with the key given, or named by the environment, if any.

    Raises:
        InvalidInputError: an unknown kind, or a key for one that takes none.
    """
    scheme = scheme_of(url)
    try:
        opener = load("stores", scheme)
    except UnknownPluginError as error:
        raise InvalidInputError(f"no store for {scheme!r}; known: {', '.join(names('stores'))}") from error
    if scheme != "sqlite" and key is not None:
        raise InvalidInputError(f"{scheme} takes no key: encrypt where its server keeps its files")
    store: Store = opener(url, find_key(key)) if scheme == "sqlite" else opener(url)
    return store


def check_archive(path: Path) -> None:
    """Raise `ArchiveError` unless `path` is an undamaged export."""
    load("archives", "zip")(path).close()


def restore(
    path: Path,
    url: str,
    *,
    key: Key | None = None,
    latents: str | None = None,
    progress: Progress | None = None,
) -> ArchiveReport:
    """Take an export into the store at a URL, which is made if need be; one made for nothing is removed again.

    Raises:
        ArchiveError: the file is damaged or not an export; nothing is taken.
    """
    # before anything is made
    check_archive(path)
    store = open_store(url, key)
    try:
        if latents is not None:
            store.latents(latents)
        report = store.restore(path, progress=progress)
    except BaseException:
        store.discard()
        raise
    store.close()
    for reason in report.left_out:
        logger.warning("not restored: %s", reason)
    return report


@dataclass(frozen=True, slots=True)
class Wiring:
    """One embedder with what writes and reads through it: never mixed with another's."""

    embedder: CachedEmbedder
    ingest: Ingest
    recaller: Recaller


class Core:
    """One open store with what reads and writes it."""

    def __init__(
        self,
        url: str,
        embedder: str | Embedder | None,
        tokenizer: Tokenizer,
        clock: Clock,
        key: Key | None = None,
        bridge: AsyncBridge | None = None,
    ) -> None:
        self._bridge = bridge
        # a wrong name is told before a file is made
        chosen = None if embedder is None else self._choose(embedder)
        dims = 0 if chosen is None else chosen.dims
        self.store = open_store(url, key) if bridge is None else bridge.store
        self.tokenizer = tokenizer
        self.clock = clock
        self._follows = chosen is None
        self._closed = False
        self._retry_at = 0.0
        self._start_threads()
        try:
            chosen = chosen or self._recorded()
            self.store.bind_embedder(chosen.name, dims or chosen.dims)
            self.wiring = self._wire(chosen)
        except BaseException:
            self.store.close()
            raise

    @property
    def embedder(self) -> CachedEmbedder:
        """What makes the vectors."""
        return self.wiring.embedder

    def _start_threads(self) -> None:
        self._pid = os.getpid()
        self._waiting_lock = threading.Lock()
        self._moving = self._lock()
        self.deriver = Deriver(self.store, self._lock())
        # notes taken before a fork are the parent's to write
        self.recall_log = RecallLog(self.store)
        self._executor = self._bridge or ThreadPoolExecutor(len(CHANNELS), thread_name_prefix="agentmem")

    def _lock(self) -> AbstractContextManager[object]:
        return threading.Lock() if self._bridge is None else self._bridge.lock()

    def _choose(self, wanted: str | Embedder | None, recorded: str | None = None) -> CachedEmbedder:
        """The embedder to use; on an event loop one that computes beside it."""
        bridge = self._bridge
        if bridge is None:
            return choose_embedder(wanted, recorded)
        chosen = bridge.in_thread(lambda: choose_embedder(wanted, recorded))
        return OffLoopEmbedder(chosen.inner, bridge.in_thread)

    def _wire(self, embedder: CachedEmbedder) -> Wiring:
        channels: list[Any] = [load("channels", name)(self.store) for name in CHANNELS]
        return Wiring(
            embedder,
            Ingest(self.store, embedder, self.tokenizer, self.clock, self.deriver),
            Recaller(self.store, embedder, self.tokenizer, channels, self._executor, self.clock),
        )

    def beside(self, act: Callable[[], T]) -> T:
        """Do what waits for something else than the store; on an event loop beside it, so that the loop stays free."""
        return act() if self._bridge is None else self._bridge.in_thread(act)

    def start(self, act: Callable[[], T]) -> Running[T]:
        """Begin what will be asked for later."""
        return self._executor.submit(act)

    def check_open(self) -> None:
        """Raise `ClosedError` once closed."""
        if self._closed:
            raise ClosedError("this memory is closed; open it again with Memory(...)")
        if os.getpid() != self._pid:
            # threads do not cross a fork, and a lock may have been held in the middle of one
            self._start_threads()
            self.wiring = self._wire(self.embedder)

    def run(self, act: Callable[[Wiring], T]) -> T:
        """Do what needs the embedder; again with the new one where the store has moved to it meanwhile.

        Raises:
            EmbedderMismatchError: another process moved the store, and the user named the embedder to use.
        """
        self.check_open()
        for _ in range(_MOVES):
            wiring = self.wiring
            try:
                return act(wiring)
            except EmbedderMismatchError:
                if not self._follow(wiring):
                    raise
        return act(self.wiring)

    def _follow(self, overtaken: Wiring) -> bool:
        # a move by this process switches the store first, so wait until it has taken up the new embedder
        with self._moving:
            if self.wiring is not overtaken:
                return True
            if not self._follows:
                return False
            chosen = self._recorded()
            # raises where it moved again in between, which a second look makes good
            with suppress(EmbedderMismatchError):
                self.store.bind_embedder(chosen.name, chosen.dims)
            self.wiring = self._wire(chosen)
            logger.info("the store has moved to the embedder %s; going on with it", chosen.name)
            return True

    def embed_waiting(self, wiring: Wiring, namespace: Namespace) -> None:
        """Make the vectors that could not be made before, unless the embedder failed just now."""
        if monotonic() < self._retry_at or not self._waiting_lock.acquire(blocking=False):
            return
        try:
            while rows := self.store.unembedded(namespace, WAITING_BATCH):
                made = embed_pieces_or_none(wiring.embedder, [text for _, text in rows])
                if made is None:
                    self._retry_at = monotonic() + _RETRY_AFTER_S
                    return
                add_made(self.store, wiring.embedder, [key for key, _ in rows], made)
        finally:
            self._waiting_lock.release()

    def drop_texts(self) -> None:
        """Keep no text in this process that was stored or asked about."""
        self.embedder.clear()
        self.wiring.recaller.forget_views()
        drop_texts()

    def reindex(self, embedder: str | Embedder | None, progress: Progress | None) -> int:
        """Embed every passage anew; the old vectors serve until all are there."""
        new = None if embedder is None else self._choose(embedder)
        if new is None:
            self.run(lambda wiring: embed_missing(self.store, wiring.embedder))
            return 0
        self.check_open()
        with self._moving:
            count = reembed(self.store, new, progress)
            self.wiring = self._wire(new)
        return count

    def _recorded(self) -> CachedEmbedder:
        """The embedder the store was built with; for a new one the best that is installed."""
        name = self.store.meta("embedder")
        try:
            return self._choose(None, name)
        except MissingExtraError as error:
            raise MissingExtraError(
                f"this store was built with {name!r}, which",
                error.extra,
                ", or move the store to another embedder: agentmem reindex --embedder NAME / "
                "Memory.reembed(url, embedder=NAME)",
            ) from error

    def close(self) -> None:
        """Flush and release; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._executor.shutdown()
            self.deriver.before_close()
            self.recall_log.flush()
            self.store.close()
