"""Which passages a question may be answered from, by tier and time, over each database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agentmem import Memory
from agentmem.contracts import Store
from agentmem.types import Tier

START = datetime(2023, 5, 1, 12, tzinfo=UTC)
ALL: tuple[Tier, ...] = ("window", "episode", "semantic")


@pytest.fixture
def memory(memory_on_each: Memory) -> Memory:
    """Three days of two sessions taking turns, a note of two versions with an exception, and another namespace."""
    memory = memory_on_each
    memory.remember(
        [
            {
                "id": f"{day}{n}",
                "content": f"turn {n}",
                "session": "ab"[n % 2],
                "at": START + timedelta(days=day),
            }
            for day in range(3)
            for n in range(4)
        ]
    )
    home = {"subject": "Alice", "predicate": "lives in"}
    memory.note("Rome", **home, id="rome", valid_from=START)
    memory.note("Oslo", **home, id="oslo", valid_from=START + timedelta(days=2))
    memory.note(
        "Bari",
        **home,
        id="bari",
        valid_from=START + timedelta(hours=30),
        valid_to=START + timedelta(hours=40),
    )
    memory.namespace(*memory.current_namespace, "other").remember("elsewhere")
    assert len(memory.episodes()) == 4
    return memory


def scope(
    memory: Memory, *tiers: Tier, at: datetime | None = None, limit: int = 100, now: datetime = START
) -> Sequence[str] | None:
    """The ids of what is in scope."""
    store: Store = memory._core.store
    keys = store.in_scope(memory.current_namespace, tiers=tiers, at=at, now=now, limit=limit)
    if keys is None:
        return None
    passages = store.passages(memory.current_namespace, keys)
    return sorted(passages[key].owner_id for key in keys)


def test_the_window_is_what_is_in_no_episode(memory: Memory) -> None:
    assert scope(memory, "window") == ["20", "21", "22", "23"]


def test_episodes_hold_the_rest(memory: Memory) -> None:
    assert scope(memory, "episode") == ["00", "01", "02", "03", "10", "11", "12", "13"]


def test_without_episodes_all_is_window(memory: Memory) -> None:
    store: Store = memory._core.store
    store.rebuild(memory.current_namespace)

    assert scope(memory, "episode") == []
    assert len(scope(memory, "window") or ()) == 12


def test_a_moment_leaves_out_what_came_later(memory: Memory) -> None:
    assert scope(memory, "window", "episode", at=START + timedelta(hours=1)) == ["00", "01", "02", "03"]
    assert scope(memory, "window", at=START + timedelta(hours=1)) == []


def test_notes_are_those_that_hold(memory: Memory) -> None:
    assert scope(memory, "semantic") == ["rome"]
    assert scope(memory, "semantic", now=START + timedelta(days=9)) == ["oslo"]
    assert scope(memory, "semantic", at=START + timedelta(hours=35)) == ["bari"]
    assert scope(memory, "semantic", at=START + timedelta(hours=40)) == ["rome"]
    assert scope(memory, "semantic", at=START - timedelta(hours=1)) == []


def test_all_tiers_are_everything_that_holds(memory: Memory) -> None:
    assert len(scope(memory, *ALL) or ()) == 13


def test_more_than_the_limit_is_not_listed(memory: Memory) -> None:
    assert scope(memory, *ALL, limit=12) is None
    assert len(scope(memory, *ALL, limit=13) or ()) == 13
    assert scope(memory, "semantic", limit=0) is None


def test_an_unknown_namespace_has_nothing_in_scope(memory: Memory) -> None:
    assert scope(memory.namespace("nobody"), *ALL) == []
