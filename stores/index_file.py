"""Vector indexes on disk: written beside, moved into place, and checked by CRC before FAISS reads a byte.

Streamed both ways: an index of a gigabyte takes no second one to be written or read.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import faiss

from agentmem.faults import point
from agentmem.keys import SecretKey

from . import sealed
from .whole_file import whole_file

_faiss: Any = faiss
_MAGIC = b"agentmem-index-2\n"
_CHUNK = 1 << 20


class _Sum:
    """The checksum and length of what passes through."""

    def __init__(self) -> None:
        self.crc = 0
        self.bytes = 0

    def take(self, data: bytes) -> None:
        self.crc = zlib.crc32(data, self.crc)
        self.bytes += len(data)


def write(
    path: Path, indexes: Mapping[str, Any], facts: Mapping[str, Any], key: SecretKey | None = None
) -> None:
    """Keep named indexes with what is to be known of them, sealed where there is a key.

    Raises:
        OSError: the disk is full or cannot be written; nothing has changed.
    """
    found = _Sum()
    for index in indexes.values():
        _pour(index, found.take)
    header = {**facts, "indexes": list(indexes), "crc": found.crc, "bytes": found.bytes}
    with whole_file(path, durable=False) as temporary:
        with sealed.writing(temporary, key) as file:
            file.write(_MAGIC + json.dumps(header).encode() + b"\n")
            for index in indexes.values():
                _pour(index, file.write)
        point("index.part_written")
    point("index.renamed")


def read(
    path: Path, check: Callable[[Mapping[str, Any]], None], key: SecretKey | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The indexes of a file and what is to be known of them; `check` may refuse the latter before the rest is read.

    Raises:
        OSError, ValueError, KeyError, TypeError, RuntimeError: it is damaged, or not of this version.
    """
    found = _Sum()
    with sealed.reading(path, key) as file:
        if file.readline() != _MAGIC:
            raise ValueError("not an index of this version")
        header = dict(json.loads(file.readline()))
        check(header)
        while data := file.read(_CHUNK):
            found.take(data)
    if (found.bytes, found.crc) != (header["bytes"], header["crc"]):
        raise ValueError("checksum differs")
    with sealed.reading(path, key) as file:
        file.readline()
        file.readline()
        return header, {
            name: faiss.read_index(_faiss.PyCallbackIOReader(file.read)) for name in header["indexes"]
        }


def _pour(index: Any, take: Callable[[bytes], object]) -> None:
    writer = _faiss.PyCallbackIOWriter(take, _CHUNK)
    faiss.write_index(index, writer)
    # what is still buffered is written when the writer goes
    del writer
