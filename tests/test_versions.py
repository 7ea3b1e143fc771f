"""Lines of versions: at any moment one holds, the one that begins last of those that claim it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.versions import Held, Version, confirmed, held, saying, version_key

NOW = 100


def version(
    id_: str, says: str, starts: int, stated_to: int | None = None, *, place: int = 0, recorded: int = NOW
) -> Version:
    return Version(id_, says, starts, stated_to, recorded, place)


@st.composite
def lines(draw: st.DrawFn) -> list[Version]:
    drawn = draw(
        st.lists(
            st.tuples(
                st.sampled_from("abc"), st.integers(0, 12), st.none() | st.integers(1, 6), st.integers(0, 14)
            ),
            max_size=8,
        )
    )
    return [
        Version(str(place), says, starts, None if length is None else starts + length, recorded, place)
        for place, (says, starts, length, recorded) in enumerate(drawn)
    ]


def holders(line: Sequence[Version], moment: int) -> list[str]:
    """Who holds at a moment, by the periods."""
    return [
        id_
        for id_, outcome in held(line).items()
        if any(start <= moment and (end is None or moment < end) for start, end in outcome.periods)
    ]


def expected(line: Sequence[Version], moment: int) -> list[str]:
    """The same by the definition, for one moment alone."""
    begun = [version for version in line if version.starts <= moment]
    claims = [
        one
        for one in begun
        if (one.stated_to is None or moment < one.stated_to)
        and not any(_takes_over(other, one) for other in begun)
    ]
    return [max(claims, key=lambda one: (one.starts, one.place)).id] if claims else []


def _takes_over(later: Version, earlier: Version) -> bool:
    if (later.starts, later.place) <= (earlier.starts, earlier.place):
        return False
    if later.stated_to is None:
        return True
    past = later.stated_to <= later.recorded
    written_later = later.says == earlier.says and later.place > earlier.place
    return written_later and (later.starts == earlier.starts or not past)


@given(line=lines())
def test_at_any_moment_the_one_that_begins_last_holds_and_no_other(line: list[Version]) -> None:
    moments = range(-1, 25)

    found = [holders(line, moment) for moment in moments]

    assert found == [expected(line, moment) for moment in moments]


@given(line=lines())
def test_periods_lie_within_what_was_stated_and_end_as_the_row_says(line: list[Version]) -> None:
    outcome = held(line)

    stated = {one.id: one for one in line}
    assert set(outcome) == set(stated)
    assert all(
        start >= stated[id_].starts and (end is None or end > start)
        for id_, one in outcome.items()
        for start, end in one.periods
    )
    assert all(one.periods[-1][1] == one.valid_to for one in outcome.values() if one.periods)
    assert all(one.by in {None, *stated} and one.by != id_ for id_, one in outcome.items())


def test_a_contradiction_closes_what_held() -> None:
    rome, paris = version("rome", "rome", 10), version("paris", "paris", 20, place=1)

    assert held([rome, paris]) == {
        "rome": Held(((10, 20),), 20, "paris"),
        "paris": Held(((20, None),), None, None),
    }


def test_a_back_dated_note_ends_where_what_is_known_begins() -> None:
    paris, rome = version("paris", "paris", 20), version("rome", "rome", 10, place=1)

    assert held([paris, rome])["rome"] == Held(((10, 20),), 20, "paris")
    assert held([paris, rome])["paris"] == Held(((20, None),), None, None)


def test_a_limited_time_interrupts_what_holds_around_it() -> None:
    paris, london = version("paris", "paris", 10), version("london", "london", 30, 40, place=1)

    outcome = held([paris, london])

    assert outcome["paris"] == Held(((10, 30), (40, None)), None, None, gaps=((30, 40),))
    assert outcome["london"] == Held(((30, 40),), 40, None)


def test_what_begins_with_a_limited_time_holds_after_it() -> None:
    paris, london = version("paris", "paris", 10), version("london", "london", 10, 20, place=1)

    assert held([paris, london])["paris"] == Held(((20, None),), None, None, gaps=((10, 20),))


@given(line=lines())
def test_a_version_holds_from_its_beginning_to_its_end_but_for_its_gaps(line: list[Version]) -> None:
    outcome = held(line)
    starts = {one.id: one.starts for one in line}
    moments = range(25)

    by_gaps = [
        {
            id_
            for id_, one in outcome.items()
            if starts[id_] <= moment
            and (one.valid_to is None or moment < one.valid_to)
            and not any(start <= moment < end for start, end in one.gaps)
        }
        for moment in moments
    ]

    assert by_gaps == [set(holders(line, moment)) for moment in moments]


def test_of_two_that_begin_together_the_later_recorded_holds() -> None:
    wrong, right = version("wrong", "rome", 10), version("right", "paris", 10, place=1)

    assert held([wrong, right])["wrong"] == Held((), 10, "right")


def test_an_end_said_later_ends_the_same_statement() -> None:
    paris, until = version("paris", "paris", 10), version("until", "paris", NOW, NOW + 50, place=1)

    outcome = held([paris, until])

    assert outcome["paris"] == Held(((10, NOW),), NOW, "until")
    assert outcome["until"] == Held(((NOW, NOW + 50),), NOW + 50, None)


def test_what_was_closed_does_not_come_back_where_its_closer_is_given_an_end() -> None:
    rome, paris = version("rome", "rome", 10), version("paris", "paris", 20, place=1)
    until = version("until", "paris", NOW, NOW + 50, place=2)

    outcome = held([rome, paris, until])

    assert outcome["rome"] == Held(((10, 20),), 20, "paris")
    assert outcome["until"] == Held(((NOW, NOW + 50),), NOW + 50, None)


def test_a_past_within_what_holds_does_not_end_it() -> None:
    paris, past = version("paris", "paris", 10), version("past", "paris", 20, 30, place=1)

    assert held([paris, past])["paris"].periods == ((10, 20), (30, None))


@pytest.mark.parametrize(
    ("new", "known"),
    [
        pytest.param(version("n", "paris", 30, place=9), "paris", id="the same, still"),
        pytest.param(version("n", "paris", 30, 40, place=9), "paris", id="a past within it"),
        pytest.param(version("n", "rome", 30, place=9), None, id="something else"),
        pytest.param(version("n", "paris", 5, place=9), None, id="since earlier"),
        pytest.param(version("n", "paris", 30, NOW + 1, place=9), None, id="with an end to come"),
    ],
)
def test_what_says_the_same_of_a_time_that_is_known_confirms_it(new: Version, known: str | None) -> None:
    assert confirmed([version("paris", "paris", 10)], new) == known


def test_nothing_is_confirmed_beyond_the_end_of_what_is_known() -> None:
    line = [version("paris", "paris", 10), version("rome", "rome", 50, place=1)]

    assert confirmed(line, version("n", "paris", 30, place=9)) is None
    assert confirmed(line, version("n", "paris", 30, 40, place=9)) == "paris"


def test_case_accents_and_spaces_make_no_difference() -> None:
    assert version_key("Zoë ", "lives  in") == version_key("ZOE", "Lives in")
    assert saying("PARIS", "She lives in Paris") == saying(" paris", "anything")
    assert version_key("Zoe", None) is None
    assert version_key("Zoe", " ") is None
