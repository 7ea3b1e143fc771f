"""Reads WhatsApp's text export, whose dates follow the phone's language.

Taken: what people sent, over as many lines as it has. Left out: WhatsApp's own lines, which name no sender. A time has
no zone there and is taken as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from io import StringIO
from itertools import pairwise
from typing import NamedTuple

from agentmem.cli.items import Item
from agentmem.errors import InvalidInputError

# `[05/03/2025, 10:14:33] Alice: words` and `3/5/25, 9:04 PM - Alice: words`
_HEAD = re.compile(
    r"\[?(\d{1,4})[./-](\d{1,2})[./-](\d{1,4}),?\s+(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?"
    r"(?:\s*([ap])\.?\s?m\.?)?(?:\]\s*|\s+[-\u2013]\s+|:\s+)(.*)",
    re.IGNORECASE | re.DOTALL,
)
# marks of direction that WhatsApp writes around names and before attachments
_MARKS = "\u200e\u200f\u202a\u202c\ufeff"


class DateOrder(StrEnum):
    """How a date is written: day first, month first, year first."""

    dmy = "dmy"
    mdy = "mdy"
    ymd = "ymd"


class _Line(NamedTuple):
    """A line that begins a message; `date` is in the file's own order."""

    number: int
    date: tuple[int, int, int]
    clock: tuple[int, int, int]
    half: str
    rest: str


def looks_like(line: str) -> bool:
    """Whether a line begins as WhatsApp's do."""
    return _HEAD.match(line.lstrip(_MARKS)) is not None


def items(text: str, name: str, order: DateOrder | None) -> Iterator[Item]:
    """The messages in order.

    Raises:
        InvalidInputError: no line begins as WhatsApp's do, or a date fits no order.
    """
    lines = list(_lines(text))
    if not lines:
        raise InvalidInputError(
            f"{name}: not a WhatsApp export: no line begins with a date, a time and a name"
        )
    order = order or _order(lines)
    for line in lines:
        where = f"{name}, line {line.number}"
        at = _moment(line, order)
        if at is None:
            raise InvalidInputError(
                f"{where}: the date {'/'.join(map(str, line.date))} does not exist when read as {order.value}; "
                f"name the order: --date-order {'|'.join(DateOrder)}"
            )
        speaker, colon, words = line.rest.partition(": ")
        words = words.strip("\r\n" + _MARKS)
        message = {"name": speaker.strip(_MARKS), "content": words, "at": at}
        yield Item(where, message if colon and words.strip() else None)


def _lines(text: str) -> Iterator[_Line]:
    """Each message's first line joined with those that go on from it."""
    current: _Line | None = None
    for number, line in enumerate(StringIO(text), 1):
        match = _HEAD.match(line.lstrip(_MARKS))
        if match is None:
            if current is not None:
                current = current._replace(rest=current.rest + line)
            continue
        if current is not None:
            yield current
        a, b, c, hour, minute, second, half, rest = match.groups()
        date, clock = (int(a), int(b), int(c)), (int(hour), int(minute), int(second or 0))
        current = _Line(number, date, clock, (half or "").lower(), rest)
    if current is not None:
        yield current


def _order(lines: list[_Line]) -> DateOrder:
    """The order in which dates exist and time does not run backwards; in doubt a 12-hour clock is American."""
    usual = [DateOrder.mdy, DateOrder.dmy] if lines[0].half else [DateOrder.dmy, DateOrder.mdy]
    candidates = [DateOrder.ymd] if lines[0].date[0] > 31 else usual

    def faults(order: DateOrder) -> tuple[int, int]:
        moments = [_moment(line, order) for line in lines]
        known = [moment for moment in moments if moment is not None]
        backwards = sum(later < earlier for earlier, later in pairwise(known))
        return len(moments) - len(known), backwards

    return min(candidates, key=faults)


def _moment(line: _Line, order: DateOrder) -> datetime | None:
    day, month, year = (line.date[order.value.index(part)] for part in "dmy")
    hour = line.clock[0]
    if line.half:
        hour = hour % 12 + (12 if line.half == "p" else 0)
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, hour, *line.clock[1:], tzinfo=UTC)
    except ValueError:
        return None
