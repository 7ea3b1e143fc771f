"""`agentmem.latents.LatentStore`: tensors in files named by their content, rows that say whose they are.

A file is written before its row, and removed after it, each time looking again under the write lock: so a row never
lacks its file, and a file that nothing refers to is removed soon or, after a kill, by the next sweep.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from sqlalchemy import Connection

from agentmem.clock import SystemClock, to_micros
from agentmem.errors import (
    CorruptLatentError,
    EncryptionKeyError,
    FingerprintMismatchError,
    InvalidInputError,
    RecordNotFoundError,
)
from agentmem.faults import point
from agentmem.latents import Latent, LatentRef, LatentStats, SweepReport
from agentmem.types import Namespace

from . import file_key, latent_rows, namespaces
from .blobs import Blobs, Piece
from .file_key import FileKeys
from .parts import Database
from .tensors import dump, load


class SqlLatents:
    """Implements `agentmem.latents.LatentStore` over any SQL database."""

    def __init__(self, database: Database, blobs: Blobs) -> None:
        self._database = database
        self._blobs = blobs

    def put(
        self,
        namespace: Namespace,
        owner_id: str,
        tensors: Mapping[str, NDArray[Any]],
        *,
        fingerprint: str,
        layout: str,
        meta: Mapping[str, str] | None = None,
        dtypes: Mapping[str, str] | None = None,
        sources: Sequence[str] = (),
    ) -> LatentRef:
        try:
            pieces: list[Piece] = dump(tensors, meta, dtypes)
        except ValueError as error:
            raise InvalidInputError(str(error)) from error
        file = sha256 = _digest(pieces)
        size_bytes = sum(len(piece) for piece in pieces)
        with self._database.read() as connection:
            keys = file_key.read(connection)
        if keys.sealing is not None:
            # a name that tells of the content would tell who guesses it
            file = secrets.token_hex(32)
            pieces = [keys.seal(b"".join(pieces))]
        values = {
            "owner_id": owner_id,
            "fingerprint": fingerprint,
            "layout": layout,
            "sha256": sha256,
            "file": file,
            "size_bytes": size_bytes,
            "created_at": to_micros(SystemClock().now()),
        }
        self._blobs.write(file, pieces)
        point("latent.file_written")
        with self._database.write(namespace) as connection:
            latent_rows.put(connection, namespace, values, sources)
            if not self._blobs.has(file):
                # a removal came between
                self._blobs.write(file, pieces)
            point("latent.row_written")
        self.tidy()
        return self.find(namespace, owner_id)[-1]

    def get(
        self, namespace: Namespace, owner_id: str, *, fingerprint: str, layout: str | None = None
    ) -> Latent:
        with self._database.read(namespace) as connection:
            held = latent_rows.refs(connection, namespace, owner_id)
            keys = file_key.read(connection)
        if not held:
            raise RecordNotFoundError(owner_id)
        for ref, file in reversed(held):
            if ref.fingerprint == fingerprint and layout in (None, ref.layout):
                return self._read(ref, file, keys)
        newest = held[-1][0]
        raise FingerprintMismatchError(
            owner_id, f"{newest.fingerprint} ({newest.layout})", f"{fingerprint} ({layout or 'any layout'})"
        )

    def content(self, ref: LatentRef, file: str) -> bytes | memoryview:
        """The safetensors bytes of a latent; raises `CorruptLatentError`."""
        with self._database.read() as connection:
            keys = file_key.read(connection)
        return self._content(ref, file, keys)

    def write_file(self, connection: Connection, sha256: str, content: bytes) -> str:
        """Keep the bytes of a latent whose row comes in the same transaction; returns the file's name."""
        keys = file_key.read(connection)
        file = sha256 if keys.sealing is None else secrets.token_hex(32)
        self._blobs.write(file, [keys.seal(content)])
        return file

    def drop_unused(self, files: Sequence[str]) -> None:
        """Remove those of these files that no latent has."""
        for file in files:
            with self._database.write() as connection:
                if not latent_rows.is_used(connection, file):
                    self._blobs.remove(file)

    def find(self, namespace: Namespace, owner_id: str | None = None) -> list[LatentRef]:
        with self._database.read(namespace) as connection:
            return [ref for ref, _ in latent_rows.refs(connection, namespace, owner_id)]

    def delete(self, namespace: Namespace, owner_id: str) -> int:
        with self._database.write(namespace) as connection:
            row = namespaces.find(connection, namespace)
            count = 0 if row is None else latent_rows.clear(connection, row.pk, owner_id)
        self.tidy()
        return count

    def verify(self) -> Iterator[tuple[LatentRef, str]]:
        with self._database.read() as connection:
            held = latent_rows.everything(connection)
            keys = file_key.read(connection)
        for ref, file in held:
            try:
                self._read(ref, file, keys)
            except CorruptLatentError as error:
                yield ref, str(error)

    def sweep(self, *, grace_s: float = 3600.0) -> SweepReport:
        removed = removed_bytes = left = 0
        self.tidy()
        with self._database.read() as connection:
            used = latent_rows.used_files(connection)
            keys = file_key.read(connection)
        if keys.is_moving:
            self.reseal()
        for found in self._blobs.found():
            if found.name in used:
                continue
            if found.age_s < grace_s:
                left += 1
                continue
            with self._database.write() as connection:
                if latent_rows.is_used(connection, found.name):
                    continue
                self._blobs.remove(found.name)
                latent_rows.settled(connection, found.name)
            removed += 1
            removed_bytes += found.size_bytes
        return SweepReport(removed, removed_bytes, left)

    def stats(self) -> LatentStats:
        with self._database.read() as connection:
            count, size = latent_rows.totals(connection)
            used = latent_rows.used_files(connection)
        files = list(self._blobs.found())
        return LatentStats(
            latents=count,
            size_bytes=size,
            files=len(files),
            file_bytes=sum(found.size_bytes for found in files),
            orphans=sum(found.name not in used for found in files),
            url=self._blobs.url,
        )

    def tidy(self) -> None:
        """Remove the files that were given up, but for those that a latent has again."""
        with self._database.read() as connection:
            going = latent_rows.given_up(connection)
        for file in going:
            with self._database.write() as connection:
                if not latent_rows.is_used(connection, file):
                    self._blobs.remove(file)
                    point("latent.file_removed")
                latent_rows.settled(connection, file)

    def reseal(self) -> None:
        """Bring every file to the newest key, or make it plain; taken up again where it was interrupted.

        Raises:
            CorruptLatentError: a file is damaged; older keys are kept, the others are moved.
        """
        with self._database.read() as connection:
            held = latent_rows.everything(connection)
            keys = file_key.read(connection)
        damaged: CorruptLatentError | None = None
        for ref, file in held:
            try:
                self._reseal(ref, file, keys)
            except CorruptLatentError as error:
                damaged = error
        if damaged is not None:
            raise damaged
        with self._database.write() as connection:
            file_key.retire(connection)
        self.tidy()

    def _reseal(self, ref: LatentRef, file: str, keys: FileKeys) -> None:
        content = self._content(ref, file, keys)
        if keys.is_current(self._blobs.read(file)):
            return
        name = ref.sha256 if keys.sealing is None else secrets.token_hex(32)
        pieces: list[Piece] = [keys.seal(bytes(content))]
        self._blobs.write(name, pieces)
        with self._database.write(ref.namespace) as connection:
            latent_rows.move(connection, ref.namespace, file, name)
            if not self._blobs.has(name):
                self._blobs.write(name, pieces)
        point("latent.resealed")

    def _read(self, ref: LatentRef, file: str, keys: FileKeys) -> Latent:
        try:
            found = load(self._content(ref, file, keys))
        except ValueError as error:
            raise CorruptLatentError(ref.owner_id, str(error)) from error
        return Latent(ref, found.arrays, found.dtypes, found.metadata)

    def _content(self, ref: LatentRef, file: str, keys: FileKeys) -> bytes | memoryview:
        """The safetensors bytes; raises `CorruptLatentError`."""
        try:
            content = keys.unseal(self._blobs.read(file))
        except FileNotFoundError as error:
            raise CorruptLatentError(ref.owner_id, f"its file {file} is missing") from error
        except (ValueError, EncryptionKeyError) as error:
            raise CorruptLatentError(ref.owner_id, str(error)) from error
        if _digest([content]) != ref.sha256:
            raise CorruptLatentError(ref.owner_id, f"the checksum of {file} differs")
        return content


def _digest(pieces: Sequence[Piece]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()
