"""The keys of the files beside an encrypted database: random, and kept inside it.

So a file is sealed without a slow derivation for each, and the folder without the database opens nothing. While files
move to a new key after a rotation, the old one is kept to open those that have not.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select

from agentmem.errors import EncryptionKeyError
from agentmem.keys import RAW_BYTES, SecretKey

from . import schema, sealed

META = "file_keys"
_NONE = "-"


@dataclass(frozen=True, slots=True)
class FileKeys:
    """`sealing` is for new files (None in a plain database); `opening` for those that are there, newest first."""

    sealing: SecretKey | None = None
    opening: tuple[SecretKey, ...] = ()

    @property
    def is_moving(self) -> bool:
        """Whether some files may still be sealed with an older key."""
        return len(self.opening) > (self.sealing is not None)

    def seal(self, data: bytes) -> bytes:
        """The bytes as they go to disk."""
        return data if self.sealing is None else sealed.seal(data, self.sealing)

    def unseal(self, data: bytes | memoryview) -> bytes | memoryview:
        """The bytes of a file, sealed or not. Raises `ValueError` and `EncryptionKeyError`."""
        if not sealed.is_sealed(bytes(data[: len(sealed.MAGIC)])):
            return data
        for key in self.opening:
            try:
                return sealed.unseal(bytes(data), key)
            except EncryptionKeyError:
                continue
        raise EncryptionKeyError("the file was sealed with a key that this database does not have")

    def is_current(self, data: bytes | memoryview) -> bool:
        """Whether a file is sealed, or plain, as a new one would be."""
        if not sealed.is_sealed(bytes(data[: len(sealed.MAGIC)])):
            return self.sealing is None
        return self.sealing is not None and sealed.opens(bytes(data[: sealed.HEADER]), self.sealing)


def read(connection: Connection) -> FileKeys:
    """The keys; none in a database that was never encrypted."""
    columns = schema.meta.c
    held = connection.execute(select(columns.value).where(columns.key == META)).scalar_one_or_none()
    keys = [
        None if text == _NONE else SecretKey(bytes.fromhex(text), is_raw=True)
        for text in (held or _NONE).split()
    ]
    return FileKeys(keys[0], tuple(key for key in keys if key is not None))


def ensure(connection: Connection) -> None:
    """Make a key where there is none; the caller holds the write lock."""
    if read(connection).sealing is None:
        renew(connection, encrypted=True)


def renew(connection: Connection, *, encrypted: bool) -> None:
    """A new key, or none, for files from now on; older ones only open. The caller holds the write lock."""
    held = _held(connection)
    _write(connection, [secrets.token_hex(RAW_BYTES) if encrypted else _NONE, *held])


def retire(connection: Connection) -> None:
    """Drop all but the newest key, once no file is sealed with an older one; the caller holds the write lock."""
    _write(connection, _held(connection)[:1])


def _held(connection: Connection) -> list[str]:
    columns = schema.meta.c
    held = connection.execute(select(columns.value).where(columns.key == META)).scalar_one_or_none()
    return [] if held is None else str(held).split()


def _write(connection: Connection, held: list[str]) -> None:
    connection.execute(delete(schema.meta).where(schema.meta.c.key == META))
    if held not in ([], [_NONE]):
        connection.execute(insert(schema.meta).values(key=META, value=" ".join(held)))
