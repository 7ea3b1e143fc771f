"""Writes a file whole or not at all: beside its place, then moved there."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LEFT_OVER_AFTER_S = 86_400


@contextmanager
def whole_file(path: Path, *, durable: bool) -> Iterator[Path]:
    """A place to write to, which becomes `path` on exit and is removed on any exception.

    `durable` waits until the disk has it, so that a power cut leaves the old file or the new one. What a killed
    process left half-written is removed by the next one that writes here, a day later.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
        if durable:
            _sync(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        # Windows opens no folders, and moves files durably
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_leftovers(path: Path) -> None:
    with suppress(OSError):
        for part in path.parent.glob("*.part"):
            old = part.stat().st_mtime < time.time() - _LEFT_OVER_AFTER_S
            if old and part.name.startswith(f"{path.name}."):
                part.unlink(missing_ok=True)
