"""`AsyncMemory` on PostgreSQL awaits the driver: many calls wait at once, and no thread waits for any of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest
from postgres_server import NewDatabase, Server, name_of

from agentmem import AsyncMemory, Memory
from agentmem.errors import ClosedError, InvalidInputError

EMBEDDING = "agentmem-embed"


def run(task: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(task, timeout=120))


def test_every_verb_works_as_a_coroutine(postgres_url: str, tmp_path: Any) -> None:
    async def story() -> list[object]:
        async with AsyncMemory(postgres_url, embedder="hash", llm=str.upper) as memory:
            await memory.remember({"id": "e1", "content": "I adopted a cat."}, session="s1")
            note = await memory.note("Alice has a cat", sources=["e1"])
            found = await memory.recall("cat", budget_tokens=300, k=2)
            view = await memory.namespace("other")
            await view.remember("elsewhere")
            return [
                set(found.source_ids),
                (await memory.get("e1")).id,
                [event.id for event in await memory.events(session="s1")],
                [kept.id for kept in await memory.notes()] == [note],
                [entry.action for entry in await memory.history("e1")],
                (await memory.stats()).events,
                await memory.namespaces(),
                await memory.reindex(embedder="hash-64"),
                (await memory.export(tmp_path / "out.zip")).events,
                (await memory.import_(tmp_path / "out.zip")).events,
                await memory.check(deep=True),
                await memory.rebuild(),
                (await memory.episodes(), await memory.entities("Alice")),
                (await memory.refine()).asked,
                (await memory.forget(ids=["e1"])).event_ids,
            ]

    assert run(story()) == [
        {"e1"},
        "e1",
        ["e1"],
        True,
        ["remembered"],
        1,
        [("default",), ("other",)],
        3,
        1,
        0,
        [],
        1,
        ([], []),
        0,
        ("e1",),
    ]


def test_a_hundred_recalls_wait_at_once_over_four_connections_without_a_thread_each(
    new_database: NewDatabase,
) -> None:
    async def story() -> tuple[set[int], set[str]]:
        before = set(threading.enumerate())
        async with AsyncMemory(new_database(pool=4), embedder="hash-64") as memory:
            await memory.remember([f"cat number {number}" for number in range(20)])
            answers = await asyncio.gather(
                *(memory.recall("cat", budget_tokens=100, k=1) for _ in range(100))
            )
            started = {thread.name.rpartition("_")[0] for thread in set(threading.enumerate()) - before}
            return {len(answer.items) for answer in answers}, started

    found, threads = run(story())

    assert found == {1}
    assert threads == {EMBEDDING}


def test_the_loop_goes_on_while_the_server_makes_a_call_wait(postgres: Server, postgres_url: str) -> None:
    async def story() -> list[str]:
        order: list[str] = []
        async with AsyncMemory(postgres_url, embedder="hash-16") as memory:
            await memory.remember("hello")
            with postgres.locked("agentmem.events", database=name_of(postgres_url)) as release:

                async def write() -> None:
                    await memory.remember("waits for the lock")
                    order.append("written")

                waiting = asyncio.create_task(write())
                while not postgres.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0)
                order.append("the loop is free")
                release()
                await waiting
        return order

    assert run(story()) == ["the loop is free", "written"]


def test_writes_and_recalls_of_many_namespaces_run_at_once(postgres_url: str) -> None:
    async def story() -> list[int]:
        async with AsyncMemory(postgres_url, embedder="hash-16") as memory:
            views = [await memory.namespace("user", str(number)) for number in range(5)]
            await asyncio.gather(
                *(
                    view.remember({"id": str(turn), "content": f"turn {turn}"})
                    for view in views
                    for turn in range(8)
                ),
                *(view.recall("turn", budget_tokens=100) for view in views for _ in range(8)),
            )
            return [(await view.stats()).events for view in views]

    assert run(story()) == [8, 8, 8, 8, 8]


def test_a_cancelled_call_gives_its_connection_back(postgres: Server, new_database: NewDatabase) -> None:
    url = new_database(pool=1)

    async def story() -> str:
        async with AsyncMemory(url, embedder="hash-16") as memory:
            await memory.remember({"id": "e1", "content": "hello"})
            with postgres.locked("agentmem.events", database=name_of(url)) as release:
                waiting = asyncio.create_task(memory.remember("never stored"))
                while not postgres.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                    await asyncio.sleep(0)
                waiting.cancel()
                await asyncio.wait([waiting])
                release()
            return ",".join(event.id for event in await memory.events())

    assert run(story()) == "e1"


def test_without_pgvector_calls_run_in_threads(new_database: NewDatabase) -> None:
    async def story() -> str:
        async with AsyncMemory(new_database(empty=True, pgvector="off"), embedder="hash-16") as memory:
            assert memory._bridge is None
            await memory.remember({"id": "e1", "content": "I adopted a cat."})
            return (await memory.recall("cat")).items[0].id

    assert run(story()) == "e1"


def test_an_export_is_restored(postgres_url: str, tmp_path: Any) -> None:
    with Memory(tmp_path / "a.db", embedder="hash") as memory:
        memory.remember({"id": "e1", "content": "hello"})
        memory.export(tmp_path / "out.zip")

    async def story() -> str:
        async with await AsyncMemory.restore(tmp_path / "out.zip", postgres_url) as restored:
            return (await restored.get("e1")).id

    assert run(story()) == "e1"


def test_errors_are_those_of_memory(postgres_url: str) -> None:
    async def story() -> None:
        async with AsyncMemory(postgres_url, embedder="hash") as memory:
            await memory.remember("  ")

    with pytest.raises(InvalidInputError, match="content is empty"):
        run(story())


def test_a_closed_one_says_so(postgres_url: str) -> None:
    async def story() -> None:
        memory = AsyncMemory(postgres_url, embedder="hash")
        await memory.remember("hello")
        await memory.close()
        await memory.recall("hello")

    with pytest.raises(ClosedError):
        run(story())
