"""Dates named in a text, as days, weeks, months or years. Relative ones are read against when it was said.

A named date is ISO-8601: `2023-05-08`, `2023-W19`, `2023-05` or `2023`. Knows nothing of time zones beyond UTC and
nothing of times of day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import NamedTuple

from agentmem.write.clues import may_match

MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_OF = {name: number for number, name in enumerate(MONTHS, 1)} | {
    name[:3]: number for number, name in enumerate(MONTHS, 1)
}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER_OF = {word: number for number, word in enumerate(_NUMBERS, 1)}
_NUMBER_OF |= {"a": 1, "an": 1, "couple": 2, "few": 3}
_MONTH = "|".join([*MONTHS, *(name[:3] for name in MONTHS if name != "may")])
_DAY = r"(?P<{0}>[0-3]?\d)(?:st|nd|rd|th)?"
_YEAR = r"(?P<{0}>(?:19|20)\d\d)"
_UNITS = r"days?|weeks?|months?|years?"
DATES = re.compile(
    rf"""\b(?:
      (?P<iso>(?:19|20)\d\d-[01]\d(?:-[0-3]\d)?)
    | {_DAY.format("day1")}\s+(?:of\s+)?(?P<month1>{_MONTH})\b\.?(?:,?\s+{_YEAR.format("year1")})?
    | (?P<month2>{_MONTH})\b\.?\s+{_DAY.format("day2")}\b(?:,?\s+{_YEAR.format("year2")})?
    | (?P<month3>{_MONTH}),?\s+(?:of\s+)?{_YEAR.format("year3")}
    | (?P<near>yesterday|today|tonight|tomorrow)
    | (?P<turn>last|this|next)\s+(?P<what>week|weekend|month|year|{"|".join(WEEKDAYS)})
    | (?P<count>\d{{1,3}}|{"|".join(_NUMBER_OF)})(?:\s+of)?\s+(?P<unit>{_UNITS})\s+ago
    | (?:in|since|until|by|during)\s+{_YEAR.format("year4")}
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
# most texts name no date, and this is quick to rule out
_HINT = re.compile(rf"\d|day|ago|(?:last|this|next)\s|{'|'.join(MONTHS)}|tonight|tomorrow", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_CLUES = ("day", "ago", "last", "this", "next", *MONTHS, "tonight", "tomorrow")


class NamedDate(NamedTuple):
    """A date in a text: its ISO-8601 form and its character range."""

    iso: str
    start: int
    end: int


def named_dates(text: str, said_at: datetime) -> Iterator[NamedDate]:
    """The dates a text names, in order; one that does not exist, such as 31 June, is left out."""
    if _DIGIT.search(text) is None and (not may_match(text, _CLUES) or _HINT.search(text) is None):
        return
    for match in DATES.finditer(text):
        # a calendar ends somewhere, and texts name days that no month has
        with suppress(ValueError, OverflowError):
            yield NamedDate(_iso(match, said_at.date()), match.start(), match.end())


def _iso(match: re.Match[str], today: date) -> str:
    found = {name: text.lower() for name, text in match.groupdict().items() if text is not None}
    if "iso" in found:
        return _checked(found["iso"])
    for place in ("1", "2"):
        if f"month{place}" in found:
            month, day = _MONTH_OF[found[f"month{place}"]], int(found[f"day{place}"])
            year = found.get(f"year{place}")
            return (date(int(year), month, day) if year else _nearest(month, day, today)).isoformat()
    if "month3" in found:
        return f"{found['year3']}-{_MONTH_OF[found['month3']]:02d}"
    if "near" in found:
        days = {"yesterday": -1, "tomorrow": 1}.get(found["near"], 0)
        return (today + timedelta(days=days)).isoformat()
    if "turn" in found:
        return _turned(found["what"], {"last": -1, "this": 0, "next": 1}[found["turn"]], today)
    if "unit" in found:
        count = found["count"]
        return _shifted(found["unit"].rstrip("s"), -(_NUMBER_OF.get(count) or int(count)), today)
    return found["year4"]


def _checked(iso: str) -> str:
    date.fromisoformat(iso if len(iso) > 7 else f"{iso}-01")
    return iso


def _nearest(month: int, day: int, today: date) -> date:
    """The day of this name that is closest to today."""
    years = []
    for year in (today.year - 1, today.year, today.year + 1):
        with suppress(ValueError):
            years.append(date(year, month, day))
    return min(years, key=lambda found: abs(found - today))


def _turned(what: str, turn: int, today: date) -> str:
    if what in WEEKDAYS:
        ahead = (WEEKDAYS.index(what) - today.weekday()) % 7
        if turn < 0:
            return (today + timedelta(days=ahead - 7)).isoformat()
        return (today + timedelta(days=ahead or 7 * turn)).isoformat()
    return _shifted("week" if what == "weekend" else what, turn, today)


def _shifted(unit: str, by: int, today: date) -> str:
    """The day, week, month or year that lies `by` of them from today."""
    if unit == "day":
        return (today + timedelta(days=by)).isoformat()
    if unit == "week":
        year, week, _ = (today + timedelta(weeks=by)).isocalendar()
        return f"{year}-W{week:02d}"
    if unit == "year":
        return f"{date(today.year + by, 1, 1).year:04d}"
    months = today.year * 12 + today.month - 1 + by
    return f"{date(months // 12, months % 12 + 1, 1):%Y-%m}"
