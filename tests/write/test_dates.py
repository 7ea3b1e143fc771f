"""Dates in texts: named, relative, impossible."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.write.dates import named_dates

# a Monday
SAID_AT = datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("on 2023-06-01", "2023-06-01"),
        ("back on 7 May 2022", "2022-05-07"),
        ("on the 7th of May", "2023-05-07"),
        ("on January 3rd, 2020", "2020-01-03"),
        ("on December 30", "2022-12-30"),
        ("in June 2021", "2021-06"),
        ("since 2016", "2016"),
        ("yesterday", "2023-05-07"),
        ("tomorrow", "2023-05-09"),
        ("last week", "2023-W18"),
        ("next month", "2023-06"),
        ("last year", "2022"),
        ("last Friday", "2023-05-05"),
        ("last Monday", "2023-05-01"),
        ("this Friday", "2023-05-12"),
        ("next Monday", "2023-05-15"),
        ("two days ago", "2023-05-06"),
        ("3 weeks ago", "2023-W16"),
        ("five months ago", "2022-12"),
        ("10 years ago", "2013"),
    ],
)
def test_a_date_is_read_against_the_moment_it_was_said(text: str, iso: str) -> None:
    found = [date.iso for date in named_dates(f"We met {text}, I think.", SAID_AT)]

    assert found == [iso]


@pytest.mark.parametrize("text", ["on 31 June 2023", "2023-13-01", "I may go", "the 12 of us", "room 2023"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert list(named_dates(text, SAID_AT)) == []


def test_a_date_knows_where_it_stands() -> None:
    text = "I ran on 7 May 2022 and again yesterday"

    spans = [text[found.start : found.end] for found in named_dates(text, SAID_AT)]

    assert spans == ["7 May 2022", "yesterday"]


@given(st.text(alphabet="0123456789 -yesterdaylastgoMay", max_size=60))
def test_no_text_and_no_moment_breaks_it(text: str) -> None:
    edges = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))

    assert all(isinstance(list(named_dates(text, moment)), list) for moment in edges)
