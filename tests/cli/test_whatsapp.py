"""WhatsApp's text export, in the shapes that phones write."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.cli.whatsapp import DateOrder, items
from agentmem.errors import InvalidInputError


def read(text: str, order: DateOrder | None = None) -> list[tuple[str, str, str]]:
    found = [item.message for item in items(text, "chat", order) if item.message]
    return [(f"{message['at']:%Y-%m-%d %H:%M:%S}", message["name"], message["content"]) for message in found]


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("[15/03/2025, 10:14:33] Alice: Hi", "2025-03-15 10:14:33"),
        ("\u200e[15/03/2025, 10:14:33] Alice: Hi", "2025-03-15 10:14:33"),
        ("[3/15/25, 9:04:05\u202fPM] Alice: Hi", "2025-03-15 21:04:05"),
        ("3/15/25, 12:04 AM - Alice: Hi", "2025-03-15 00:04:00"),
        ("15/03/2025, 9:04 p. m. - Alice: Hi", "2025-03-15 21:04:00"),
        ("15.04.2016, 15:04 - Alice: Hi", "2016-04-15 15:04:00"),
        ("2025-03-15, 10:14 - Alice: Hi", "2025-03-15 10:14:00"),
        ("28-09-16 11:20:19: Alice: Hi", "2016-09-28 11:20:19"),
    ],
)
def test_each_phones_way_to_write_a_line_is_read(line: str, at: str) -> None:
    assert read(line + "\n") == [(at, "Alice", "Hi")]


def test_a_message_goes_on_over_lines_without_a_date() -> None:
    text = "[15/03/2025, 10:14:33] Alice: one\ntwo: 2\n\nthree\r\n[15/03/2025, 10:15:00] Bob: four"

    assert [content for _, _, content in read(text)] == ["one\ntwo: 2\n\nthree", "four"]


def test_lines_of_whatsapp_itself_are_left_out() -> None:
    text = "15.04.2016, 15:04 - You created group Cats\n15.04.2016, 15:05 - Alice: Hi\n"

    assert [item.message is None for item in items(text, "chat", None)] == [True, False]


def test_a_day_above_twelve_settles_the_order_for_all_lines() -> None:
    text = "1/2/2025, 10:00 - Alice: a\n13/2/2025, 10:00 - Alice: b\n"

    assert [at[:10] for at, _, _ in read(text)] == ["2025-02-01", "2025-02-13"]


def test_time_running_backwards_settles_the_order_too() -> None:
    text = "2/1/2025, 10:00 - Alice: a\n2/11/2025, 10:00 - Alice: b\n3/2/2025, 10:00 - Alice: c\n"

    assert [at[:10] for at, _, _ in read(text)] == ["2025-02-01", "2025-02-11", "2025-03-02"]


def test_in_doubt_a_clock_of_twelve_hours_is_american() -> None:
    assert read("3/4/25, 9:04 PM - Alice: Hi")[0][0] == "2025-03-04 21:04:00"
    assert read("3/4/25, 21:04 - Alice: Hi")[0][0] == "2025-04-03 21:04:00"


def test_the_order_can_be_named(cli: Any, write: Any) -> None:
    cli("remember", "--file", write("3/4/25, 21:04 - Alice: Hi\n"), "--date-order", "mdy")

    assert cli("events", "--json").json["events"][0]["occurred_at"] == "2025-03-04T21:04:00+00:00"


def test_a_date_that_does_not_exist_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInputError, match="chat, line 2: the date 31/31/2025 does not exist"):
        read("1/1/2025, 10:00 - Alice: a\n31/31/2025, 10:00 - Alice: b\n")


def test_the_same_word_twice_in_a_minute_is_kept_twice(cli: Any, write: Any) -> None:
    path = write("3/4/25, 21:04 - Alice: ok\n3/4/25, 21:04 - Alice: ok\n")

    assert cli("remember", "--file", path, "--json").json["added"] == 2
    assert cli("remember", "--file", path, "--json").json["added"] == 0
