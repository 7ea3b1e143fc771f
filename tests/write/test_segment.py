"""Where episodes begin and end; and that it does not matter how the turns come."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.terms import terms
from agentmem.write.segment import Cut, Segmenter, Settings, Turn, opening_hint

START = datetime(2023, 5, 8, 12, tzinfo=UTC)
GARDEN = "The roses in the garden need water and the soil is dry"
ENGINE = "My motorbike engine leaks oil from the gearbox again"


def turn(seq: int, words: str, session: str = "s", minutes: float | None = None) -> Turn:
    at = START + timedelta(minutes=seq if minutes is None else minutes)
    return Turn(seq, session, at, Counter(terms(words)), len(words) // 4, opening_hint(words))


def cuts(turns: list[Turn], settings: Settings | None = None) -> list[Cut]:
    segmenter = Segmenter(settings)
    return [cut for item in turns for cut in segmenter.add(item)]


def seqs(cut: Cut) -> list[int]:
    return [item.seq for item in cut.turns]


def test_an_hour_of_silence_ends_an_episode() -> None:
    (cut,) = cuts([turn(0, GARDEN), turn(1, GARDEN), turn(2, GARDEN, minutes=90)])

    assert (seqs(cut), cut.reason) == ([0, 1], "gap")


def test_a_change_of_topic_ends_an_episode() -> None:
    turns = [turn(seq, f"{GARDEN} {seq}") for seq in range(20)]
    turns += [turn(seq, f"{ENGINE} {seq}") for seq in range(20, 30)]

    (cut,) = cuts(turns)

    assert (seqs(cut), cut.reason) == (list(range(20)), "topic")


def test_a_greeting_after_a_farewell_ends_an_episode() -> None:
    turns = [turn(seq, f"nothing{seq} repeats{seq} here{seq}") for seq in range(30)]
    turns[19] = turn(19, "Bye, take care!")
    turns[20] = turn(20, "Hey Anna! Good to see you, how are you?")

    (cut,) = cuts(turns)

    assert (seqs(cut), cut.reason) == (list(range(20)), "topic")


def test_what_never_changes_is_cut_where_it_is_too_long() -> None:
    found = cuts([turn(seq, GARDEN) for seq in range(100)], Settings(max_events=30))

    assert [cut.reason for cut in found] == ["length"] * len(found)
    assert all(6 <= len(cut.turns) <= 30 for cut in found)


def test_long_messages_are_cut_by_their_tokens() -> None:
    found = cuts([turn(seq, GARDEN * 100) for seq in range(20)], Settings(max_tokens=4000))

    assert max(sum(item.tokens for item in cut.turns) for cut in found) <= 4000


def test_sessions_that_take_turns_are_kept_apart() -> None:
    found = cuts([turn(seq, GARDEN, session=f"s{seq % 2}", minutes=seq * 20) for seq in range(8)])

    assert [(cut.session, seqs(cut), cut.reason) for cut in found] == [
        ("s0", [0], "gap"),
        ("s1", [1], "gap"),
        ("s0", [2], "gap"),
        ("s1", [3], "gap"),
        ("s0", [4], "gap"),
        ("s1", [5], "gap"),
    ]


def test_a_session_is_over_once_others_have_gone_on_for_long() -> None:
    turns = [turn(0, GARDEN, "old"), *(turn(seq, GARDEN, "new") for seq in range(1, 40))]

    (cut,) = cuts(turns)

    assert (cut.session, seqs(cut), cut.reason) == ("old", [0], "session")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("Hey Mel, long time no see!", 2.0),
        ("Hello there", 1.0),
        ("Heyday of the empire", 0.0),
        ("Talk to you soon, bye", -1.0),
        ("The bus was late", 0.0),
        ("", 0.0),
    ],
)
def test_a_turn_may_sound_like_a_beginning_or_an_end(words: str, hint: float) -> None:
    assert opening_hint(words) == hint


TURNS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from([GARDEN, ENGINE, "Hello!", "bye", "yes", ""]),
        st.sampled_from([0, 1, 5, 45]),
    ),
    max_size=120,
)
SHORT = Settings(min_events=3, max_events=12, idle_events=8)


def turns_of(drawn: list[tuple[str, str, int]]) -> list[Turn]:
    minutes = [sum(wait for _, _, wait in drawn[: place + 1]) for place in range(len(drawn))]
    return [
        turn(seq, f"{words} {seq % 5}", session, minutes[seq])
        for seq, (session, words, _) in enumerate(drawn)
    ]


@given(TURNS)
def test_every_turn_is_in_one_episode_or_in_the_window(drawn: list[tuple[str, str, int]]) -> None:
    turns = turns_of(drawn)
    segmenter = Segmenter(SHORT)

    closed = [item.seq for item in turns for cut in segmenter.add(item) for item in cut.turns]

    assert sorted(closed + [item.seq for item in segmenter.open_turns()]) == [item.seq for item in turns]


@given(TURNS, st.integers(1, 40))
def test_a_restart_at_any_turn_changes_nothing(drawn: list[tuple[str, str, int]], batch: int) -> None:
    turns = turns_of(drawn)
    state, window, found = "{}", [], []

    for start in range(0, len(turns), batch):
        segmenter = Segmenter(SHORT, json.loads(state), window)
        found += [cut for item in turns[start : start + batch] for cut in segmenter.add(item)]
        state, window = json.dumps(segmenter.state()), segmenter.open_turns()

    assert found == cuts(turns, SHORT)


def test_the_end_of_a_stream_closes_what_is_open() -> None:
    segmenter = Segmenter()
    list(segmenter.add(turn(0, GARDEN)))

    (cut,) = segmenter.finish()

    assert (seqs(cut), segmenter.open_turns()) == ([0], [])
