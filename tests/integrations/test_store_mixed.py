"""Synchronous and asynchronous calls side by side: on one event loop, on several, from threads, from two stores."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from postgres_server import Server, name_of

from agentmem import Memory
from agentmem.errors import ClosedError

DOCS = ("docs",)
INDEX = {"embed": "hash-16"}


async def until(happened: Callable[[], Any]) -> None:
    """Let the loop go on until something is so."""
    while not happened():
        await asyncio.sleep(0.001)


def test_synchronous_calls_work_on_an_event_loop_beside_asynchronous_ones(place: Any) -> None:
    async def use() -> list[str]:
        with AgentMemStore(place, index=INDEX) as store:
            under_way = [asyncio.create_task(store.aput(DOCS, f"a{n}", {"n": n})) for n in range(5)]
            await asyncio.sleep(0)
            for n in range(5):
                store.put(DOCS, f"s{n}", {"n": n})
                store.search(DOCS, query="n")
            await asyncio.gather(*under_way)
            return sorted(item.key for item in await store.asearch(DOCS, query="n", limit=20))

    assert asyncio.run(use()) == [f"{kind}{n}" for kind in "as" for n in range(5)]


def test_one_store_serves_one_event_loop_after_the_other(place: Any) -> None:
    with AgentMemStore(place) as store:
        asyncio.run(store.aput(DOCS, "a", {"n": 1}))

        assert asyncio.run(store.aget(DOCS, "a")).value == {"n": 1}


def test_one_store_serves_event_loops_of_several_threads_at_once(place: Any) -> None:
    async def write(store: AgentMemStore, name: str) -> None:
        for n in range(10):
            await store.aput(DOCS, f"{name}{n}", {"text": f"number {n}"})
            await store.asearch(DOCS, query="number")

    with AgentMemStore(place, index=INDEX) as store:
        threads = [threading.Thread(target=lambda n=n: asyncio.run(write(store, n))) for n in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        assert len(store.search(DOCS, query="number", limit=100)) == 30


def test_what_times_out_is_read_by_many_while_others_write_and_none_waits_for_ever(place: Any) -> None:
    async def use() -> int:
        async with AgentMemStore(place, ttl={"default_ttl": 5}) as store:
            for n in range(10):
                await store.aput(DOCS, str(n), {"n": 0})
            await asyncio.gather(
                *(store.asearch(DOCS) for _ in range(10)),
                *(store.aput(DOCS, str(9 - n), {"n": 1}) for n in range(10)),
                *(store.asearch(DOCS, query="1") for _ in range(10)),
            )
            return sum(item.value["n"] for item in await store.asearch(DOCS))

    assert asyncio.run(asyncio.wait_for(use(), 60)) == 10


def test_two_sweeps_at_once_remove_everything_once(place: Any) -> None:
    with AgentMemStore(place) as one, AgentMemStore(place) as other:
        for n in range(30):
            one.put(DOCS, str(n), {}, ttl=None if n == 7 else 0)
        swept: list[int] = []
        threads = [threading.Thread(target=lambda s=s: swept.append(s.sweep_ttl())) for s in (one, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

        # each put also sweeps what had expired before it, so one item is left to sweep at most
        assert sum(swept) <= 1
        assert [item.key for item in one.search(DOCS)] == ["7"]


def test_asynchronous_calls_on_postgresql_share_one_thread_whatever_their_number(
    emptied_database: str,
) -> None:
    async def use() -> set[str]:
        before = set(threading.enumerate())
        async with AgentMemStore(emptied_database) as store:
            await asyncio.gather(*(store.aput(DOCS, str(n), {"n": n}) for n in range(30)))
            await asyncio.gather(*(store.aget(DOCS, str(n)) for n in range(100)))
            return {thread.name for thread in set(threading.enumerate()) - before}

    assert asyncio.run(use()) == {"agentmem-items"}


def test_a_closed_store_leaves_no_thread_and_no_connection(
    postgres: Server, items_database: str, emptied_database: str
) -> None:
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'items'"

    async def use() -> None:
        store = AgentMemStore(emptied_database)
        await store.aput(DOCS, "a", {})
        store.close()
        await until(lambda: postgres.sql(sessions) == [(0,)])

    asyncio.run(asyncio.wait_for(use(), 60))

    assert "agentmem-items" not in {thread.name for thread in threading.enumerate()}


def test_a_cancelled_call_is_undone_and_gives_its_connection_back(
    postgres: Server, items_database: str, emptied_database: str
) -> None:
    async def use() -> list[str]:
        async with AgentMemStore(emptied_database.replace("pool=5", "pool=1")) as store:
            with postgres.locked("agentmem.items", database=items_database) as release:
                waiting = asyncio.create_task(store.aput(DOCS, "never", {}))
                await until(lambda: postgres.sql("SELECT 1 FROM pg_locks WHERE NOT granted"))
                waiting.cancel()
                await asyncio.wait([waiting])
                release()
            await store.aput(DOCS, "next", {})
            return [item.key for item in await store.asearch(DOCS)]

    assert asyncio.run(asyncio.wait_for(use(), 60)) == ["next"]


def test_a_call_that_waits_for_a_closing_store_is_told_so(
    postgres: Server, items_database: str, emptied_database: str
) -> None:
    async def use() -> None:
        store = AgentMemStore(emptied_database)
        with postgres.locked("agentmem.items", database=items_database) as release:
            waiting = asyncio.create_task(store.aput(DOCS, "late", {}))
            await until(lambda: postgres.sql("SELECT 1 FROM pg_locks WHERE NOT granted"))
            store.close()
            release()
            await waiting

    with pytest.raises(ClosedError, match="closed while this call waited"):
        asyncio.run(asyncio.wait_for(use(), 60))


def test_items_and_events_on_postgresql_are_written_without_waiting_for_each_other(
    postgres: Server, postgres_url: str
) -> None:
    with Memory(postgres_url, embedder="hash-16") as memory, AgentMemStore(memory) as store:
        with postgres.locked("agentmem.events", database=name_of(postgres_url)):
            waiting = threading.Thread(target=lambda: memory.remember("waits for the lock"))
            waiting.start()
            while not postgres.sql("SELECT 1 FROM pg_locks WHERE NOT granted"):
                pass

            store.put(DOCS, "meanwhile", {})

            assert waiting.is_alive()
        waiting.join(60)
        assert memory.stats().events == 1


def test_asynchronous_puts_of_one_key_take_effect_in_the_order_of_the_calls(place: Any) -> None:
    async def use() -> list[Any]:
        async with AgentMemStore(place) as store:
            await asyncio.gather(
                *(store.aput(DOCS, str(n % 5), {"n": n}) for n in range(50)),
                *(store.adelete(DOCS, str(n)) for n in range(5)),
                *(store.aput(DOCS, str(n), {"n": 100 + n}) for n in range(4)),
            )
            return [(item.key, item.value["n"]) for item in await store.asearch(DOCS)]

    assert sorted(asyncio.run(use())) == [("0", 100), ("1", 101), ("2", 102), ("3", 103)]


def test_the_order_holds_where_an_earlier_put_takes_longer_to_embed(place: Any) -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        for _ in range(50 if "slow" in texts[0] else 0):
            await asyncio.sleep(0)
        return [[1.0, 0.0]] * len(texts)

    async def use() -> Any:
        async with AgentMemStore(place, index={"dims": 2, "embed": embed, "fields": ["text"]}) as store:
            await asyncio.gather(
                store.aput(DOCS, "one", {"text": "slow"}), store.aput(DOCS, "one", {"text": "fast"})
            )
            return (await store.aget(DOCS, "one")).value

    assert asyncio.run(use()) == {"text": "fast"}


def test_a_put_that_is_cancelled_while_it_waits_lets_no_later_one_go_first(place: Any) -> None:
    async def use() -> list[str]:
        async with AgentMemStore(place) as store:
            calls = [asyncio.create_task(store.aput(DOCS, "one", {"by": str(n)})) for n in range(3)]
            await asyncio.sleep(0)
            calls[1].cancel()
            await asyncio.wait(calls)
            return [(await store.aget(DOCS, "one")).value["by"]]

    assert asyncio.run(use()) == ["2"]


def test_an_embedder_may_use_the_store_it_embeds_for(place: Any) -> None:
    stores: list[AgentMemStore] = []

    async def embed(texts: list[str]) -> list[list[float]]:
        await stores[0].aput(("cache",), texts[0], {"n": 1}, index=False)
        return [[1.0, 0.0]] * len(texts)

    async def use() -> list[tuple[str, ...]]:
        async with AgentMemStore(place, index={"dims": 2, "embed": embed, "fields": ["text"]}) as store:
            stores.append(store)
            await store.aput(DOCS, "one", {"text": "red"})
            return await store.alist_namespaces()

    assert asyncio.run(asyncio.wait_for(use(), 60)) == [("cache",), DOCS]


def test_puts_that_wait_at_one_time_are_committed_together(database: Path) -> None:
    async def use() -> list[str]:
        async with AgentMemStore(database) as store:
            await asyncio.gather(*(store.aput(DOCS, f"{n:03}", {"n": n}) for n in range(300)))
            return [item.key for item in await store.asearch(DOCS, limit=1_000)]

    found = asyncio.run(use())

    connection = sqlite3.connect(database)
    commits = connection.execute("SELECT version FROM item_state").fetchone()[0]
    connection.close()
    assert found == [f"{n:03}" for n in range(300)]
    assert commits <= 3


def test_of_puts_committed_together_only_the_one_to_blame_fails(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = import_module("agentmem.stores.item_rows")
    put = rows.put

    def fail(connection: Any, puts: Any, write: Any) -> None:
        if any(op.key == "bad" for op in puts):
            raise RuntimeError("the disk is gone")
        put(connection, puts, write)

    monkeypatch.setattr(rows, "put", fail)

    async def use() -> tuple[list[Any], list[str]]:
        async with AgentMemStore(place) as store:
            calls = [store.aput(DOCS, key, {}) for key in ("a", "bad", "c")]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            return answers, [item.key for item in await store.asearch(DOCS)]

    answers, found = asyncio.run(use())

    assert [str(answer) for answer in answers] == ["None", "the disk is gone", "None"]
    assert found == ["a", "c"]


def test_a_put_that_is_cancelled_takes_none_with_it_that_was_to_be_committed_together(place: Any) -> None:
    async def use() -> list[str]:
        async with AgentMemStore(place) as store:
            calls = [asyncio.create_task(store.aput(DOCS, key, {})) for key in ("a", "b", "c")]
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            calls[1].cancel()
            await asyncio.wait(calls)
            assert [call.cancelled() for call in calls] == [False, True, False]
            return [item.key for item in await store.asearch(DOCS) if item.key != "b"]

    assert asyncio.run(asyncio.wait_for(use(), 60)) == ["a", "c"]
