"""Items in an export: their values, times and keys, and the texts and vectors they are found by.

Whoever indexes items brings the embedder, and the store cannot make their vectors anew: so they go along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, select, update

from agentmem.clock import SystemClock, to_micros
from agentmem.errors import ArchiveError
from agentmem.types import Namespace

from . import archive, item_rows
from .chunks import chunks
from .item_schema import item_state, item_texts, items
from .namespaces import decode, encode

I = items.c  # noqa: E741  as in the other tables' modules
T = item_texts.c
_FIELDS = ("key", "value", "created_at", "updated_at", "ttl_s", "expires_at")
_BATCH = 500


class Outgoing:
    """The items at and below a namespace that are alive `now`, in the order of their first putting."""

    def __init__(self, connection: Connection, prefix: Namespace, now: int) -> None:
        self._connection = connection
        self._rows = [row.pk for row in item_rows.every(connection, prefix, now, _BATCH)]
        self._now = now
        self._vectors = 0
        state = item_state.c
        embedder, dims = connection.execute(select(state.embedder, state.dims)).one()
        self._dims = int(dims)
        #: what the manifest says of items: the embedder and dims of their index
        self.header = {"embedder": embedder, "dims": self._dims}

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._rows)

    def records(self) -> Iterator[Mapping[str, Any]]:
        """A record each; a text says whether it has a vector."""
        for chunk in chunks(self._rows):
            rows = item_rows.by_pk(self._connection, chunk, self._now)
            texts: dict[int, list[dict[str, Any]]] = {pk: [] for pk in chunk}
            for text in self._texts(chunk):
                self._vectors += text.vector is not None
                texts[text.item_pk].append({"terms": text.terms, "vector": text.vector is not None})
            for pk in chunk:
                fields = {field: getattr(rows[pk], field) for field in _FIELDS}
                yield {"type": "item", "path": decode(rows[pk].path), **fields, "texts": texts[pk]}

    def write_vectors(self, out: archive.Writer) -> None:
        """The vectors of the texts, in the order of the records; nothing where there are none."""
        if not self._vectors:
            return

        def batches() -> Iterator[NDArray[Any]]:
            for chunk in chunks(self._rows):
                data = b"".join(text.vector for text in self._texts(chunk) if text.vector is not None)
                yield np.frombuffer(data, dtype=np.float32).reshape(-1, self._dims)

        out.tensor(archive.ITEM_VECTORS, "F32", (self._vectors, self._dims), batches())

    def _texts(self, pks: Sequence[int]) -> Sequence[Any]:
        return self._connection.execute(
            select(T.item_pk, T.terms, T.vector).where(T.item_pk.in_(pks)).order_by(T.item_pk, T.pk)
        ).all()


class Incoming:
    """Takes items in, many at a time; one that is here already stays. The caller holds the write lock."""

    def __init__(self, connection: Connection, reader: archive.Reader) -> None:
        self._connection = connection
        self._reader = reader
        self._waiting: dict[tuple[str, str], dict[str, Any]] = {}
        self._vectors: archive.Rows | None = None
        self._checked = False
        self.taken = 0

    def take(self, record: dict[str, Any]) -> None:
        """Take one, in its turn."""
        if not self._checked:
            self._checked = True
            self._settle_index()
        texts = [
            (str(text["terms"]), self._next_vector() if text["vector"] else None)
            for text in record.pop("texts")
        ]
        path = encode(tuple(str(part) for part in record["path"]))
        self._waiting[path, record["key"]] = {**record, "texts": texts}
        if len(self._waiting) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was taken so far."""
        for path in {path for path, _ in self._waiting}:
            for chunk in chunks([key for place, key in self._waiting if place == path]):
                held = select(I.key).where(I.path == path, I.key.in_(chunk))
                for key in self._connection.execute(held).scalars():
                    del self._waiting[path, key]
        if self._waiting:
            self._insert()
            self.taken += len(self._waiting)
            self._waiting = {}

    def _insert(self) -> None:
        now = to_micros(SystemClock().now())
        write = item_rows.begin(self._connection, now, len(self._waiting))
        numbered = list(enumerate(self._waiting.items(), write.last_pk + 1))
        self._connection.execute(
            insert(items),
            [
                {
                    "pk": pk,
                    "path": path,
                    "version": write.version,
                    **{field: record[field] for field in _FIELDS},
                }
                for pk, ((path, _), record) in numbered
            ],
        )
        texts = [
            {"item_pk": pk, "terms": terms, "vector": vector}
            for pk, (_, record) in numbered
            for terms, vector in record["texts"]
        ]
        if texts:
            self._connection.execute(insert(item_texts), texts)

    def _next_vector(self) -> bytes:
        if self._vectors is None:
            self._vectors = self._reader.rows(archive.ITEM_VECTORS)
        row: bytes = self._vectors.take(1).astype(np.float32).tobytes()
        return row

    def _settle_index(self) -> None:
        """Take over the index of the export, or see that ours is the same.

        Raises:
            ArchiveError: the items here were indexed otherwise, and a search would compare what cannot be.
        """
        given = self._reader.manifest["items"]
        embedder, dims = str(given["embedder"]), int(given["dims"])
        state = item_state.c
        ours = self._connection.execute(select(state.embedder, state.dims)).one()
        if not dims or (
            ours.dims == dims and (not ours.embedder or not embedder or ours.embedder == embedder)
        ):
            return
        if ours.dims:
            raise ArchiveError(
                f"the items in {self._reader.path} were indexed by {embedder or 'an embedder'} with {dims} dims, those "
                f"here by {ours.embedder or 'an embedder'} with {ours.dims}: restore to a new store"
            )
        self._connection.execute(update(item_state).values(embedder=embedder, dims=dims))
