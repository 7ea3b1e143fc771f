"""Files beside an asynchronous store: read and written in threads, while the event loop goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from sqlalchemy.util import await_only

from .blobs import Blobs, Found, Piece


class AwaitedBlobs:
    """Implements `blobs.Blobs` over others; calls must run inside SQLAlchemy's `greenlet_spawn`."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    @property
    def url(self) -> str:
        return self._blobs.url

    def write(self, name: str, pieces: Sequence[Piece]) -> None:
        await_only(asyncio.to_thread(self._blobs.write, name, pieces))

    def read(self, name: str) -> memoryview:
        return await_only(asyncio.to_thread(self._blobs.read, name))

    def has(self, name: str) -> bool:
        return await_only(asyncio.to_thread(self._blobs.has, name))

    def remove(self, name: str) -> None:
        await_only(asyncio.to_thread(self._blobs.remove, name))

    def found(self) -> Iterator[Found]:
        yield from await_only(asyncio.to_thread(lambda: list(self._blobs.found())))
