"""Time expressions of a question."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.read.times import time_spans

AT = datetime(2023, 7, 19, 12, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("What did I do on 8 May 2023?", "2023-05-08", "2023-05-09"),
        ("What happened on May 8th, 2023?", "2023-05-08", "2023-05-09"),
        ("Who called on 2023-05-08?", "2023-05-08", "2023-05-09"),
        ("What happened in June 2022?", "2022-06-01", "2022-07-01"),
        ("Where did we go in 2022?", "2022-01-01", "2023-01-01"),
        ("What did she say yesterday?", "2023-07-18", "2023-07-19"),
        ("What did he buy last week?", "2023-07-10", "2023-07-17"),
        ("Whom did I meet last Friday?", "2023-07-14", "2023-07-15"),
        ("What changed last month?", "2023-06-01", "2023-07-01"),
        ("Where was she last summer?", "2022-06-01", "2022-09-01"),
        ("Where was she in the summer of 2021?", "2021-06-01", "2021-09-01"),
        ("What broke two weeks ago?", "2023-07-02", "2023-07-09"),
        ("What happened between May and July 2023?", "2023-05-01", "2023-08-01"),
        ("What happened after 3 June 2023?", "2023-06-04", "9999-01-01"),
        ("What happened since 3 June 2023?", "2023-06-03", "9999-01-01"),
        ("What happened before 3 June 2023?", "0001-01-01", "2023-06-03"),
    ],
)
def test_a_time_expression_is_an_interval(text: str, start: str, end: str) -> None:
    (span,) = time_spans(text, AT)

    assert (f"{span.start:%4Y-%m-%d}".zfill(10), f"{span.end:%Y-%m-%d}") == (start, end)
    assert not span.yearly


@pytest.mark.parametrize("text", ["What did she do in May?", "What did she do on 8 May?"])
def test_a_time_without_a_year_fits_every_year(text: str) -> None:
    (span,) = time_spans(text, AT)

    assert span.distance_days(datetime(2019, 5, 8, 9, tzinfo=UTC)) == 0.0
    assert span.distance_days(datetime(2021, 5, 8, 9, tzinfo=UTC)) == 0.0
    assert span.distance_days(datetime(2021, 6, 8, tzinfo=UTC)) > 6.0


@pytest.mark.parametrize(
    "text", ["May I come in?", "Did the march help?", "Who ate 31 June?", "It cost 2023$", "", "at 10:30"]
)
def test_words_that_only_look_like_a_time_are_none(text: str) -> None:
    assert time_spans(text, AT) == ()


def test_the_distance_is_in_days_outside_the_span() -> None:
    (span,) = time_spans("on 8 May 2023", AT)

    assert span.distance_days(datetime(2023, 5, 6, tzinfo=UTC)) == 2.0
    assert span.distance_days(datetime(2023, 5, 10, tzinfo=UTC)) == 1.0


@given(st.text(max_size=80))
def test_any_text_is_read_without_an_error(text: str) -> None:
    spans = time_spans(text, AT)

    assert [span for span in spans if span.start > span.end] == []
