"""Notes of one subject and predicate over each database: one holds at a time, and none is lost."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.clock import ManualClock

DAY = datetime(2023, 5, 8, 12, tzinfo=UTC)
HOME = {"subject": "Alice", "predicate": "lives in"}
PLACES, DAYS = st.sampled_from(["Rome", "Paris", "Oslo"]), st.integers(0, 9)
#: where, since which day, for how many days, and whether that is past when it is noted
OPEN = st.tuples(PLACES, DAYS, st.none(), st.just(False))
LIMITED = st.tuples(PLACES, DAYS, st.none() | st.integers(1, 4), st.booleans())
STATEMENTS = st.lists(OPEN, max_size=7) | st.lists(LIMITED, max_size=7)
_fresh = itertools.count()


@pytest.fixture
def memory(memory_on_each: Memory) -> Memory:
    return memory_on_each


def lives_in(memory: Memory, place: str, **said: Any) -> str:
    return memory.note(f"Alice lives in {place}", **{**HOME, "object": place, **said})


def holding(memory: Memory, at: datetime | str | None = None) -> list[str]:
    """What notes say at a moment, by the rows."""
    return [note.object or note.text for note in memory.notes(at=at or DAY)]


def climb(memory: Memory, clock: ManualClock, days: int) -> None:
    """Alice is on another level each day."""
    for day in range(days):
        clock.advance(timedelta(days=1))
        memory.note(f"Alice is on level {day}", subject="Alice", predicate="is on level", id=f"level {day}")


def recalled(memory: Memory, **options: Any) -> list[str]:
    return [item.id for item in memory.recall("Where does Alice live?", tiers=["semantic"], **options).items]


def told(memory: Memory, id_: str) -> list[tuple[str, str, str]]:
    return [(entry.id, entry.action, entry.detail.get("why", "")) for entry in memory.history(id_)]


def test_a_note_that_contradicts_an_open_one_closes_it(memory: Memory, clock: ManualClock) -> None:
    lives_in(memory, "Rome", id="rome", valid_from="2020-01-01")
    lives_in(memory, "Paris", id="paris")
    clock.advance(timedelta(days=1))

    rome, paris = memory.notes()

    assert (rome.valid_to, rome.superseded_by, rome.superseded_at) == (DAY, "paris", DAY)
    assert (paris.valid_to, paris.superseded_by) == (None, None)
    assert recalled(memory) == ["paris"]
    assert recalled(memory, at="2022-01-01") == ["rome"]
    assert recalled(memory, at="2019-01-01") == []


def test_a_back_dated_note_finds_its_place(memory: Memory) -> None:
    lives_in(memory, "Paris", id="paris", valid_from="2022-01-01")
    lives_in(memory, "Rome", id="rome", valid_from="2020-01-01")

    assert recalled(memory) == ["paris"]
    assert recalled(memory, at="2021-01-01") == ["rome"]
    assert told(memory, "rome")[-1] == ("rome", "closed", "what held after it was known already")


def test_a_limited_time_gives_way_to_what_held_before(memory: Memory) -> None:
    lives_in(memory, "Paris", id="paris", valid_from="2020-01-01")
    lives_in(memory, "London", valid_from="2021-06-01", valid_to="2021-09-01")

    assert holding(memory, "2021-05-31") == ["Paris"]
    assert holding(memory, "2021-07-01") == ["London"]
    assert holding(memory, "2021-09-01") == ["Paris"]
    assert memory.history("paris")[0].detail["except"] == [
        ["2021-06-01T00:00:00+00:00", "2021-09-01T00:00:00+00:00"]
    ]


def test_recall_answers_within_a_limited_time_and_around_it(memory: Memory) -> None:
    lives_in(memory, "Paris", id="paris", valid_from="2020-01-01")
    lives_in(memory, "London", id="london", valid_from="2021-06-01", valid_to="2021-09-01")

    assert recalled(memory, at="2021-05-31") == ["paris"]
    assert recalled(memory, at="2021-07-01") == ["london"]
    assert recalled(memory, at="2021-09-01") == ["paris"]
    assert recalled(memory) == ["paris"]


def test_many_closed_versions_do_not_hide_the_one_that_holds(memory: Memory, clock: ManualClock) -> None:
    memory.remember([{"content": f"unrelated turn {n}"} for n in range(30)])
    climb(memory, clock, 150)

    items = memory.recall("Which level is Alice on?", k=3).items

    assert "level 149" in [item.id for item in items]
    assert [item.id for item in items if item.tier == "semantic"] == ["level 149"]


def test_saying_the_same_again_adds_evidence_and_no_version(memory: Memory, clock: ManualClock) -> None:
    memory.remember([{"id": "e1", "content": "I live in Rome."}, {"id": "e2", "content": "Rome is my home."}])
    first = lives_in(memory, "Rome", sources=["e1"], confidence=0.5)
    clock.advance(timedelta(days=1))

    again = memory.note("alice lives  in rome", **HOME, object="ROME", sources=["e2"], confidence=0.8)

    (note,) = memory.notes()
    assert (again, note.id, note.source_ids, note.confidence) == (first, first, ("e1", "e2"), 0.8)
    assert [(entry.action, entry.detail.get("sources")) for entry in memory.history(first)] == [
        ("noted", None),
        ("confirmed", ["e2"]),
    ]


def test_other_words_for_the_same_stay_findable(memory: Memory) -> None:
    lives_in(memory, "Rome", id="rome")
    memory.note("Alice has a flat near Termini", **HOME, object="Rome", id="flat")

    assert recalled(memory) == ["flat"]
    assert told(memory, "flat")[-1] == ("rome", "superseded", "a later note says it anew")


def test_what_was_simply_said_outlives_events_that_say_the_same(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I live in Rome."})
    simply = lives_in(memory, "Rome")
    from_event = lives_in(memory, "Rome", sources=["e1"])

    memory.forget(ids=["e1"])

    assert [(note.id, note.valid_to) for note in memory.notes()] == [(simply, None)]
    assert from_event != simply


def test_a_predicate_with_several_values_closes_nothing(memory: Memory) -> None:
    likes = {"subject": "Alice", "predicate": "likes", "exclusive": False}
    memory.note("Alice likes cats", **likes)
    memory.note("Alice likes dogs", **likes)

    assert holding(memory) == ["Alice likes cats", "Alice likes dogs"]


def test_another_subject_predicate_or_namespace_is_another_line(memory: Memory) -> None:
    elsewhere = memory.namespace(*memory.current_namespace, "below")
    lives_in(memory, "Rome")
    lives_in(memory, "Paris", subject="Bob")
    lives_in(memory, "Oslo", predicate="was born in")
    lives_in(elsewhere, "Lima")

    assert holding(memory) == ["Rome", "Paris", "Oslo"]
    assert holding(elsewhere) == ["Lima"]


def test_history_shows_every_version_and_why_it_changed(memory: Memory, clock: ManualClock) -> None:
    lives_in(memory, "Rome", id="rome", valid_from="2020-01-01")
    clock.advance(timedelta(days=1))
    lives_in(memory, "Paris", id="paris")

    assert told(memory, "rome") == told(memory, "paris")
    assert told(memory, "rome") == [
        ("rome", "noted", ""),
        ("paris", "noted", ""),
        ("rome", "superseded", "a later note says something else of the same"),
    ]
    assert memory.history("paris")[0].detail == {
        "kind": "fact",
        "text": "Alice lives in Rome",
        "valid_from": "2020-01-01T00:00:00+00:00",
        "valid_to": "2023-05-09T12:00:00+00:00",
    }


def test_forgetting_a_version_lets_the_one_before_hold_again(memory: Memory) -> None:
    lives_in(memory, "Rome", id="rome", valid_from="2020-01-01")
    lives_in(memory, "Paris", id="paris", valid_from="2021-01-01")
    lives_in(memory, "Oslo", id="oslo", valid_from="2022-01-01")

    memory.forget(ids=["paris"])
    between = [(note.id, note.superseded_by) for note in memory.notes()]
    memory.forget(ids=["oslo"])

    assert between == [("rome", "oslo"), ("oslo", None)]
    assert [(note.id, note.valid_to, note.superseded_by) for note in memory.notes()] == [("rome", None, None)]
    assert [action for id_, action, _ in told(memory, "rome") if id_ == "rome"] == [
        "noted",
        "superseded",
        "reopened",
        "reopened",
    ]
    assert "Oslo" not in repr(memory.history("oslo"))


def test_an_export_keeps_lines_and_their_history(memory: Memory, tmp_path: Path, clock: ManualClock) -> None:
    lives_in(memory, "Paris", id="paris", valid_from="2020-01-01")
    lives_in(memory, "London", id="london", valid_from="2021-06-01", valid_to="2021-09-01")
    lives_in(memory, "Oslo", id="oslo")
    memory.note("Alice likes cats", subject="Alice", predicate="likes", exclusive=False)
    memory.export(tmp_path / "out.zip")

    mine = memory.current_namespace
    with Memory.restore(tmp_path / "out.zip", tmp_path / "copy.db", namespace=mine, clock=clock) as copy:
        assert copy.notes() == memory.notes()
        assert copy.history("oslo") == memory.history("oslo")
        assert holding(copy, "2021-07-01") == ["London"]
        lives_in(copy, "Rome", id="rome", valid_from="2024-01-01")
        assert copy.get("oslo").superseded_by == "rome"


def test_an_import_finds_its_place_among_what_is_here(
    memory: Memory, tmp_path: Path, clock: ManualClock
) -> None:
    mine = memory.current_namespace
    with Memory("sqlite://", namespace=mine, embedder="hash-16", clock=clock) as other:
        lives_in(other, "Rome", id="rome", valid_from="2020-01-01")
        other.export(tmp_path / "other.zip")
    lives_in(memory, "Paris", id="paris", valid_from="2021-01-01")

    memory.import_(tmp_path / "other.zip")
    memory.import_(tmp_path / "other.zip")

    assert {note.id: note.superseded_by for note in memory.notes()} == {"rome": "paris", "paris": None}
    assert [action for id_, action, _ in told(memory, "rome") if id_ == "rome"] == ["noted", "closed"]


def test_a_rebuild_settles_what_was_unsettled(memory_of_its_own: Memory) -> None:
    memory = memory_of_its_own
    lives_in(memory, "Rome", valid_from="2020-01-01")
    lives_in(memory, "Paris", valid_from="2022-01-01")
    settled = memory.notes()
    store: Any = memory._core.store
    with store._database.write() as connection:
        connection.exec_driver_sql("UPDATE memories SET valid_to = NULL, superseded_by = NULL")
    assert len(memory.check(deep=True)) == 1

    memory.rebuild()

    assert memory.notes() == settled
    assert memory.check(deep=True) == []


def test_another_embedder_changes_no_version(memory_of_its_own: Memory) -> None:
    memory = memory_of_its_own
    lives_in(memory, "Rome", id="rome", valid_from="2020-01-01")
    lives_in(memory, "Paris", id="paris")

    memory.reindex(embedder="hash-24")
    memory.rebuild()

    assert recalled(memory) == ["paris"]
    assert recalled(memory, at="2021-01-01") == ["rome"]
    assert memory.check(deep=True) == []


def state(memory: Memory, clock: ManualClock, said: tuple[str, int, int | None, bool]) -> str:
    """Note where Alice lives."""
    place, start, length, past = said
    since = DAY + timedelta(days=start)
    until = None if length is None else since + timedelta(days=length)
    clock.advance(timedelta(days=40 if past else 0, seconds=1))
    return lives_in(memory, place, valid_from=since, valid_to=until)


# examples share a store, as opening is slow; each has a namespace of its own
@settings(max_examples=16, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(said=STATEMENTS, gone=st.sets(st.integers(0, 5)))
def test_at_any_moment_at_most_one_value_of_a_property_holds(
    memory: Memory,
    clock: ManualClock,
    said: list[tuple[str, int, int | None, bool]],
    gone: set[int],
) -> None:
    mine = memory.namespace(str(next(_fresh)))
    ids = [state(mine, clock, one) for one in said]
    mine.forget(ids=[id_ for place, id_ in enumerate(ids) if place in gone])
    moments = [DAY + timedelta(days=day, hours=1) for day in range(-1, 20)]

    found = [holding(mine, moment) for moment in moments]

    assert max(map(len, found)) <= 1
    assert memory.check(deep=True) == []
