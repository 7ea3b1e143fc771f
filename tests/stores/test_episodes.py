"""Episodes in a store: every event in one or in the window, made good after a crash, mended by forgetting."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import Store
from agentmem.errors import RecordNotFoundError
from agentmem.types import Episode, Event

START = datetime(2023, 5, 8, 12, tzinfo=UTC)
#: the table of words and where they stand
LEXICAL = {"sqlite": "lexical", "postgresql": "postings"}
WORDS = ["The garden needs water", "My motorbike leaks oil", "Hello there", "bye", "yes"]
#: session, words, and minutes since the message before: negative where it comes late
Message = tuple[str, str, int]
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(WORDS), st.sampled_from([1, 2, 50, -1, -300])
    ),
    max_size=60,
)

_fresh = itertools.count()


@pytest.fixture
def memory(memory_on_each: Memory) -> Memory:
    return memory_on_each


def told(messages: list[Message], prefix: str = "e") -> list[dict[str, Any]]:
    minutes = list(itertools.accumulate(wait for _, _, wait in messages))
    return [
        {
            "id": f"{prefix}{place}",
            "session": session,
            "content": f"{words} {place}",
            "at": START + timedelta(minutes=at),
        }
        for place, ((session, words, _), at) in enumerate(zip(messages, minutes, strict=True))
    ]


def days(count: int, a_day: int = 4) -> list[dict[str, Any]]:
    """So many days with some events each: all but the last day are episodes."""
    return [
        {"id": f"d{day}e{place}", "content": f"{WORDS[day % 2]} {place}", "at": START + timedelta(days=day)}
        for day in range(count)
        for place in range(a_day)
    ]


def members(memory: Memory, episode: Episode) -> list[str]:
    return [
        event.id
        for event in memory.events(session=episode.session)
        if episode.first_seq <= event.seq <= episode.last_seq
    ]


# examples share a store, as opening is slow; each has a namespace of its own
SHARED = settings(
    max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def windowed_and_members(memory: Memory) -> tuple[list[int], list[int]]:
    """The positions in no episode, and those of every episode one after the other, by two ways of asking."""
    store: Store = memory._core.store
    episodes = memory.episodes()
    seqs = {event.id: event.seq for event in memory.events()}
    closed = store.episode_of(memory.current_namespace, list(seqs.values()))
    inside = [(seqs[id_], episode.id) for episode in episodes for id_ in members(memory, episode)]
    assert dict(inside) == closed
    assert len(inside) == sum(episode.events for episode in episodes)
    return sorted(set(seqs.values()) - set(closed)), sorted(seq for seq, _ in inside)


@SHARED
@given(messages=MESSAGES, batch=st.integers(1, 30))
def test_episodes_are_the_same_in_whatever_batches_events_come(
    memory: Memory, messages: list[Message], batch: int
) -> None:
    grown, at_once = (memory.namespace(str(next(_fresh))) for _ in range(2))
    batches = [told(messages)[start : start + batch] for start in range(0, len(messages), batch)]

    seen = [(grown.remember(part), grown.episodes()) for part in batches]
    at_once.remember(told(messages))

    assert len(seen) == len(batches)
    assert [replace(episode, namespace=()) for episode in grown.episodes()] == [
        replace(episode, namespace=()) for episode in at_once.episodes()
    ]


@SHARED
@given(messages=MESSAGES, later=MESSAGES, gone=st.sets(st.integers(0, 60)), batch=st.integers(1, 30))
def test_every_event_is_in_exactly_one_episode_or_in_the_window(
    memory: Memory, messages: list[Message], later: list[Message], gone: set[int], batch: int
) -> None:
    """Whatever the order of sessions and times, before and after a forget, with what comes after it, and rebuilt."""
    mine = memory.namespace(str(next(_fresh)))
    mine.remember(told(messages)[:batch])
    mine.episodes()
    mine.remember(told(messages)[batch:])
    mine.episodes()

    mine.forget(ids=[f"e{place}" for place in gone])
    mine.remember(told(later, "later"))
    window, inside = windowed_and_members(mine)

    assert sorted([*window, *inside]) == [event.seq for event in mine.events()]
    assert len(inside) == len(set(inside))
    mine.rebuild()
    rebuilt = (mine.episodes(), windowed_and_members(mine))
    assert sorted(itertools.chain(*rebuilt[1])) == [event.seq for event in mine.events()]
    mine.rebuild()
    assert (mine.episodes(), windowed_and_members(mine)) == rebuilt


def test_an_episode_tells_what_it_holds(memory: Memory) -> None:
    memory.remember(days(2))

    (episode,) = memory.episodes()

    assert (episode.session, episode.first_seq, episode.last_seq, episode.events) == ("default", 0, 3, 4)
    assert (episode.reason, episode.started_at, episode.ended_at) == ("gap", START, START)
    assert episode.token_count == sum(event.token_count for event in memory.events(limit=4))
    assert "garden" in episode.summary
    assert (episode.strength, episode.stability_days, episode.recalls) == (1.0, 1.0, 0)
    assert memory.get(episode.id) == episode


def test_episodes_are_paged_and_chosen_by_session(memory: Memory) -> None:
    memory.remember(days(4))
    first, second, third = memory.episodes()

    assert memory.episodes(after_seq=first.last_seq, limit=1) == [second]
    assert memory.episodes(session="default") == [first, second, third]
    assert memory.episodes(session="other") == []
    assert memory.namespace(*memory.current_namespace, "below").episodes() == []


def test_an_episode_of_another_namespace_is_not_found(memory: Memory) -> None:
    memory.remember(days(2))
    (episode,) = memory.episodes()

    with pytest.raises(RecordNotFoundError):
        memory.namespace(*memory.current_namespace, "below").get(episode.id)


def test_a_write_does_not_wait_for_episodes(memory: Memory) -> None:
    memory.remember(days(30))

    store: Store = memory._core.store
    assert store.episodes(memory.current_namespace) == []


def test_what_a_killed_process_left_is_made_good(tmp_path: Path, run_python: Callable[..., str]) -> None:
    database = tmp_path / "agent.db"
    code = """
import os, sys
from agentmem import Memory
memory = Memory(sys.argv[1], embedder="hash-16")
memory.remember([{"id": f"e{i}", "content": f"word {i}", "at": f"2023-05-0{1 + i // 40}"} for i in range(120)])
print("stored", flush=True)
os._exit(0)
"""
    assert run_python(code, database) == "stored"

    with Memory(database) as memory:
        memory.recall("word")

        store: Store = memory._core.store
        assert [episode.events for episode in store.episodes(memory.current_namespace)] == [40, 40]


def test_forgetting_makes_an_episode_anew_from_what_is_left(memory: Memory) -> None:
    memory.remember(
        [
            {"id": "secret", "content": "The password is swordfish and the password stays."},
            {"id": "rest", "content": "We will paint the kitchen."},
            {"id": "later", "content": "Another day", "at": "2030-01-01"},
        ]
    )
    (before,) = memory.episodes()

    memory.forget(ids=["secret"])

    (after,) = memory.episodes()
    assert "swordfish" in before.title + before.summary
    assert (after.id, after.events, after.first_seq) == (before.id, 1, 1)
    assert after.title + after.summary == "We will paint the kitchen.user: We will paint the kitchen."


def test_an_episode_goes_with_its_last_event(memory: Memory) -> None:
    memory.remember(days(3))
    _, second = memory.episodes()

    memory.forget(before=START + timedelta(hours=1))

    assert memory.episodes() == [second]


def test_forgetting_in_the_window_leaves_it_whole(memory: Memory) -> None:
    memory.remember(days(2))
    memory.episodes()

    memory.forget(ids=["d1e1"])
    memory.remember(days(3)[8:])

    assert [(episode.first_seq, episode.events) for episode in memory.episodes()] == [(0, 4), (4, 3)]


def test_an_event_forgotten_and_told_again_is_in_a_later_episode(memory: Memory, clock: ManualClock) -> None:
    memory.remember(days(2))
    (old,) = memory.episodes()
    memory.forget(ids=["d0e0"])
    clock.advance(timedelta(days=1))

    memory.remember(
        [{"id": "d0e0", "content": "again", "at": "2024-01-01"}, {"content": "x", "at": "2025-01-01"}]
    )

    assert [episode.events for episode in memory.episodes()] == [3, 4, 1]
    assert len({old.id, *(episode.id for episode in memory.episodes())}) == 3


def test_a_rebuild_gives_the_same_again_and_keeps_vectors(memory: Memory) -> None:
    memory.remember([*days(3), {"id": "long", "content": "A sentence of a long story. " * 90}])
    before = (
        memory.episodes(),
        memory.entities(),
        memory.recall("garden water").items,
        memory.stats().vectors,
    )

    count = memory.rebuild()

    after = (
        memory.episodes(),
        memory.entities(),
        memory.recall("garden water").items,
        memory.stats().vectors,
    )
    assert count == 13
    assert after == before


def test_a_rebuild_mends_what_is_derived(memory_of_its_own: Memory) -> None:
    memory = memory_of_its_own
    memory.remember(days(3))
    episodes = memory.episodes()
    store: Any = memory._core.store
    with store._database.write() as connection:
        for table in (LEXICAL[connection.dialect.name], "mentions", "entities", "edges", "episodes"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
        connection.exec_driver_sql("DELETE FROM passages WHERE pk = (SELECT min(pk) FROM passages)")

    memory.rebuild()

    assert memory.episodes() == episodes
    assert "d0e0" in memory.recall("garden 0").source_ids
    assert memory.stats().passages == memory.stats().vectors == 12


def test_an_episode_takes_up_its_life_after_a_rebuild(memory: Memory) -> None:
    memory.remember(days(2))
    (episode,) = memory.episodes()
    lived = replace(episode, strength=3.5, stability_days=9.0, recalls=2, last_recalled_at=START)
    store: Store = memory._core.store
    store.replace_episodes(memory.current_namespace, [episode], [lived])

    memory.rebuild()

    assert memory.episodes() == [lived]


def test_episodes_may_be_replaced_by_others_over_the_same_events(memory: Memory) -> None:
    memory.remember(days(3))
    first, second = memory.episodes()
    whole = replace(first, last_seq=second.last_seq, events=8, title="Both")
    store: Store = memory._core.store

    assert store.replace_episodes(memory.current_namespace, [first, second], [whole])
    assert memory.episodes() == [whole]
    assert store.replace_episodes(memory.current_namespace, [whole], [first, second])
    assert memory.episodes() == [first, second]


def test_episodes_are_not_replaced_by_ones_that_leave_an_event_out_or_hold_one_twice(memory: Memory) -> None:
    memory.remember(days(3))
    first, second = memory.episodes()
    store: Store = memory._core.store
    short = replace(first, last_seq=first.last_seq - 1, events=3)
    long = replace(first, last_seq=second.first_seq, events=5)

    assert not store.replace_episodes(memory.current_namespace, [first], [short])
    assert not store.replace_episodes(memory.current_namespace, [first, second], [long, second])
    assert memory.episodes() == [first, second]


def test_episodes_are_not_replaced_where_they_have_changed_or_miss_an_event(memory: Memory) -> None:
    memory.remember(days(3))
    first, second = memory.episodes()
    store: Store = memory._core.store
    namespace = memory.current_namespace

    assert not store.replace_episodes(namespace, [replace(first, title="?")], [first])
    assert not store.replace_episodes(namespace, [first], [replace(first, events=3)])
    assert memory.episodes() == [first, second]


def test_a_failing_derivation_costs_no_event(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(events: list[Event]) -> tuple[str, str]:
        raise RuntimeError("no words")

    monkeypatch.setattr("agentmem.write.derive.describe", fail)
    memory.remember(days(30))
    memory.remember("and one more")

    assert memory.stats().events == 121
    assert memory.recall("garden").items
    assert "no words" in caplog.text
    monkeypatch.undo()
    assert len(memory.episodes()) == 30
