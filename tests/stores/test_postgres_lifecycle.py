"""The lifecycle on PostgreSQL: vectors fall and rise there too, searched by the server or in the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import pytest
from postgres_server import NewDatabase, Server, name_of

from agentmem import AsyncMemory, Memory
from agentmem.clock import ManualClock

COUNT = 30


@pytest.fixture(params=["on", "off"], ids=["pgvector", "without pgvector"])
def url(request: pytest.FixtureRequest, new_database: NewDatabase) -> str:
    return new_database(empty=request.param == "off", pgvector=request.param)


@pytest.fixture
def held(url: str, clock: ManualClock) -> Iterator[Memory]:
    """Thirty events and a neighbour's."""
    with Memory(url, embedder="hash", clock=clock) as memory:
        memory.remember(
            [{"id": f"e{n}", "content": f"thing number {n} is painted in colour {n}"} for n in range(COUNT)]
        )
        memory.namespace("other").remember("words of another")
        yield memory


def nearest(memory: Memory, text: str) -> list[str]:
    """Ids by vector alone, best first."""
    store = memory._core.store
    hits = store.nearest(memory.current_namespace, memory._core.embedder.embed([text])[0], 3)
    passages = store.passages(memory.current_namespace, [hit.passage for hit in hits])
    return [passages[hit.passage].owner_id for hit in hits]


def test_vectors_fall_and_are_found_by_vector_alone(held: Memory, clock: ManualClock) -> None:
    clock.advance(timedelta(days=300))

    report = held.maintain()

    assert (report.lowered, report.bytes_after < report.bytes_before / 20) == ({"binary": COUNT}, True)
    assert nearest(held, "user (Monday 8 May 2023): thing number 7 is painted in colour 7")[0] == "e7"
    assert held.namespace("other").lifecycle().precisions == {"float32": 1}
    assert held.check(deep=True) == []


def test_a_vector_recalled_since_rises_again(held: Memory, clock: ManualClock) -> None:
    clock.advance(timedelta(days=300))
    held.maintain()
    held.recall("thing number 7", k=1)

    report = held.maintain()

    assert report.raised == 1
    assert held.lifecycle().precisions == {"float32": 1, "binary": COUNT - 1}
    assert nearest(held, "user (Monday 8 May 2023): thing number 7 is painted in colour 7")[0] == "e7"
    assert held.check(deep=True) == []


def test_the_servers_copies_stay_where_they_are_when_vectors_fall(
    postgres: Server, postgres_url: str, clock: ManualClock
) -> None:
    def copies() -> list[tuple[object, ...]]:
        return postgres.sql(
            "SELECT passage_pk, ctid, tableoid FROM agentmem.vector_index ORDER BY 1",
            database=name_of(postgres_url),
        )

    with Memory(postgres_url, embedder="hash", clock=clock) as memory:
        memory.remember([f"thing number {n}" for n in range(5)])
        before = copies()
        clock.advance(timedelta(days=300))

        memory.maintain()

    assert len(before) == 5
    assert copies() == before


def test_maintenance_runs_on_the_event_loop(url: str, held: Memory, clock: ManualClock) -> None:
    async def maintained() -> tuple[dict[str, int], dict[str, int]]:
        async with AsyncMemory(url, embedder="hash", clock=clock) as memory:
            report = await memory.maintain()
            return dict(report.lowered), dict((await memory.lifecycle()).precisions)

    clock.advance(timedelta(days=80))

    assert asyncio.run(maintained()) == ({"int4": COUNT}, {"int4": COUNT})
