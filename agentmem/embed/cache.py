"""Remembers vectors by content hash so that the same text is embedded once. Knows nothing of models."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from typing import cast

import numpy as np

from agentmem.contracts import Embedder, TextKind, Vectors
from agentmem.embed.late import Embedded

# what a key, an array header and a table entry take beside the numbers
_ROW_OVERHEAD = 400
_QUESTIONS = 256


class CachedEmbedder:
    """Wraps an embedder with a least-recently-used cache in memory.

    Memory only, on purpose: a cache on disk would keep traces of forgotten texts.
    """

    def __init__(self, inner: Embedder, *, max_bytes: int = 64 << 20) -> None:
        self.inner = inner
        self._max_bytes = max_bytes
        self._rows: OrderedDict[bytes, Vectors] = OrderedDict()
        self._questions: OrderedDict[bytes, Embedded] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def dims(self) -> int:
        return self.inner.dims

    def embed(self, texts: Sequence[str], kind: TextKind = "document") -> Vectors:
        """Unit rows `[len(texts), dims]`; only texts not seen lately reach the model."""
        return self._cached(texts, kind)

    def _cached(self, texts: Sequence[str], kind: TextKind) -> Vectors:
        keys = [self._key(text, kind) for text in texts]
        with self._lock:
            found = {key: self._rows[key] for key in keys if key in self._rows}
            for key in found:
                self._rows.move_to_end(key)
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if missing:
            fresh = np.asarray(self.inner.embed(list(missing.values()), kind), dtype=np.float32)
            found.update(zip(missing, fresh, strict=True))
            # nonsense is handed on, but asked for again the next time
            if fresh.shape[1:] == (self.dims,) and np.isfinite(fresh).all():
                self._keep(dict(zip(missing, fresh, strict=True)))
        return np.stack([found[key] for key in keys]) if keys else self.inner.embed([], kind)

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        """Rows with word pieces, where the embedder gives them. Only those of questions are kept: documents' are large
        and asked for once."""
        inner = getattr(self.inner, "embed_pieces", None)
        if inner is None:
            return Embedded(self._cached(texts, kind), None)
        if kind != "query" or len(texts) != 1:
            return cast(Embedded, inner(texts, kind))
        key = self._key(texts[0], kind)
        with self._lock:
            if key in self._questions:
                self._questions.move_to_end(key)
                return self._questions[key]
        made = cast(Embedded, inner(texts, kind))
        with self._lock:
            self._questions[key] = made
            while len(self._questions) > _QUESTIONS:
                self._questions.popitem(last=False)
        return made

    def clear(self) -> None:
        """Drop everything, so that no trace of a forgotten text stays."""
        with self._lock:
            self._rows.clear()
            self._questions.clear()

    def _keep(self, rows: dict[bytes, Vectors]) -> None:
        with self._lock:
            # a copy, so that one row does not keep its whole batch alive
            self._rows.update((key, row.copy()) for key, row in rows.items())
            while self._rows and len(self._rows) * (self.dims * 4 + _ROW_OVERHEAD) > self._max_bytes:
                self._rows.popitem(last=False)

    @staticmethod
    def _key(text: str, kind: TextKind) -> bytes:
        return blake2b(f"{kind}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
