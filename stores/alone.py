"""A SQLite file to ourselves: nobody else has it open, and nobody can open it meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from agentmem.errors import StoreBusyError

from . import cipher

_PATIENCE_MS = 1000


@contextmanager
def alone(path: Path, key: cipher.FileKey | None) -> Iterator[Any]:
    """The only connection to a database, all of it in one file; nobody can open another until it is closed.

    Raises:
        StoreBusyError: it is open elsewhere.
    """
    # the library that others in this process would use: locks of two libraries do not see each other
    opened: Any = sqlite3.connect(str(path)) if key is None else cipher.connect(path, key)
    errors = sqlite3.OperationalError if key is None else cipher.driver().OperationalError
    with closing(opened) as connection:
        connection.isolation_level = None
        try:
            connection.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}").close()
            connection.execute("PRAGMA locking_mode = EXCLUSIVE").close()
            (mode,) = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
            connection.execute("BEGIN EXCLUSIVE").close()
            connection.execute("COMMIT").close()
        except errors as error:
            raise StoreBusyError(
                f"{path} is open elsewhere; close it there and try again ({error})"
            ) from error
        if mode != "delete":
            raise StoreBusyError(f"{path} is open elsewhere; close it there and try again")
        yield connection
