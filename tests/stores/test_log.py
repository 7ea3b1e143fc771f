"""The event log: append-only, idempotent, in order."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.errors import DuplicateIdError

texts = st.text(min_size=1, max_size=40).filter(
    lambda text: bool(text.strip()) and "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
)


def test_events_come_back_word_for_word_in_the_order_given(memory: Memory) -> None:
    memory.remember([{"id": "a", "content": "  First,\r\n\tsecond. "}, {"id": "b", "content": "Ünïcode 🐈"}])

    assert [event.content for event in memory.events()] == ["  First,\r\n\tsecond. ", "Ünïcode 🐈"]


@given(contents=st.lists(texts, min_size=1, max_size=8))
def test_every_text_comes_back_as_it_was(contents: list[str]) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember([{"content": content} for content in contents])

        assert [event.content for event in memory.events()] == contents


def test_the_same_call_twice_changes_nothing(memory: Memory) -> None:
    messages = [{"content": "yes", "at": "2023-05-08"}, {"content": "no", "id": "n"}]
    first = memory.remember(messages)

    second = memory.remember(messages)

    assert (second.event_ids, second.added, second.duplicates) == (first.event_ids, 0, 2)
    assert memory.stats().events == 2


def test_adding_again_many_times_does_not_make_the_counts_grow(memory: Memory) -> None:
    messages = [{"content": f"Fact {number} about the cat.", "at": "2023-05-08"} for number in range(30)]
    memory.remember(messages)
    before = memory.stats()

    memory.remember(messages)
    memory.remember(messages[5:20])
    memory.remember(messages)

    after = memory.stats()
    assert (after.events, after.passages, after.vectors) == (before.events, before.passages, before.vectors)


def test_words_repeated_within_one_call_are_all_kept(memory: Memory) -> None:
    receipt = memory.remember([{"content": "yes"}, {"content": "no"}, {"content": "yes"}])

    assert receipt.added == 3
    assert [event.content for event in memory.events()] == ["yes", "no", "yes"]


def test_words_repeated_in_one_call_are_known_when_the_call_comes_again(memory: Memory) -> None:
    memory.remember([{"content": "yes"}, {"content": "yes"}])

    receipt = memory.remember([{"content": "yes"}, {"content": "yes"}])

    assert (receipt.added, receipt.duplicates) == (0, 2)


def test_the_same_words_at_another_time_are_another_event(memory: Memory) -> None:
    memory.remember({"content": "Good morning", "at": "2023-05-08"})

    receipt = memory.remember({"content": "Good morning", "at": "2023-05-09"})

    assert receipt.added == 1


def test_an_id_with_other_words_is_an_error_that_names_it(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "The flat is in Oslo."})

    with pytest.raises(DuplicateIdError, match="'e1' already holds different content"):
        memory.remember({"id": "e1", "content": "The flat is in Bergen."})

    assert memory.get("e1").content == "The flat is in Oslo."


def test_a_conflicting_id_keeps_the_rest_of_its_batch_out(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "Oslo"})

    with pytest.raises(DuplicateIdError):
        memory.remember([{"id": "e0", "content": "new"}, {"id": "e1", "content": "Bergen"}])

    assert [event.id for event in memory.events()] == ["e1"]


def test_an_id_twice_in_one_call_with_other_words_is_an_error(memory: Memory) -> None:
    with pytest.raises(DuplicateIdError):
        memory.remember([{"id": "e1", "content": "Oslo"}, {"id": "e1", "content": "Bergen"}])

    assert memory.events() == []


def test_an_id_twice_in_one_call_with_the_same_words_is_one_event(memory: Memory) -> None:
    receipt = memory.remember([{"id": "e1", "content": "Oslo"}, {"id": "e1", "content": "Oslo"}])

    assert (receipt.event_ids, receipt.added, receipt.duplicates) == (("e1", "e1"), 1, 1)


def test_an_id_may_be_used_again_after_it_was_forgotten(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "Oslo"})
    memory.forget(ids=["e1"])

    receipt = memory.remember({"id": "e1", "content": "Bergen"})

    assert receipt.added == 1


def test_positions_are_never_given_out_twice(memory: Memory) -> None:
    memory.remember([{"id": "a", "content": "one"}, {"id": "b", "content": "two"}])
    memory.forget(ids=["b"])

    memory.remember({"id": "c", "content": "three"})

    assert [(event.id, event.seq) for event in memory.events()] == [("a", 0), ("c", 2)]


def test_events_are_paged_by_position_and_limit(memory: Memory) -> None:
    memory.remember([{"id": str(number), "content": f"turn {number}"} for number in range(5)])

    page = memory.events(after_seq=1, limit=2)

    assert [event.id for event in page] == ["2", "3"]


def test_events_of_a_session_are_only_those(memory: Memory) -> None:
    memory.remember({"id": "a", "content": "one"}, session="s1")
    memory.remember({"id": "b", "content": "two"}, session="s2")

    assert [event.id for event in memory.events(session="s2")] == ["b"]


def test_an_event_keeps_everything_that_came_with_it(memory: Memory) -> None:
    memory.remember(
        {
            "id": "D1:3",
            "role": "assistant",
            "name": "Zoë",
            "content": "Done.",
            "at": "2021-03-01T09:30+02:00",
            "session": "s9",
            "metadata": {"tags": ["a", None, 1.5], "ключ": {"x": True}},
        }
    )

    event = memory.get("D1:3")

    assert (event.role, event.name, event.session, event.speaker) == ("assistant", "Zoë", "s9", "Zoë")
    assert event.occurred_at == datetime(2021, 3, 1, 7, 30, tzinfo=UTC)
    assert event.recorded_at == datetime(2023, 5, 8, 12, 0, tzinfo=UTC)
    assert event.metadata == {"tags": ["a", None, 1.5], "ключ": {"x": True}}


def test_events_survive_closing_and_opening(database: Path, clock: ManualClock) -> None:
    with Memory(database, embedder="hash", clock=clock) as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})

    with Memory(database, embedder="hash", clock=clock) as memory:
        assert memory.get("e1").content == "I adopted a cat."


def test_a_call_of_more_than_one_batch_is_stored_whole_and_in_order(memory: Memory) -> None:
    progress: list[tuple[int, int]] = []

    memory.remember(
        [{"id": str(number), "content": f"turn {number}"} for number in range(1100)],
        progress=lambda done, total: progress.append((done, total)),
    )

    assert [event.id for event in memory.events()] == [str(number) for number in range(1100)]
    assert progress == [(512, 1100), (1024, 1100), (1100, 1100)]


def test_an_interrupted_call_goes_on_where_it_stopped(memory: Memory) -> None:
    messages = [{"content": f"turn {number}"} for number in range(1100)]

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.remember(messages, progress=interrupt)
    receipt = memory.remember(messages)

    assert (receipt.added, receipt.duplicates) == (588, 512)
    assert len({event.content for event in memory.events()}) == 1100
