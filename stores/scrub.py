"""Overwrites files before they go. As far as it reaches: not what a disk or file system keeps beside them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import IO

_PIECE = 1 << 20


def overwrite(file: IO[bytes]) -> None:
    """Zeros in place of what an open file holds, on disk when it returns."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    for start in range(0, size, _PIECE):
        file.write(bytes(min(_PIECE, size - start)))
    file.flush()
    os.fsync(file.fileno())


def remove(path: Path) -> None:
    """Overwrite and remove a file; nothing where there is none."""
    with suppress(FileNotFoundError):
        with path.open("rb+") as file:
            overwrite(file)
        path.unlink()
