"""The file of an export: one zip of JSON lines and safetensors, checksummed, the same for every store.

It holds no code and nothing in it is executed when read. What the records mean is `export`'s and `restore`'s.

    records.jsonl                     one record a line, in the order in which they are taken in
    vectors/<precision>.safetensors   the passages' vectors, in the order of the records
    pieces.safetensors                their word pieces, in that order
    items.safetensors                 the items' vectors, in that order, too
    latents/<sha256>.safetensors      as they are kept
    manifest.json                     format, embedder, counts, and the SHA-256 of every other member
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from agentmem.errors import ArchiveError
from agentmem.faults import point

from . import tensors
from .blobs import Piece
from .whole_file import whole_file

FORMAT = "agentmem-export-2"
RECORDS = "records.jsonl"
MANIFEST = "manifest.json"
PIECES = "pieces.safetensors"
ITEM_VECTORS = "items.safetensors"
_PIECE = 1 << 20
# RuntimeError and its NotImplementedError: an encrypted member, an unknown compression
_UNREADABLE = (OSError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


def vectors_member(precision: str) -> str:
    """Where the vectors of one precision are."""
    return f"vectors/{precision}.safetensors"


def latent_member(sha256: str) -> str:
    """Where the latent of this content is."""
    return f"latents/{sha256}.safetensors"


@dataclass(slots=True)
class Counts:
    """How many of each kind were written or taken in."""

    namespaces: int = 0
    events: int = 0
    memories: int = 0
    episodes: int = 0
    items: int = 0
    latents: int = 0
    vectors: int = 0


class Writer:
    """An archive being written: members one after another, each streamed, then the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._digests: dict[str, str] = {}

    def records(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Write the records, a line each."""
        lines = (
            json.dumps(record, ensure_ascii=False, default=_jsonable).encode() + b"\n" for record in records
        )
        # numbers of tensors hardly get smaller, words do
        self._member(RECORDS, lines, zipfile.ZIP_DEFLATED)

    def tensor(self, name: str, tag: str, shape: tuple[int, int], batches: Iterable[NDArray[Any]]) -> None:
        """Write rows `[<= n, width]` that come a batch at a time; `shape` says how many there will be."""

        def pieces() -> Iterator[Piece]:
            yield tensors.header_of_one(tag, shape)
            for batch in batches:
                yield tensors.raw(batch, tag)

        self._member(name, pieces(), zipfile.ZIP_STORED)

    def file(self, name: str, content: Piece) -> None:
        """Write a file as it is."""
        view = memoryview(content)
        pieces = (view[start : start + _PIECE] for start in range(0, len(view), _PIECE))
        self._member(name, pieces, zipfile.ZIP_STORED)

    def finish(self, header: Mapping[str, Any]) -> None:
        """Write the manifest."""
        manifest = {"format": FORMAT, **header, "sha256": self._digests}
        self._archive.writestr(MANIFEST, json.dumps(manifest, indent=1))

    def _member(self, name: str, pieces: Iterable[Piece], compression: int) -> None:
        digest = hashlib.sha256()
        info = zipfile.ZipInfo(name)
        info.compress_type = compression
        with self._archive.open(info, "w", force_zip64=True) as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        self._digests[name] = digest.hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Write an archive whole or not at all: a crash leaves no half file under the name."""
    try:
        with whole_file(path, durable=True) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                yield Writer(archive)
            point("export.part_written")
        point("export.renamed")
    except OSError as error:
        raise ArchiveError(f"could not write the export {path}: {error}") from error


def _jsonable(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in an export")


class Reader:
    """An archive that has been checked whole before anything is taken from it.

    Raises:
        ArchiveError: missing, damaged, or not one of ours.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        # what is open, to be closed also where a stream was not read to its end
        self._open = ExitStack()
        try:
            self._check()
        except BaseException:
            self._open.close()
            raise

    def _check(self) -> None:
        path = self.path
        try:
            self._archive = self._open.enter_context(zipfile.ZipFile(path))
            self.manifest: dict[str, Any] = dict(json.loads(self._archive.read(MANIFEST)))
        except _UNREADABLE as error:
            raise ArchiveError(f"{path} is not an agentmem export, or is damaged: {error}") from error
        if self.manifest.get("format") != FORMAT:
            raise ArchiveError(
                f"{path} has format {self.manifest.get('format')!r}; this agentmem reads {FORMAT!r}"
            )
        self._verify()

    def _verify(self) -> None:
        digests = self.manifest.get("sha256")
        if not isinstance(digests, dict) or RECORDS not in digests:
            raise ArchiveError(f"{self.path} is damaged: its manifest has no checksums")
        named = sorted([*digests, MANIFEST])
        if sorted(self._archive.namelist()) != named:
            raise ArchiveError(f"{self.path} is damaged: it does not hold what its manifest names")
        for name, expected in digests.items():
            try:
                with self._archive.open(name) as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            except _UNREADABLE as error:
                raise ArchiveError(f"{self.path} is damaged at {name}: {error}") from error
            if found != expected:
                raise ArchiveError(f"{self.path} is damaged: the checksum of {name} differs")

    def records(self) -> Iterator[dict[str, Any]]:
        """The records in the order written."""
        for line in self._open.enter_context(self._archive.open(RECORDS)):
            yield json.loads(line)

    def rows(self, name: str) -> Rows:
        """The rows of a tensor, from the first on. Raises `ValueError` where it is not one."""
        if name not in self.manifest["sha256"]:
            raise ValueError(f"{name} is missing")
        return Rows(name, self._open.enter_context(self._archive.open(name)))

    def latent(self, sha256: str) -> bytes:
        """A latent's bytes, which have this checksum. Raises `ValueError` where there is none such."""
        name = latent_member(sha256)
        if self.manifest["sha256"].get(name) != sha256:
            raise ValueError(f"the latent {sha256} is missing")
        return self._archive.read(name)

    def close(self) -> None:
        """Release the file."""
        self._open.close()


class Rows:
    """The rows `[n, width]` of one tensor, taken from the front."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name = name
        self._file = file
        self.dtype, (self._left, self.width) = tensors.read_header_of_one(file)

    def take(self, count: int) -> NDArray[Any]:
        """The next rows `[count, width]`. Raises `ValueError` where there are fewer."""
        if count > self._left:
            raise ValueError(f"rows of {self._name} are missing")
        self._left -= count
        data = self._file.read(count * self.width * self.dtype.itemsize)
        return np.frombuffer(data, dtype=self.dtype).reshape(count, self.width)
