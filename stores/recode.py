"""Encrypts a database, decrypts it, or changes its key: a checked copy takes the file's place in one rename.

Killed at any moment, the file opens with the old key or with the new one, whole. The old file's bytes are
overwritten before it goes. Nobody else may have the database open meanwhile.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from agentmem.errors import EncryptionKeyError, InvalidInputError, StoreError, StoreFullError
from agentmem.faults import point
from agentmem.keys import SecretKey

from . import cipher, file_key, scrub
from .alone import alone
from .database import APPLICATION_ID, SqliteDatabase
from .sqlite import SqliteStore

_COPY = 1 << 20


def recode(path: Path, old: SecretKey | None, new: SecretKey | None) -> None:
    """Move the database at `path` from one key to another; None stands for no encryption.

    Raises:
        EncryptionKeyError: `old` does not open it.
        StoreBusyError: it is open elsewhere; nothing was changed.
        StoreFullError: there is no room for the copy; nothing was changed.
    """
    if not path.is_file():
        raise InvalidInputError(f"no database at {path}")
    path = path.resolve()
    if old is None and not cipher.is_plain(path):
        raise EncryptionKeyError(f"{path} is encrypted already, or not an agentmem database")
    old_key = None if old is None else cipher.unlock(path, old)
    copy = cipher.copy_of(path)
    plain_copy = path.with_name(path.name + ".plain")
    try:
        # what an earlier run that was killed may have left: of a plain copy no bytes should stay
        scrub.remove(plain_copy)
        scrub.remove(copy)
        _check_room(path, copies=1 if old is not None else 2)
        # one handle for all of it, closed last: closing any handle on the file lets go of the locks on it
        with alone(path, old_key) as source, path.open("rb+") as original:
            if old_key is None:
                _copy_bytes(original, plain_copy)
                with closing(cipher.connect(plain_copy, None)) as reader:
                    _export(reader, copy, new)
                scrub.remove(plain_copy)
            else:
                _export(source, copy, new)
            _prepare(copy, new)
            _check(copy, new, source)
            shutil.copymode(path, copy)
            copy.replace(path)
            _sync_folder(path.parent)
            # who waits for the lock of the old file finds no database there, and cannot write into the void
            scrub.overwrite(original)
    except (sqlite3.Error, cipher.driver().Error) as error:
        raise StoreError(f"{path} stays as it was: {error}") from error
    finally:
        scrub.remove(plain_copy)
        scrub.remove(copy)
    # a cache, made again when needed
    shutil.rmtree(path.with_name(path.name + ".index"), ignore_errors=True)
    point("recode.replaced")
    reseal_latents(path, new)


def reseal_latents(path: Path, key: SecretKey | None) -> None:
    """Bring the files of latents to the database's newest key; one that is not through yet is taken up again."""
    with closing(SqliteStore(path, key)) as store:
        store.latents().reseal()


def _export(source: Any, target: Path, new: SecretKey | None) -> None:
    if new is None:
        source.execute("ATTACH DATABASE ? AS target KEY ''", (str(target),)).close()
    else:
        cipher.FileKey(new, os.urandom(cipher.SALT_BYTES)).attach(source, target, "target")
    source.execute("SELECT sqlcipher_export('target')").fetchall()
    source.execute(f"PRAGMA target.application_id = {APPLICATION_ID}").close()
    source.execute("DETACH DATABASE target").close()


def _prepare(copy: Path, new: SecretKey | None) -> None:
    """Give the copy its keys for the files beside it, and look it over; it is on disk, in one file, afterwards."""
    database = SqliteDatabase(copy, new)
    try:
        with database.write() as connection:
            file_key.renew(connection, encrypted=new is not None)
        faults = database.faults()
        if faults:
            raise StoreError(f"the copy is damaged, the database stays as it was: {faults[0]}")
    finally:
        # the last connection to go folds the log into the file
        database.close()
    if copy.with_name(copy.name + "-wal").exists():
        raise StoreError(f"the copy {copy} is open elsewhere; the database stays as it was")


def _check(copy: Path, new: SecretKey | None, source: Any) -> None:
    """Every table of the copy has as many rows as the original's."""
    key = None if new is None else cipher.unlock(copy, new)
    with closing(cipher.connect(copy, key)) as made:
        tables = [row[0] for row in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table in ("meta", "sqlite_stat1", "sqlite_stat4"):
                continue
            # names of our own tables
            count = f'SELECT count(*) FROM "{table}"'  # noqa: S608
            if made.execute(count).fetchone() != source.execute(count).fetchone():
                raise StoreError(f"the copy of {table} is not whole; the database stays as it was")


def _copy_bytes(original: IO[bytes], target: Path) -> None:
    with target.open("xb") as out:
        target.chmod(0o600)
        original.seek(0)
        shutil.copyfileobj(original, out, _COPY)


def _check_room(path: Path, copies: int) -> None:
    needed = path.stat().st_size * copies
    free = shutil.disk_usage(path.parent).free
    if free < needed:
        raise StoreFullError(f"{path.parent} has {free:,} bytes free, the copy needs {needed:,}")


def _sync_folder(folder: Path) -> None:
    if hasattr(os, "O_DIRECTORY"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
