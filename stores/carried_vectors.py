"""Vectors and word pieces in an export: as they are stored, in the order of the records.

Vectors have a member for each precision; pieces are always binary, so many rows a passage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from agentmem.contracts import Precision, Vectors

from . import archive, pieces, schema, vectors
from .chunks import chunks
from .precision import PRECISIONS, row_bytes
from .steps import Steps

E = schema.events.c
M = schema.memories.c
P = schema.passages.c
V = schema.vectors.c
W = schema.pieces.c
_Codes = list[tuple[Precision, bytes]]


class Place(NamedTuple):
    """A passage, how its vector is stored (None where it has none), and the bytes of its word pieces."""

    passage_pk: int
    precision: Precision | None
    piece_bytes: int


class Outgoing:
    """Gathers which vectors go along, and writes them when all records are out."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._embedder = vectors.active_embedder(connection)
        self._keys: dict[Precision, list[int]] = defaultdict(list)
        self._pieces: list[int] = []
        self._piece_count = 0
        #: what the manifest says of vectors
        self.header = (
            {"embedder": None, "dims": 0}
            if self._embedder is None
            else {"embedder": self._embedder[1], "dims": self._embedder[2]}
        )

    def places(self, owner: Any, pks: Sequence[int]) -> dict[int, list[Place]]:
        """Per owner, a column of `passages`, its passages in order."""
        embedder_pk = None if self._embedder is None else self._embedder[0]
        found: dict[int, list[Place]] = {pk: [] for pk in pks}
        for chunk in chunks(pks):
            rows = self._connection.execute(
                select(owner, P.pk, V.precision, func.coalesce(func.length(W.data), 0))
                .select_from(schema.passages)
                .outerjoin(schema.vectors, (V.passage_pk == P.pk) & (V.embedder_pk == embedder_pk))
                .outerjoin(schema.pieces, (W.passage_pk == P.pk) & (W.embedder_pk == embedder_pk))
                .where(owner.in_(chunk))
                .order_by(P.pk)
            )
            for owner_pk, *place in rows:
                found[owner_pk].append(Place(*place))
        return found

    def take(self, places: Sequence[Place]) -> dict[str, list[Any]]:
        """Let these go along, if every passage has a vector: `vectors`, precisions, and `pieces`, counts."""
        names = [place.precision for place in places if place.precision is not None]
        if len(names) < len(places):
            return {"vectors": [], "pieces": []}
        for place, name in zip(places, names, strict=True):
            self._keys[name].append(place.passage_pk)
        width = self._piece_width()
        counts = [place.piece_bytes // width for place in places]
        self._pieces += [place.passage_pk for place in places if place.piece_bytes]
        self._piece_count += sum(counts)
        return {"vectors": names, "pieces": counts if any(counts) else []}

    def _piece_width(self) -> int:
        return 1 if self._embedder is None else row_bytes("binary", self._embedder[2])

    def write(self, out: archive.Writer, steps: Steps) -> None:
        """Write them, a step each."""
        for name, keys in self._keys.items():
            self._write(out, name, keys, steps)
        if self._pieces:
            self._write_pieces(out)

    def _write(self, out: archive.Writer, name: Precision, keys: list[int], steps: Steps) -> None:
        assert self._embedder is not None, "vectors come from an embedder"
        embedder_pk, _, dims = self._embedder
        is_plain = name == "float32"
        tag, width = ("F32", dims) if is_plain else ("U8", row_bytes(name, dims))
        dtype = np.dtype(np.float32 if is_plain else np.uint8)

        def batches() -> Iterator[NDArray[Any]]:
            for chunk in chunks(keys):
                data = b"".join(vectors.codes_of(self._connection, embedder_pk, chunk))
                yield np.frombuffer(data, dtype=dtype).reshape(len(chunk), width)
                steps.advance(len(chunk))

        out.tensor(archive.vectors_member(name), tag, (len(keys), width), batches())

    def _write_pieces(self, out: archive.Writer) -> None:
        assert self._embedder is not None, "pieces come from an embedder"
        embedder_pk, width = self._embedder[0], self._piece_width()

        def batches() -> Iterator[NDArray[Any]]:
            for chunk in chunks(self._pieces):
                found = pieces.codes_of(self._connection, embedder_pk, chunk)
                data = b"".join(found[key] for key in chunk)
                yield np.frombuffer(data, dtype=np.uint8).reshape(-1, width)

        out.tensor(archive.PIECES, "U8", (self._piece_count, width), batches())


class Taken(NamedTuple):
    """The vectors of a record: decoded `[n, dims]`, and their codes where not all are float32."""

    rows: Vectors
    codes: _Codes | None


class Incoming:
    """Hands out the vectors of one record after another; `embedder` is None where they are of no use here."""

    def __init__(
        self, connection: Connection, reader: archive.Reader, embedder: tuple[int, int] | None
    ) -> None:
        self._connection = connection
        self._reader = reader
        self._embedder = embedder
        self._streams: dict[str, archive.Rows] = {}
        self._codes: dict[str, _Codes] = {}
        self._pieces: dict[str, list[bytes]] = {}

    @property
    def embedder_pk(self) -> int | None:
        """The embedder they belong to."""
        return None if self._embedder is None else self._embedder[0]

    def take(self, record: dict[str, Any], count: int) -> Vectors | None:
        """The vectors `[count, dims]` of a record, decoded; None where there are not so many, or of no use.

        Raises `ValueError` where the archive does not hold what the record says.
        """
        taken = self._next(record["vectors"])
        found = self._next_pieces(record["pieces"])
        if taken is None or len(taken.rows) != count:
            return None
        if taken.codes is not None:
            self._codes[record["id"]] = taken.codes
        if found:
            self._pieces[record["id"]] = found
        return taken.rows

    def _next_pieces(self, counts: Sequence[int]) -> list[bytes]:
        """The pieces of each passage, as they are stored."""
        if not counts or self._embedder is None:
            return []
        stream = self._open(archive.PIECES, "binary")
        return [stream.take(count).tobytes() for count in counts]

    def _next(self, names: Sequence[Precision]) -> Taken | None:
        if not names or self._embedder is None:
            return None
        if set(names) == {"float32"}:
            return Taken(self._stream("float32").take(len(names)).astype(np.float32), None)
        codes = [(name, self._stream(name).take(1).tobytes()) for name in names]
        data = [data for _, data in codes]
        rows = vectors.decoded(np.array(names, dtype=str), data, self._embedder[1])
        return Taken(rows, codes)

    def _stream(self, name: Precision) -> archive.Rows:
        if name not in PRECISIONS:
            raise ValueError(f"{name!r} is no precision")
        return self._open(archive.vectors_member(name), name)

    def _open(self, member: str, name: Precision) -> archive.Rows:
        if member not in self._streams:
            assert self._embedder is not None, "vectors come from an embedder"
            stream = self._reader.rows(member)
            if stream.width * stream.dtype.itemsize != row_bytes(name, self._embedder[1]):
                raise ValueError(f"{member} has rows of another size")
            self._streams[member] = stream
        return self._streams[member]

    def stored(self, namespace_pk: int, ids: Sequence[str]) -> None:
        """These records are stored with decoded vectors: keep the codes that they came in, and their pieces."""
        wanted = [id_ for id_ in ids if id_ in self._codes or id_ in self._pieces]
        for chunk in chunks(wanted):
            for id_, table, owner in (
                (E.id, schema.events, P.event_pk == E.pk),
                (M.id, schema.memories, P.memory_pk == M.pk),
            ):
                statement = (
                    select(id_, P.pk)
                    .select_from(schema.passages)
                    .join(table, owner)
                    .where(P.namespace_pk == namespace_pk, id_.in_(chunk))
                    .order_by(P.pk)
                )
                self._keep(namespace_pk, self._connection.execute(statement).all())
        self._codes = {}
        self._pieces = {}

    def _keep(self, namespace_pk: int, found: Sequence[Any]) -> None:
        if self._embedder is None:
            return
        keys: dict[str, list[int]] = {}
        for id_, key in found:
            keys.setdefault(id_, []).append(key)
        codes = [
            (key, name, data)
            for id_, own in keys.items()
            for key, (name, data) in zip(own, self._codes.get(id_, ()), strict=False)
        ]
        vectors.keep_codes(self._connection, self._embedder[0], codes)
        kept = [
            (key, data)
            for id_, own in keys.items()
            for key, data in zip(own, self._pieces.get(id_, ()), strict=False)
            if data
        ]
        pieces.keep_codes(self._connection, namespace_pk, self._embedder[0], kept)
