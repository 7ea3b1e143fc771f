"""Time to live: in minutes, refreshed by reading where wanted, and hidden from the moment it is over."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from integrations.conftest import Open
from langgraph.store.base import GetOp, PutOp, SearchOp
from postgres_server import Server, name_of

from agentmem.clock import ManualClock
from agentmem.errors import InvalidInputError, ReadOnlyStoreError

NOTES = ("notes",)


def test_a_store_says_that_it_supports_ttl() -> None:
    assert AgentMemStore.supports_ttl


def test_an_item_is_there_until_its_minutes_are_over_and_then_nowhere(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "short", {"text": "soon gone"}, ttl=0.5)
    clock.advance(timedelta(seconds=29.9))
    assert store.get(NOTES, "short", refresh_ttl=False) is not None

    clock.advance(timedelta(seconds=0.1))

    assert store.get(NOTES, "short") is None
    assert store.search(NOTES) == []
    assert store.search(NOTES, query="gone") == []
    assert store.search(NOTES, filter={"text": "soon gone"}) == []
    assert store.list_namespaces() == []


def test_fractions_of_a_second_count(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "short", {}, ttl=0.001)
    clock.advance(timedelta(milliseconds=59))
    there = store.get(NOTES, "short", refresh_ttl=False)
    clock.advance(timedelta(milliseconds=2))

    assert there is not None
    assert store.get(NOTES, "short") is None


def test_without_ttl_an_item_stays(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "long", {})
    clock.advance(timedelta(days=36_500))

    assert store.get(NOTES, "long") is not None


@pytest.mark.parametrize(
    "read", [lambda s: s.get(NOTES, "x"), lambda s: s.search(NOTES), lambda s: s.search((), query="x")]
)
def test_reading_starts_the_time_anew(store: Any, clock: ManualClock, read: Any) -> None:
    store.put(NOTES, "x", {"text": "x"}, ttl=1)
    clock.advance(timedelta(seconds=40))
    read(store)
    clock.advance(timedelta(seconds=40))

    assert store.get(NOTES, "x") is not None


@pytest.mark.parametrize(
    "read",
    [
        lambda s: s.get(NOTES, "x", refresh_ttl=False),
        lambda s: s.search(NOTES, refresh_ttl=False),
        lambda s: s.batch([GetOp(NOTES, "x", False), SearchOp(NOTES, refresh_ttl=False)]),
        lambda s: s.search(NOTES, limit=1, offset=1),
        lambda s: s.list_namespaces(),
    ],
)
def test_reading_without_refresh_leaves_the_time_as_it_is(store: Any, clock: ManualClock, read: Any) -> None:
    store.put(NOTES, "x", {"text": "x"}, ttl=1)
    clock.advance(timedelta(seconds=40))
    read(store)
    clock.advance(timedelta(seconds=40))

    assert store.get(NOTES, "x") is None


def test_refreshing_moves_no_time_of_the_item_itself(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "x", {}, ttl=1)
    put_at = clock.now()
    clock.advance(timedelta(seconds=40))

    store.get(NOTES, "x")

    assert store.get(NOTES, "x").updated_at == put_at


def test_refresh_on_read_can_be_switched_off_for_the_store_and_on_for_one_read(
    open_store: Open, clock: ManualClock
) -> None:
    store = open_store(ttl={"refresh_on_read": False})
    store.put(NOTES, "read", {}, ttl=1)
    store.put(NOTES, "kept", {}, ttl=1)
    clock.advance(timedelta(seconds=40))
    store.get(NOTES, "read")
    store.get(NOTES, "kept", refresh_ttl=True)
    clock.advance(timedelta(seconds=40))

    assert store.get(NOTES, "read") is None
    assert store.get(NOTES, "kept") is not None


def test_the_default_ttl_holds_where_none_is_given_and_none_means_for_ever(
    open_store: Open, clock: ManualClock
) -> None:
    store = open_store(ttl={"default_ttl": 1})
    store.put(NOTES, "default", {})
    store.put(NOTES, "longer", {}, ttl=2)
    store.put(NOTES, "forever", {}, ttl=None)
    clock.advance(timedelta(seconds=61))

    assert [item.key for item in store.search(NOTES)] == ["longer", "forever"]


def test_putting_again_sets_the_ttl_anew(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "freed", {}, ttl=1)
    store.put(NOTES, "bound", {})
    store.put(NOTES, "freed", {})
    store.put(NOTES, "bound", {}, ttl=1)
    clock.advance(timedelta(minutes=2))

    assert [item.key for item in store.search(NOTES)] == ["freed"]


def test_an_item_put_after_it_expired_is_new(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "x", {"n": 1}, ttl=1)
    clock.advance(timedelta(minutes=2))

    store.put(NOTES, "x", {"n": 2})

    assert store.get(NOTES, "x").created_at == clock.now()


def test_reading_cannot_bring_back_what_has_expired(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "x", {}, ttl=1)
    clock.advance(timedelta(minutes=2))

    store.batch([GetOp(NOTES, "x", True), SearchOp(NOTES), PutOp(NOTES, "y", {})])

    assert [item.key for item in store.search(NOTES)] == ["y"]


def test_a_sweep_removes_what_has_expired_and_counts_it(store: Any, clock: ManualClock) -> None:
    store.batch([PutOp(NOTES, str(n), {}, ttl=1) for n in range(5)])
    store.put(NOTES, "long", {}, ttl=5)
    clock.advance(timedelta(minutes=2))

    assert store.sweep_ttl() == 5
    assert store.sweep_ttl() == 0
    assert [item.key for item in store.search(NOTES)] == ["long"]


def test_expired_items_do_not_shorten_a_page(store: Any, clock: ManualClock) -> None:
    store.batch([PutOp(NOTES, f"old{n}", {"text": "red"}, ttl=1) for n in range(10)])
    store.batch([PutOp(NOTES, f"new{n}", {"text": "red sky"}) for n in range(3)])
    store.search(NOTES, query="red", refresh_ttl=False)
    clock.advance(timedelta(minutes=2))

    assert len(store.search(NOTES, query="red", limit=3)) == 3


def test_a_sweeper_works_in_the_background_until_it_is_stopped(database: Path) -> None:
    with AgentMemStore(database) as store:
        store.put(NOTES, "gone", {}, ttl=0)
        running = store.start_ttl_sweeper(0.0001)
        again = store.start_ttl_sweeper()

        assert again is running
        assert store.stop_ttl_sweeper(timeout=10)
        assert running.done()


def test_a_sweeper_is_started_and_stopped_from_an_event_loop(database: Path) -> None:
    async def use() -> bool:
        async with AgentMemStore(database) as store:
            await store.aput(NOTES, "gone", {}, ttl=0)
            running = await store.astart_ttl_sweeper(0.0001)
            return await store.astop_ttl_sweeper(timeout=10) and running.done()

    assert asyncio.run(use())


def test_closing_ends_the_sweeper(database: Path) -> None:
    store = AgentMemStore(database, ttl={"sweep_interval_minutes": 60})
    running = store.start_ttl_sweeper()

    store.close()

    assert running.done()


@pytest.mark.parametrize("ttl", [float("nan"), float("inf"), "1", True])
def test_a_ttl_that_is_no_number_is_refused(store: Any, ttl: Any) -> None:
    with pytest.raises(InvalidInputError, match="a number of minutes"):
        store.put(NOTES, "x", {}, ttl=ttl)


@pytest.mark.parametrize("ttl", [{"default": 5}, {"default_ttl": "5"}, {"sweep_interval_minutes": 0}])
def test_ttl_settings_that_make_no_sense_are_refused(database: Path, ttl: Any) -> None:
    with pytest.raises(InvalidInputError):
        AgentMemStore(database, ttl=ttl)


def test_a_ttl_beyond_all_time_is_for_ever(store: Any, clock: ManualClock) -> None:
    store.put(NOTES, "x", {}, ttl=1e300)
    store.put(NOTES, "gone", {}, ttl=-1e300)
    clock.advance(timedelta(days=36_500))

    assert [item.key for item in store.search(NOTES)] == ["x"]


def test_a_sweep_can_be_awaited(open_store: Open, clock: ManualClock) -> None:
    store = open_store()
    plain = getattr(store, "_store", store)
    store.put(NOTES, "x", {}, ttl=1)
    clock.advance(timedelta(minutes=2))

    assert asyncio.run(plain.asweep_ttl()) == 1


def test_where_nothing_can_be_written_an_item_with_a_ttl_can_still_be_read(
    postgres: Server, postgres_url: str
) -> None:
    with AgentMemStore(postgres_url) as store:
        store.put(NOTES, "x", {"n": 1}, ttl=60)
    postgres.sql(f"ALTER DATABASE {name_of(postgres_url)} SET default_transaction_read_only = on")

    with AgentMemStore(postgres_url) as replica:
        assert replica.get(NOTES, "x").value == {"n": 1}
        with pytest.raises(ReadOnlyStoreError):
            replica.put(NOTES, "y", {})
