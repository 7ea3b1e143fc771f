"""Files of bytes by name, in a folder, at any URL that fsspec knows, or in memory. Knows nothing of tensors.

A file is written whole or not at all, and is never changed: the same name always holds the same bytes.
"""

from __future__ import annotations

import errno
import mmap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agentmem.errors import (
    AgentMemError,
    InvalidInputError,
    MissingExtraError,
    ReadOnlyStoreError,
    StoreError,
    StoreFullError,
)

from .whole_file import whole_file

Piece = bytes | memoryview
_SUFFIX = ".safetensors"
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("abfs", "abfss", "az", "adl"), "azure"),
}
_FULL = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}
_LOCKED = {errno.EROFS, errno.EACCES, errno.EPERM}


class Found(NamedTuple):
    """A file that is there: its name, size, and age in seconds."""

    name: str
    size_bytes: int
    age_s: float


class Blobs(Protocol):
    """Where files are kept. Raises `StoreError` where the place fails, `FileNotFoundError` where a file is missing."""

    @property
    def url(self) -> str:
        """Where they are, without secrets."""

    def write(self, name: str, pieces: Sequence[Piece]) -> None:
        """Keep bytes; durable on return. What is there already is replaced: it may be damaged."""

    def read(self, name: str) -> memoryview:
        """All bytes of a file, read-only; of a local one mapped, not copied."""

    def has(self, name: str) -> bool:
        """Whether there is such a file."""

    def remove(self, name: str) -> None:
        """Remove a file; nothing where there is none."""

    def found(self) -> Iterator[Found]:
        """Every file."""


def blobs_at(place: str) -> Blobs:
    """The files in a folder, or at a URL such as `s3://bucket/agent`."""
    if "://" in place and not place.startswith("file://"):
        return RemoteBlobs(place)
    return LocalBlobs(Path(place.removeprefix("file://")))


class LocalBlobs:
    """Files in a folder, in 256 folders below it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def url(self) -> str:
        return str(self._folder)

    def write(self, name: str, pieces: Sequence[Piece]) -> None:
        with (
            _explained(self.url),
            whole_file(self._path(name), durable=True) as temporary,
            temporary.open("wb") as file,
        ):
            for piece in pieces:
                file.write(piece)

    def read(self, name: str) -> memoryview:
        with self._path(name).open("rb") as file:
            try:
                # lives as long as a view of it does
                return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            except ValueError:
                return memoryview(b"")

    def has(self, name: str) -> bool:
        return self._path(name).exists()

    def remove(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def found(self) -> Iterator[Found]:
        now = time.time()
        for path in self._folder.glob(f"??/*{_SUFFIX}"):
            with suppress(FileNotFoundError):
                status = path.stat()
                yield Found(path.name.removesuffix(_SUFFIX), status.st_size, now - status.st_mtime)

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / (name + _SUFFIX)


class RamBlobs:
    """Bytes in memory, for a store in memory."""

    url = "memory"

    def __init__(self) -> None:
        self._held: dict[str, tuple[bytes, float]] = {}

    def write(self, name: str, pieces: Sequence[Piece]) -> None:
        self._held[name] = (b"".join(pieces), time.time())

    def read(self, name: str) -> memoryview:
        if name not in self._held:
            raise FileNotFoundError(name)
        return memoryview(self._held[name][0])

    def has(self, name: str) -> bool:
        return name in self._held

    def remove(self, name: str) -> None:
        self._held.pop(name, None)

    def found(self) -> Iterator[Found]:
        for name, (data, since) in list(self._held.items()):
            yield Found(name, len(data), time.time() - since)


class RemoteBlobs:
    """Files through fsspec: S3, Google Cloud, Azure and others, each with its own package and credentials."""

    def __init__(self, url: str) -> None:
        scheme = url.partition("://")[0]
        extra = _EXTRAS.get(scheme, "remote")
        try:
            import fsspec
        except ImportError as error:
            raise MissingExtraError(f"keeping files at {scheme}://", extra) from error
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            if extra != "remote":
                raise MissingExtraError(f"keeping files at {scheme}://", extra) from error
            raise StoreError(f"{scheme}:// needs a package of its own: {error}") from error
        except ValueError as error:
            raise InvalidInputError(f"no files can be kept at {scheme}://: {error}") from error
        # what fsspec puts together again has no credentials
        self.url = str(self._files.unstrip_protocol(self._root))

    def write(self, name: str, pieces: Sequence[Piece]) -> None:
        # object stores show an object only once it is whole; two writers of one name write the same bytes
        with self._explained():
            self._files.pipe_file(self._path(name), b"".join(pieces))

    def read(self, name: str) -> memoryview:
        with self._explained():
            return memoryview(bytes(self._files.cat_file(self._path(name))))

    def has(self, name: str) -> bool:
        with self._explained():
            return bool(self._files.exists(self._path(name)))

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError), self._explained():
            self._files.rm_file(self._path(name))

    def found(self) -> Iterator[Found]:
        now = time.time()
        with suppress(FileNotFoundError), self._explained():
            for path, info in self._files.find(self._root, detail=True).items():
                name = str(path).rpartition("/")[2]
                if name.endswith(_SUFFIX):
                    yield Found(name.removesuffix(_SUFFIX), int(info["size"]), now - self._made(path, info))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, AgentMemError, GeneratorExit):
            raise
        # each package has errors of its own: no credentials, no such bucket, no network
        except Exception as error:
            raise StoreError(f"{self.url}: {error or type(error).__name__}") from error

    def _made(self, path: str, info: dict[str, Any]) -> float:
        for key in ("LastModified", "last_modified", "updated", "mtime", "created"):
            value = info.get(key)
            if value is not None and not isinstance(value, str):
                return float(value.timestamp() if hasattr(value, "timestamp") else value)
        try:
            return float(self._files.modified(path).timestamp())
        except (NotImplementedError, AttributeError):
            # not told: young, so that it is left alone
            return time.time()

    def _path(self, name: str) -> str:
        return f"{self._root}/{name[:2]}/{name}{_SUFFIX}"


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                f"{where}: the disk is full ({error}); nothing was stored. Free space, then try again"
            ) from error
        if error.errno in _LOCKED:
            raise ReadOnlyStoreError(
                f"{where} cannot be written: check the permissions of the folder ({error})"
            ) from error
        raise StoreError(f"{where}: could not write ({error})") from error
