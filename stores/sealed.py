"""AES-256-GCM over files and bytes, in chunks, so that a large file is sealed and read piece by piece.

Used for what stands beside an encrypted database (vector indexes, latents) and for exports. Each seal has its own
random salt and so its own key; a chunk's nonce is its number and whether it is the last, so that chunks cannot be
swapped, dropped or cut off unnoticed (the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, 2015).
"""

from __future__ import annotations

import hmac
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from agentmem.errors import EncryptionKeyError, MissingExtraError
from agentmem.keys import SecretKey

MAGIC = b"agentmem-sealed-1\n"
CHUNK = 1 << 16
_SALT = 16
_CHECK = 16
_TAG = 16
HEADER = len(MAGIC) + _SALT + _CHECK


class _Cipher:
    """The key of one seal: chunks by number."""

    def __init__(self, key: SecretKey, salt: bytes) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        except ImportError as error:
            raise MissingExtraError("encryption", "encryption") from error
        derived = key.derive(salt)
        self._aes = AESGCM(derived)
        # tells a wrong key from a damaged file, and tells nothing of the key
        self.check = hmac.digest(derived, b"agentmem key check", "sha256")[:_CHECK]

    def encrypt(self, number: int, data: bytes, *, last: bool) -> bytes:
        return self._aes.encrypt(_nonce(number, last), data, MAGIC)

    def decrypt(self, number: int, data: bytes, *, last: bool) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._aes.decrypt(_nonce(number, last), data, MAGIC)
        except InvalidTag:
            raise ValueError(f"sealed chunk {number} is damaged") from None


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


class SealedWriter(io.RawIOBase):
    """A file that seals what is written to it; complete only once closed. Closing leaves `file` open."""

    def __init__(self, file: IO[bytes], key: SecretKey) -> None:
        super().__init__()
        salt = os.urandom(_SALT)
        self._file = file
        self._cipher = _Cipher(key, salt)
        self._held = bytearray()
        self._number = 0
        file.write(MAGIC + salt + self._cipher.check)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        at = 0
        # the newest chunk is held back, as it may be the last
        while len(self._held) + len(view) - at > CHUNK:
            end = at + CHUNK - len(self._held)
            self._put(bytes(self._held) + view[at:end], last=False)
            self._held.clear()
            at = end
        self._held += view[at:]
        return len(view)

    def close(self) -> None:
        if not self.closed:
            self._put(bytes(self._held), last=True)
            super().close()

    def _put(self, data: bytes, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(self._number, data, last=last))
        self._number += 1


class SealedReader(io.RawIOBase):
    """The opened content of a sealed file, seekable; one chunk is held at a time.

    Raises:
        EncryptionKeyError: the key is another one.
        ValueError: not sealed, or damaged; here or from any read.
    """

    def __init__(self, file: IO[bytes], key: SecretKey) -> None:
        super().__init__()
        header = file.read(HEADER)
        if len(header) < HEADER or not header.startswith(MAGIC):
            raise ValueError("not a sealed file of this version")
        self._cipher = _Cipher(key, header[len(MAGIC) : len(MAGIC) + _SALT])
        if not hmac.compare_digest(self._cipher.check, header[-_CHECK:]):
            raise EncryptionKeyError(
                "the key does not open this: it was sealed with another one, or is damaged"
            )
        body = file.seek(0, io.SEEK_END) - HEADER
        self._file = file
        self._chunks = max(1, -(-body // (CHUNK + _TAG)))
        self._size = body - self._chunks * _TAG
        self._at = 0
        self._held = (-1, b"")
        if self._size < 0:
            raise ValueError("the sealed file is cut off")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        # also where nothing is to be read: an empty file's only chunk may be damaged, too
        chunk = self._chunk(min(self._at // CHUNK, self._chunks - 1))
        if self._at >= self._size:
            return 0
        start = self._at % CHUNK
        piece = chunk[start : start + len(view)]
        view[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            self._file.seek(HEADER + number * (CHUNK + _TAG))
            data = self._file.read(CHUNK + _TAG)
            self._held = number, self._cipher.decrypt(number, data, last=number == self._chunks - 1)
        return self._held[1]


def seal(data: bytes, key: SecretKey) -> bytes:
    """The bytes, sealed."""
    out = io.BytesIO()
    with SealedWriter(out, key) as file:
        file.write(data)
    return out.getvalue()


def unseal(data: bytes, key: SecretKey) -> bytes:
    """The bytes that were sealed. Raises as `SealedReader` does."""
    return SealedReader(io.BytesIO(data), key).readall()


@contextmanager
def writing(path: Path, key: SecretKey | None) -> Iterator[IO[bytes]]:
    """A new file at `path`, sealed where there is a key."""
    with path.open("wb") as file:
        if key is None:
            yield file
        else:
            with SealedWriter(file, key) as writer:
                yield cast(IO[bytes], writer)


@contextmanager
def reading(path: Path, key: SecretKey | None) -> Iterator[IO[bytes]]:
    """The content of a file, opened where there is a key; else as it is. Raises as `SealedReader` does."""
    with path.open("rb") as file:
        if key is None:
            yield file
        else:
            yield cast(IO[bytes], io.BufferedReader(SealedReader(file, key), CHUNK))


def opens(header: bytes, key: SecretKey) -> bool:
    """Whether a key opens the file that begins with these `HEADER` bytes."""
    derived = _Cipher(key, header[len(MAGIC) : len(MAGIC) + _SALT])
    return hmac.compare_digest(derived.check, header[-_CHECK:])


def is_sealed(start: bytes) -> bool:
    """Whether bytes that begin so are sealed."""
    return start.startswith(MAGIC)
