"""Ranking for questions that ask for many things."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.contracts import StoredPassage
from agentmem.read.breadth import broadened
from agentmem.read.candidates import Candidate


def candidate(place: int, session: str, score: float) -> Candidate:
    at = datetime(2023, 5, 8, tzinfo=UTC)
    passage = StoredPassage(
        place, "event", f"e{place}", session, place, "Ann", f"line {place}", None, "event", at, (f"e{place}",)
    )
    return Candidate(passage, score, {}, (f"e{place}",))


def test_each_session_has_its_say_before_one_says_more() -> None:
    ranked = [
        candidate(0, "s1", 3.0),
        candidate(1, "s1", 2.9),
        candidate(2, "s2", 2.8),
        candidate(3, "s3", 2.7),
    ]

    found = broadened(ranked)

    assert [entry.passage.owner_id for entry in found] == ["e0", "e2", "e3", "e1"]


def test_what_is_much_likelier_stays_first_whatever_its_session() -> None:
    ranked = [candidate(0, "s1", 9.0), candidate(1, "s1", 8.0), candidate(2, "s2", 1.0)]

    found = broadened(ranked)

    assert [entry.passage.owner_id for entry in found] == ["e0", "e1", "e2"]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(-20, 20)), max_size=30))
def test_nothing_is_lost_or_gains_and_the_best_comes_first(drawn: list[tuple[str, float]]) -> None:
    ranked = [candidate(place, session, score) for place, (session, score) in enumerate(drawn)]

    found = broadened(ranked)

    before = {entry.passage.key: entry.score for entry in ranked}
    assert sorted(before) == sorted(entry.passage.key for entry in found)
    assert all(entry.score <= before[entry.passage.key] for entry in found)
    assert [entry.score for entry in found] == sorted((entry.score for entry in found), reverse=True)


def test_a_list_is_recalled_from_many_sessions(memory: Memory) -> None:
    for session in ("s1", "s2", "s3"):
        memory.remember(
            [{"name": "Ann", "content": f"I went swimming, number {session}{place}."} for place in range(4)],
            session=session,
        )

    found = memory.recall("Which activities has Ann done, and where did she go swimming?", k=3)

    assert {item.session for item in found.items} == {"s1", "s2", "s3"}
