"""One SQLite file: connections, transactions, and errors in our own words.

Of the tables it knows only that removed terms must be overwritten.

WAL with full sync, so that a committed write survives a power cut; writers take the lock up front
(`BEGIN IMMEDIATE`) and wait for each other, readers never wait.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from agentmem.config import store_url
from agentmem.errors import (
    NotADatabaseError,
    ReadOnlyStoreError,
    StoreBusyError,
    StoreError,
    StoreFullError,
)
from agentmem.faults import point
from agentmem.keys import SecretKey
from agentmem.types import Namespace

from . import cipher, fts5

APPLICATION_ID = 0x41474D4D  # "AGMM"
_ROLLBACK_JOURNAL = 1
_BUSY_TIMEOUT_MS = 60_000
_CHECKPOINT_TIMEOUT_MS = 200
_CACHE_KIB = 65_536


class SqliteDatabase:
    """Transactions on one SQLite file, or on memory where `path` is None.

    The file has one writer at a time, so the namespaces that `parts.Database` names do not matter here.
    """

    def __init__(self, path: Path | None, key: SecretKey | None = None) -> None:
        self.path = path
        self._pid = os.getpid()
        self._write_lock = threading.Lock()
        self._driver: ModuleType = sqlite3
        self._file_key: cipher.FileKey | None = None
        if path is not None and key is not None:
            self._driver = cipher.driver()
            with self._translated():
                self._file_key = _unlock(path, key)
        elif path is not None:
            _check_file(path)
        self._engine = self._create_engine()

    @property
    def is_encrypted(self) -> bool:
        """Whether what is written to disk is encrypted."""
        return self._file_key is not None

    @property
    def file_key(self) -> cipher.FileKey | None:
        """What encrypts the file."""
        return self._file_key

    @property
    def url(self) -> str:
        """The file as a URL."""
        return "sqlite://" if self.path is None else store_url(self.path)

    @contextmanager
    def read(self, namespace: Namespace | None = None) -> Iterator[Connection]:
        """A consistent snapshot; raises `StoreError` and its kin."""
        if self.path is None:
            # memory has one connection, so readers take turns with writers
            with self._write_lock, self._transaction("BEGIN") as connection:
                yield connection
        else:
            with self._transaction("BEGIN") as connection:
                yield connection

    @contextmanager
    def write(self, namespace: Namespace | None = None, *, alone: bool = True) -> Iterator[Connection]:
        """The only writer; committed and synced on exit, rolled back on any exception."""
        with self._write_lock, self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def tidy(self, *, vacuum: bool = False) -> None:
        """Overwrite removed terms, then fold the write-ahead log into the file; `vacuum` also makes it smaller.

        What another process's long read or write keeps from being done now is done by the next call.
        """
        with self.read() as connection:
            asked = fts5.scrub_asked(connection)
        if asked is not None:
            self._scrub()
        overwritten = self.path is None or self._checkpoint(vacuum=vacuum)
        if asked is not None and overwritten:
            with self.write() as connection:
                fts5.scrub_done(connection, asked)

    def _scrub(self) -> None:
        first = more = True
        while more:
            with self.write() as connection:
                more = fts5.scrub_step(connection, first=first)
            first = False
            point("scrub.step_committed")

    def _checkpoint(self, *, vacuum: bool) -> bool:
        """Fold the write-ahead log into the file; whether it is now empty."""
        with self._write_lock, self._translated(), self._ready_engine().connect() as connection:
            raw = connection.connection.dbapi_connection
            assert raw is not None
            cursor = raw.cursor()
            if vacuum:
                cursor.execute("VACUUM")
                point("checkpoint.vacuumed")
            cursor.execute(f"PRAGMA busy_timeout = {_CHECKPOINT_TIMEOUT_MS}")
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
        point("checkpoint.done")
        return not busy

    def faults(self) -> list[str]:
        """What SQLite's own integrity check finds wrong; empty when all is well."""
        with self.read() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check").scalars().all()
        return [str(line) for line in found if line != "ok"]

    def close(self) -> None:
        """Release every connection."""
        self._engine.dispose()

    def size_bytes(self) -> int:
        """Bytes of the file and its write-ahead log; of the pages, in memory."""
        if self.path is None:
            with self.read() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                return int(pages * connection.exec_driver_sql("PRAGMA page_size").scalar_one())
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Connection]:
        with (
            self._translated(),
            self._ready_engine().connect().execution_options(agentmem_begin=begin) as connection,
            connection.begin(),
        ):
            yield connection

    def _ready_engine(self) -> Engine:
        if os.getpid() != self._pid:
            # SQLite connections must not cross a fork
            self._pid = os.getpid()
            self._write_lock = threading.Lock()
            if self.path is not None:
                self._engine.dispose(close=False)
        return self._engine

    def _create_engine(self) -> Engine:
        if self.path is None:
            engine = create_engine(
                "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        else:
            engine = create_engine(
                "sqlite://",
                module=self._driver,
                creator=self._connect,
                poolclass=QueuePool,
                pool_size=8,
                max_overflow=56,
            )
        event.listen(engine, "connect", _configure)
        event.listen(engine, "begin", _begin)
        return engine

    def _connect(self) -> Any:
        if self.path is not None and self._file_key is not None:
            return cipher.connect(self.path, self._file_key)
        return sqlite3.connect(str(self.path), check_same_thread=False)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self._explain(error.orig or error) from error
        except self._driver.Error as error:
            raise self._explain(error) from error

    def _explain(self, error: BaseException) -> StoreError:
        message = str(error).lower()
        where = str(self.path or ":memory:")
        if "readonly" in message or "read-only" in message:
            return ReadOnlyStoreError(
                f"{where} cannot be written: check the file's and its folder's permissions"
            )
        if "full" in message or "disk i/o" in message:
            return StoreFullError(
                f"{where}: the disk is full or failing ({error}); nothing acknowledged is lost. Free space, "
                "then try again"
            )
        if "locked" in message or "busy" in message:
            return StoreBusyError(
                f"{where}: another process held the write lock for over {_BUSY_TIMEOUT_MS // 1000} s; find it "
                "(lsof) or try again"
            )
        if "not a database" in message or "malformed" in message:
            return NotADatabaseError(
                f"{where} is damaged or not an agentmem database ({error}); restore an export, or try "
                "`sqlite3 FILE .recover`"
            )
        if "unable to open" in message:
            return StoreError(f"cannot open {where}: the folder must exist and be writable ({error})")
        return StoreError(f"{where}: {error}")


def _configure(connection: Any, _record: Any) -> None:
    # we issue BEGIN ourselves: the driver's own would take no write lock and so could fail half-way
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("agentmem_begin", "BEGIN"))


def _check_file(path: Path) -> None:
    """Refuse what is there and is not ours, before anything touches it."""
    try:
        if path.is_dir():
            raise NotADatabaseError(f"{path} is a folder; give a file, such as {path / 'agent.db'}")
        if not path.exists() or path.stat().st_size == 0:
            path.parent.mkdir(parents=True, exist_ok=True)
            return
        with path.open("rb") as file:
            header = file.read(100)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot open {path}: {error}") from error
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        cipher.refuse_without_key(path)
    # offset 68 of the SQLite header; still 0 where a crash came before the first checkpoint
    owner = int.from_bytes(header[68:72], "big")
    if owner not in (0, APPLICATION_ID):
        raise NotADatabaseError(f"{path} belongs to another application; give another file name")
    # ours are in WAL mode from their first page on, and switching a stranger's over would change it
    if owner == 0 and header[18] == _ROLLBACK_JOURNAL and _has_tables(path):
        raise NotADatabaseError(f"{path} is another application's SQLite database; give another file name")


def _unlock(path: Path, key: SecretKey) -> cipher.FileKey:
    try:
        return cipher.unlock(path, key)
    except OSError as error:
        raise StoreError(f"cannot open {path}: {error}") from error


def _has_tables(path: Path) -> bool:
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro&immutable=1", uri=True)
        try:
            return connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise NotADatabaseError(f"{path} is damaged or not an agentmem database ({error})") from error
