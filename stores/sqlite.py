"""The embedded store: one SQLite file, with FAISS indexes beside it as a cache."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import insert, inspect

from agentmem.config import scheme_of, sqlite_file
from agentmem.errors import ArchiveError, InvalidInputError, NotADatabaseError, StoreBusyError
from agentmem.faults import point
from agentmem.keys import SecretKey
from agentmem.types import ArchiveReport, Namespace

from . import counts, file_key, migrate, schema, scrub
from .alone import alone
from .blobs import Blobs, LocalBlobs, RamBlobs
from .database import APPLICATION_ID, SqliteDatabase
from .faiss_index import VectorIndexes
from .fts5 import Fts5Search
from .sql import SqlStore

_OURS = {"alembic_version", "meta", "namespaces"}


def open_sqlite(url: str, key: SecretKey | None = None) -> SqliteStore:
    """The store at `sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for memory.

    With a key the file is encrypted; memory, which is never written to disk, needs none.
    """
    if "://" not in url or scheme_of(url) != "sqlite":
        raise InvalidInputError(f"not a SQLite URL: {url!r}; write sqlite:///agent.db")
    return SqliteStore(sqlite_file(url), key)


class SqliteStore(SqlStore):
    """The SQL store in one file, or in memory where `path` is None."""

    def __init__(self, path: Path | None, key: SecretKey | None = None) -> None:
        self.path = path
        self._sqlite = database = SqliteDatabase(path, key)
        try:
            self._made = _migrate(database)
            with database.read() as connection:
                store_id = counts.meta(connection, schema.STORE_ID) or ""
                sealing = file_key.read(connection).sealing
            folder = None if path is None else path.with_name(path.name + ".index")
            indexes = VectorIndexes(folder, store_id, partial(counts.state, database), sealing)
            super().__init__(database, Fts5Search(), indexes)
        except BaseException:
            database.close()
            raise

    def _own_blobs(self) -> Blobs:
        return (
            RamBlobs() if self.path is None else LocalBlobs(self.path.with_name(self.path.name + ".latents"))
        )

    def discard(self) -> None:
        self.close()
        if self.path is None or not self._made:
            return
        # where another process has opened it meanwhile, it is that one's now
        with suppress(StoreBusyError), alone(self.path, self._sqlite.file_key) as connection:
            if _is_unused(connection):
                with self.path.open("rb+") as file:
                    self.path.unlink()
                    # who waits for the lock finds no database, and cannot write into the void
                    scrub.overwrite(file)
                for kind in (".index", ".latents"):
                    shutil.rmtree(self.path.with_name(self.path.name + kind), ignore_errors=True)

    def export(
        self, path: Path, namespace: Namespace | None, *, progress: Callable[[int, int], None] | None = None
    ) -> ArchiveReport:
        if self.path is not None and path.resolve() == self.path.resolve():
            raise ArchiveError(f"{path} is the database itself; give the export another file name")
        return super().export(path, namespace, progress=progress)


def _is_unused(connection: Any) -> bool:
    found = "SELECT 1 FROM namespaces UNION ALL SELECT 1 FROM items LIMIT 1"
    return connection.execute(found).fetchone() is None


def _migrate(database: SqliteDatabase) -> bool:
    """Bring the file up to date; whether there was nothing in it."""
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
        # another application may well use Alembic, too
        if tables and not set(tables) >= _OURS:
            raise NotADatabaseError(
                f"{database.path} is another application's SQLite database; give another file name"
            )
        if tables and migrate.current_revision(connection) == migrate.HEAD:
            # a plain database has no file keys; an encrypted one gets them with its tables
            return False
    with database.write() as connection:
        point("migrate.locked")
        migrate.upgrade(connection)
        point("migrate.upgraded")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        point("migrate.signed")
        if counts.meta(connection, schema.STORE_ID) is None:
            connection.execute(insert(schema.meta).values(key=schema.STORE_ID, value=uuid.uuid4().hex))
            point("migrate.named")
        if database.is_encrypted:
            file_key.ensure(connection)
    point("migrate.committed")
    return not tables
