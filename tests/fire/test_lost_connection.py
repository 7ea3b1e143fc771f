"""A connection lost between calls is made anew; one lost within a write is a clear error, and no half of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from postgres_server import Server, name_of

from agentmem import AsyncMemory, Memory
from agentmem.errors import StoreUnreachableError
from agentmem.faults import handled

TURN = {"id": "e1", "content": "I adopted a cat."}


@pytest.fixture
def lose(postgres: Server, postgres_url: str) -> Callable[[], object]:
    """Ends every session of the store's database, as a restart or a failover does."""
    return lambda: postgres.sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        f"WHERE datname = '{name_of(postgres_url)}'"
    )


def at(step: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Does it once, when this step is passed."""
    left = [step]

    def handler(name: str) -> None:
        if name in left:
            left.remove(name)
            act()

    return handler


def test_a_connection_lost_between_calls_is_made_anew(postgres_url: str, lose: Callable[[], object]) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        memory.remember(TURN)
        memory.recall("cat")

        lose()

        assert memory.recall("cat").items[0].id == "e1"
        assert memory.remember({"id": "e2", "content": "I adopted a dog."}).added == 1


def test_a_connection_lost_within_a_write_is_told_and_leaves_nothing(
    postgres_url: str, lose: Callable[[], object]
) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        with (
            handled(at("remember.events_added", lose)),
            pytest.raises(StoreUnreachableError, match="undone, try again"),
        ):
            memory.remember(TURN)

        assert memory.events() == []
        assert memory.remember(TURN).added == 1
        assert memory.check(deep=True) == []


def test_a_connection_lost_while_committing_is_told_as_what_may_be_stored(
    postgres_url: str, lose: Callable[[], object]
) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        with (
            handled(at("remember.seqs_counted", lose)),
            pytest.raises(StoreUnreachableError, match="stored or undone, as a whole"),
        ):
            memory.remember(TURN)

        memory.remember(TURN)
        assert [event.id for event in memory.events()] == ["e1"]


def test_a_connection_lost_within_a_read_is_told(
    postgres_url: str, lose: Callable[[], object], tmp_path: Path
) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory:
        memory.remember(TURN)

        with (
            handled(at("export.records_written", lose)),
            pytest.raises(StoreUnreachableError, match="try again"),
        ):
            memory.export(tmp_path / "never.zip")

        assert list(tmp_path.iterdir()) == []
        assert [event.id for event in memory.events()] == ["e1"]


def test_a_connection_lost_while_vacuuming_is_told_and_nothing_else_is_said(
    postgres: Server, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    def end_the_one_that_waits() -> None:
        while not postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted"):
            pass

    with Memory(postgres_url, embedder="hash-16") as memory, ThreadPoolExecutor(1) as thread:
        memory.remember(TURN)
        with postgres.locked("agentmem.events", database=name_of(postgres_url)):
            thread.submit(end_the_one_that_waits)
            with pytest.raises(StoreUnreachableError, match="try again"):
                memory.forget(ids=[], vacuum=True)

        assert memory.get("e1")
        assert caplog.records == []


def test_it_is_the_same_on_an_event_loop(postgres_url: str, lose: Callable[[], object]) -> None:
    async def story() -> list[str]:
        async with AsyncMemory(postgres_url, embedder="hash-16") as memory:
            await memory.recall("cat")
            with (
                handled(at("remember.events_added", lose)),
                pytest.raises(StoreUnreachableError, match="undone, try again"),
            ):
                await memory.remember(TURN)
            await memory.remember({"id": "e2", "content": "I adopted a dog."})
            return [event.id for event in await memory.events()]

    assert asyncio.run(asyncio.wait_for(story(), 60)) == ["e2"]


def test_closing_is_no_error_where_the_server_is_gone(
    postgres: Server, postgres_url: str, lose: Callable[[], object]
) -> None:
    memory = Memory(postgres_url, embedder="hash-16")
    memory.remember(TURN)
    postgres.sql(f"ALTER DATABASE {name_of(postgres_url)} ALLOW_CONNECTIONS false")
    lose()

    memory.close()

    with pytest.raises(StoreUnreachableError):
        Memory(postgres_url, embedder="hash-16")


def test_a_server_that_is_not_there_is_told_with_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(StoreUnreachableError, match="check that the server runs"):
        Memory(f"postgresql://postgres@/nowhere?host={tmp_path}", embedder="hash-16")
