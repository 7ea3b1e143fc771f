"""Export and restore: one zip of JSON lines and raw vectors, checksummed, the same for every store.

It holds no code and nothing in it is executed when read.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import numpy as np

from agentmem.contracts import Vectors
from agentmem.errors import ArchiveError
from agentmem.faults import point
from agentmem.types import ArchiveReport

from .whole_file import whole_file

FORMAT = "agentmem-export-1"
_RECORDS = "records.jsonl"
_VECTORS = "vectors.f32"
_MANIFEST = "manifest.json"
# RuntimeError and its NotImplementedError: an encrypted member, an unknown compression
_UNREADABLE = (OSError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Counts:
    """What an archive holds."""

    namespaces: int
    events: int
    memories: int


class _Hashed:
    """A file that knows the digest of what was written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self._file.write(data)


def write(
    path: Path,
    header: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    vectors: Callable[[], Iterable[Vectors]],
    counts: Counts,
) -> ArchiveReport:
    """Write an archive whole or not at all: a crash leaves no half file under the name."""
    try:
        with whole_file(path, durable=True) as temporary:
            with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
                _fill(archive, header, records, vectors, counts)
            point("export.part_written")
        point("export.renamed")
    except OSError as error:
        raise ArchiveError(f"could not write the export {path}: {error}") from error
    return ArchiveReport(str(path), counts.namespaces, counts.events, counts.memories, path.stat().st_size)


def _fill(
    archive: zipfile.ZipFile,
    header: Mapping[str, Any],
    records: Iterable[Mapping[str, Any]],
    vectors: Callable[[], Iterable[Vectors]],
    counts: Counts,
) -> None:
    with archive.open(_RECORDS, "w", force_zip64=True) as file:
        lines = _Hashed(file)
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False, default=_jsonable).encode() + b"\n")
    point("export.records_written")
    with archive.open(_VECTORS, "w", force_zip64=True) as file:
        rows = _Hashed(file)
        for batch in vectors():
            rows.write(batch.astype("<f4").tobytes())
    point("export.vectors_written")
    manifest = {
        "format": FORMAT,
        **header,
        **asdict(counts),
        "sha256": {_RECORDS: lines.digest.hexdigest(), _VECTORS: rows.digest.hexdigest()},
    }
    archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))


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
            self.manifest: dict[str, Any] = dict(json.loads(self._archive.read(_MANIFEST)))
        except _UNREADABLE as error:
            raise ArchiveError(f"{path} is not an agentmem export, or is damaged: {error}") from error
        if self.manifest.get("format") != FORMAT:
            raise ArchiveError(
                f"{path} has format {self.manifest.get('format')!r}; this agentmem reads {FORMAT!r}"
            )
        self._verify()

    def _verify(self) -> None:
        for name in (_RECORDS, _VECTORS):
            try:
                expected = self.manifest["sha256"][name]
                with self._archive.open(name) as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
            except _UNREADABLE as error:
                raise ArchiveError(f"{self.path} is damaged at {name}: {error}") from error
            if found != expected:
                raise ArchiveError(f"{self.path} is damaged: the checksum of {name} differs")

    def records(self) -> Iterator[dict[str, Any]]:
        """The records in the order written."""
        for line in self._open.enter_context(self._archive.open(_RECORDS)):
            yield json.loads(line)

    def vectors(self, dims: int, batch: int) -> Iterator[Vectors]:
        """All vectors in the order of the records' passages, `[<= batch, dims]` at a time."""
        file = self._open.enter_context(self._archive.open(_VECTORS))
        while data := file.read(batch * dims * 4):
            yield np.frombuffer(data, dtype="<f4").reshape(-1, dims).astype(np.float32)

    def close(self) -> None:
        """Release the file."""
        self._open.close()
