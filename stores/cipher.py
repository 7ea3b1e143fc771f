"""SQLCipher: encrypted SQLite files, page by page (AES-256 with an HMAC), the write-ahead log included.

The salt that SQLCipher keeps in a file's first 16 bytes is also the salt of our key derivation, so a file and its
passphrase are all that is needed. Knows nothing of tables.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import ModuleType
from typing import Any

from agentmem.errors import (
    EncryptionKeyError,
    InvalidInputError,
    MissingExtraError,
    NotADatabaseError,
    StoreError,
)
from agentmem.keys import SecretKey

from . import scrub

SALT_BYTES = 16
_PLAIN = b"SQLite format 3\0"
_PAGE = 4096
# of 256 byte values an encrypted page shows nearly all; text, zeros and most file formats show far fewer
_RANDOM_FROM = 220


def driver() -> ModuleType:
    """The DB-API module of SQLCipher. Raises `MissingExtraError`."""
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise MissingExtraError("an encrypted database", "encryption") from error
    module: ModuleType = dbapi2
    return module


class FileKey:
    """What opens one encrypted file: derived once, handed to each connection."""

    __slots__ = ("_literal",)

    def __init__(self, secret: SecretKey, salt: bytes) -> None:
        self._literal = f"x'{(secret.derive(salt) + salt).hex()}'"

    def apply(self, connection: Any) -> None:
        """Key a fresh connection, before anything is read through it."""
        # it would write about each wrong key to stderr by itself
        connection.execute("PRAGMA cipher_log_level = NONE").close()
        connection.execute(f'PRAGMA key = "{self._literal}"').close()

    def attach(self, connection: Any, path: Path, name: str) -> None:
        """Attach a file under this key."""
        connection.execute(f'ATTACH DATABASE ? AS {name} KEY "{self._literal}"', (str(path),)).close()

    def __repr__(self) -> str:
        return "FileKey(hidden)"


def connect(path: Path, key: FileKey | None, **options: Any) -> Any:
    """A connection to an encrypted file, or with SQLCipher's library to a plain one."""
    connection = driver().connect(str(path), check_same_thread=False, **options)
    if key is not None:
        key.apply(connection)
    return connection


def unlock(path: Path, secret: SecretKey) -> FileKey:
    """The key of the file at `path`, which is made, empty and encrypted, where there is none.

    Raises:
        EncryptionKeyError: the key is wrong, or the file is not encrypted.
    """
    driver()
    if not path.exists():
        _create(path, secret)
    with path.open("rb") as file:
        salt = file.read(SALT_BYTES)
    if len(salt) < SALT_BYTES:
        raise InvalidInputError(f"{path} is an empty file; remove it, or give another name")
    if salt == _PLAIN:
        raise EncryptionKeyError(
            f"{path} is not encrypted, and a key was given: encrypt it with `agentmem encrypt`, or open it without "
            "a key (check AGENTMEM_KEY, AGENTMEM_KEY_FILE and AGENTMEM_KEYRING)"
        )
    key = FileKey(secret, salt)
    if not opens(path, key):
        raise EncryptionKeyError(
            f"the key does not open {path}: it is another file's, or the file is damaged"
        )
    # a plain one, if decrypting was killed; while the other goes on, nobody comes this far
    scrub.remove(copy_of(path))
    return key


def is_plain(path: Path) -> bool:
    """Whether a file is SQLite without encryption."""
    with path.open("rb") as file:
        return file.read(len(_PLAIN)) == _PLAIN


def copy_of(path: Path) -> Path:
    """Where the copy of a file is made that is to take its place."""
    return path.with_name(path.name + ".recoding")


def opens(path: Path, key: FileKey) -> bool:
    """Whether the first page can be read under this key."""
    connection = connect(path, key)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return True
    except driver().DatabaseError as error:
        if "not a database" in str(error) or "hmac" in str(error).lower():
            return False
        raise
    finally:
        connection.close()


def refuse_without_key(path: Path) -> None:
    """Tell of a file that is not plain SQLite what it is.

    Raises:
        EncryptionKeyError: it looks encrypted.
        NotADatabaseError: it does not.
    """
    with path.open("rb") as file:
        page = file.read(_PAGE)
    if len(page) == _PAGE and path.stat().st_size % _PAGE == 0 and len(set(page)) >= _RANDOM_FROM:
        raise EncryptionKeyError(
            f"{path} is encrypted, or not an agentmem database: give its key, as Memory(url, key=...) or in "
            "AGENTMEM_KEY, AGENTMEM_KEY_FILE or AGENTMEM_KEYRING"
        )
    raise NotADatabaseError(f"{path} is not an agentmem database (not SQLite); give another file name")


def _create(path: Path, secret: SecretKey) -> None:
    """Put an empty encrypted database at `path`, whole or not at all: of two processes one makes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    temporary.unlink(missing_ok=True)
    try:
        connection = connect(temporary, FileKey(secret, os.urandom(SALT_BYTES)))
        # any change writes the first page
        connection.execute("PRAGMA user_version = 0")
        connection.execute("VACUUM")
        connection.close()
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except (OSError, driver().Error) as error:
        raise StoreError(f"cannot make {path}: the folder must be writable ({error})") from error
    finally:
        temporary.unlink(missing_ok=True)
