"""`AgentMemStore` as LangGraph's published tests take their stores: made empty, each on a database of its own."""

from __future__ import annotations

import atexit
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from sqlalchemy import text
from throwaway_postgres import ThrowawayServer, throwaway_server

from agentmem.core import open_store
from agentmem.registry import load

_AgentMemStore: Any = load("integrations", "langgraph")
_FOLDER = tempfile.TemporaryDirectory(prefix="published-")


def ttl(minutes: float) -> dict[str, Any]:
    """The settings that PostgresStore's tests make their stores with."""
    return {"default_ttl": minutes, "refresh_on_read": True, "sweep_interval_minutes": minutes / 2}


@cache
def _server() -> ThrowawayServer:
    made = throwaway_server(fsync="off", synchronous_commit="off", autovacuum="off")
    server = made.__enter__()
    atexit.register(made.__exit__, None, None, None)
    server.sql("CREATE DATABASE ready")
    open_store(server.url("ready", partitions=2)).close()
    return server


def _place(file: str = "") -> str:
    name = f"d{uuid4().hex}"
    if os.environ["PUBLISHED_DATABASE"] == "postgresql":
        _server().sql(f"CREATE DATABASE {name} TEMPLATE ready")
        return _server().url(name, partitions=2, pool=5)
    return f"sqlite:///{file if file and file != ':memory:' else Path(_FOLDER.name, name)}"


def _index(given: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    fields = given.get("fields") or given.get("text_fields")
    return {"dims": given["dims"], "embed": given["embed"]} | ({"fields": fields} if fields else {})


class _Cursor:
    """The few statements with which the tests put an item's times back, on our tables."""

    def __init__(self, items: Any) -> None:
        self._database = getattr(items, "_plain", items)._database
        self._row: dict[str, Any] = {}

    def execute(self, sql: str, given: tuple[Any, ...]) -> None:
        *ago, prefix, key = given
        now = int(datetime.now(UTC).timestamp() * 1e6)
        path = json.dumps(prefix.split("."), separators=(",", ":"), ensure_ascii=False)
        where = "FROM items WHERE path = :path AND key = :key"
        if sql.startswith("UPDATE"):
            column, moment = (
                ("updated_at", now - int(ago[0] * 1e6)) if ago else ("expires_at", now - 60_000_000)
            )
            statement = text(f"UPDATE items SET {column} = {moment} {where.removeprefix('FROM items ')}")
            with self._database.write(alone=False) as connection:
                connection.execute(statement, {"path": path, "key": key})
            return
        with self._database.read() as connection:
            wanted = "COUNT(*) AS n" if "COUNT" in sql else "expires_at"
            found = connection.execute(text(f"SELECT {wanted} {where}"), {"path": path, "key": key})
            self._row = dict(found.mappings().one())

    def fetchone(self) -> dict[str, Any]:
        return self._row


class _AsyncCursor:
    def __init__(self, items: Any) -> None:
        self._cursor = _Cursor(items)

    async def execute(self, sql: str, given: tuple[Any, ...]) -> None:
        self._cursor.execute(sql, given)

    async def fetchone(self) -> dict[str, Any]:
        return self._cursor.fetchone()


class InMemory(_AgentMemStore):  # type: ignore[misc]
    """In the place of `InMemoryStore`."""

    def __init__(self, *, index: Mapping[str, Any] | None = None) -> None:
        super().__init__(_place(), index=_index(index))


class Synchronous(_AgentMemStore):  # type: ignore[misc]
    """In the place of `SqliteStore` and `PostgresStore`."""

    @classmethod
    def from_conn_string(cls, conn_string: str, *, index: Any = None, ttl: Any = None, **_: Any) -> Self:
        return cls(_place(conn_string), index=_index(index), ttl=ttl)

    @contextmanager
    def _cursor(self) -> Iterator[_Cursor]:
        yield _Cursor(self._items)


class Asynchronous(Synchronous):
    """In the place of `AsyncSqliteStore` and `AsyncPostgresStore`, whose twins are not named otherwise."""

    def __init__(self, place: str, **options: Any) -> None:
        super().__init__(place, **options)
        self._sweeper._sweep = partial(_AgentMemStore.sweep_ttl, self)

    async def setup(self) -> None:  # type: ignore[override]
        _AgentMemStore.setup(self)

    async def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Any:
        return _AgentMemStore.start_ttl_sweeper(self, sweep_interval_minutes)

    async def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        return bool(_AgentMemStore.stop_ttl_sweeper(self, timeout))

    async def sweep_ttl(self) -> int:  # type: ignore[override]
        return int(_AgentMemStore.sweep_ttl(self))

    @asynccontextmanager
    async def _cursor(self) -> AsyncIterator[_AsyncCursor]:  # type: ignore[override]
        yield _AsyncCursor(self._items)
