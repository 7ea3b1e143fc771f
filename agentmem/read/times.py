"""Time expressions of a question, as intervals. Knows English words and calendars, not memory.

Absolute ("8 May 2023", "May 2023", "in 2022", "2023-05-08"), relative to a moment ("yesterday", "two weeks ago",
"last summer", "in the past month"), ranges ("between May and July 2023"), and open ends ("before", "after", "since").
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from dateutil.relativedelta import relativedelta

_MONTH_NAMES = (
    "january february march april may june july august september october november december".split(" ")  # noqa: SIM905
)
_DAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday".split(" ")  # noqa: SIM905
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)} | {
    name[:3]: number for number, name in enumerate(_MONTH_NAMES, 1) if name != "may"
}
_SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}
_NUMBERS = {
    "a": 1, "an": 1, "one": 1, "two": 2, "couple of": 2, "three": 3, "few": 3, "four": 4, "five": 5,
    "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_UNITS = {"day": 1, "week": 7, "month": 30, "year": 365}

_MONTH = rf"(?:{'|'.join(sorted(_MONTHS, key=len, reverse=True))})\b\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])(?:st|nd|rd|th)?"
_YEAR = r"(?:19|20)\d\d"
_SEASON = "(?:spring|summer|autumn|fall|winter)"
_COUNT = rf"(?:\d{{1,3}}|{'|'.join(sorted(_NUMBERS, key=len, reverse=True))})"
_UNIT = r"(?:day|week|month|year)s?"
_LEADS = ("in", "of", "during", "since", "before", "after", "until", "and", "between", "from", "to")
# "may" and "march" are months only where a word before them says so
_LED = "|".join(f"(?<={lead} )" for lead in _LEADS)
_FORMS = (
    rf"(?P<iso>{_YEAR}-\d\d(?:-\d\d)?)\b",
    rf"(?P<dmy>{_DAY}\s+(?:of\s+)?{_MONTH}(?:,?\s+{_YEAR})?)\b",
    rf"(?P<mdy>{_MONTH}\s+(?:the\s+)?{_DAY}\b(?!\s*:)(?:,?\s+{_YEAR})?)",
    rf"(?P<my>{_MONTH},?\s+(?:of\s+)?{_YEAR})\b",
    rf"(?P<season>(?:last\s+|this\s+)?{_SEASON}\s+(?:of\s+)?{_YEAR}|(?:last|this)\s+{_SEASON})\b",
    rf"(?P<ago>{_COUNT}\s+{_UNIT}\s+ago)\b",
    rf"(?P<past>(?:in|over|during|within)?\s*(?:the\s+)?(?:(?:last|past)\s+{_COUNT}\s+{_UNIT}|past\s+{_UNIT}))\b",
    rf"(?P<near>(?:last|this|previous|next)\s+(?:week|month|year|weekend|night|{'|'.join(_DAY_NAMES)}))\b",
    r"(?P<day>today|tonight|yesterday|tomorrow|the day before yesterday)\b",
    rf"(?P<month>(?:{_LED})(?:early\s+|mid-?\s*|late\s+)?{_MONTH})",
    rf"(?P<year>\b{_YEAR})\b(?![\d:%$])",
)
_EXPRESSION = re.compile(r"\b(?:" + "|".join(_FORMS) + ")", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|from)\s*$", re.IGNORECASE)
_JOIN = re.compile(r"\s*(?:and|to|until|till|through|-|–)\s*", re.IGNORECASE)
_OPEN = re.compile(
    r"\b(?P<before>before|prior to|until|till|by)\s*(?:the\s+)?$|\b(?P<after>after|following|since)\s*(?:the\s+)?$",
    re.IGNORECASE,
)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """From `start` up to, not including, `end`; `yearly` where the words named no year, so any year fits."""

    start: datetime
    end: datetime
    words: str
    yearly: bool = False

    def distance_days(self, moment: datetime) -> float:
        """0 inside the span, else how many days outside it."""
        spans = [(self.start, self.end)]
        if self.yearly:
            spans = [
                (self.start + relativedelta(years=shift), self.end + relativedelta(years=shift))
                for shift in range(moment.year - self.start.year - 1, moment.year - self.start.year + 2)
            ]
        return min(
            max((start - moment).total_seconds(), (moment - end).total_seconds(), 0.0) / 86_400
            for start, end in spans
        )


def time_spans(text: str, at: datetime) -> tuple[TimeSpan, ...]:
    """The spans a question names, in its order; relative ones are counted from `at`."""
    found: list[tuple[int, int, TimeSpan]] = []
    for match in _EXPRESSION.finditer(text):
        span = _read(match, at)
        if span is not None:
            found.append((match.start(), match.end(), span))
    joined = _ranges(text, found)
    return tuple(_opened(text[:start], span) for start, _, span in joined)


def _read(match: re.Match[str], at: datetime) -> TimeSpan | None:
    form = str(match.lastgroup)
    words = match.group().strip()
    try:
        start, end, yearly = _READERS[form](words.lower(), at)
    except (ValueError, OverflowError):
        # "31 June" is no day
        return None
    return TimeSpan(start, end, words, yearly)


_Read = tuple[datetime, datetime, bool]


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _iso(words: str, at: datetime) -> _Read:
    if len(words) == len("2023-05"):
        start = datetime.strptime(words, "%Y-%m").replace(tzinfo=UTC)
        return start, start + relativedelta(months=1), False
    start = datetime.strptime(words, "%Y-%m-%d").replace(tzinfo=UTC)
    return start, start + timedelta(days=1), False


def _calendar_day(words: str, at: datetime) -> _Read:
    year = re.search(_YEAR, words)
    rest = words.replace(year.group(), " ") if year else words
    day = int(re.findall(r"\d+", rest)[0])
    start = datetime(int(year.group()) if year else at.year, _month_of(rest), day, tzinfo=UTC)
    return start, start + timedelta(days=1), year is None


def _month_of(words: str) -> int:
    return next(_MONTHS[word] for word in re.findall(r"[a-z]+", words) if word in _MONTHS)


def _calendar_month(words: str, at: datetime) -> _Read:
    year = re.search(_YEAR, words)
    start = datetime(int(year.group()) if year else at.year, _month_of(words), 1, tzinfo=UTC)
    return start, start + relativedelta(months=1), year is None


def _calendar_year(words: str, at: datetime) -> _Read:
    return datetime(int(words), 1, 1, tzinfo=UTC), datetime(int(words) + 1, 1, 1, tzinfo=UTC), False


def _season(words: str, at: datetime) -> _Read:
    name = next(name for name in _SEASONS if name in words)
    year = re.search(_YEAR, words)
    start = datetime(int(year.group()) if year else at.year, _SEASONS[name], 1, tzinfo=UTC)
    if year is None and (start > at or ("last" in words and start + relativedelta(months=3) > at)):
        start -= relativedelta(years=1)
    return start, start + relativedelta(months=3), False


def _count_of(words: str) -> int:
    number = re.search(r"\d+", words)
    if number:
        return int(number.group())
    names = sorted(_NUMBERS, key=len, reverse=True)
    return next((_NUMBERS[name] for name in names if re.search(rf"\b{name}\b", words)), 1)


def _unit_of(words: str) -> str:
    return next(unit for unit in _UNITS if re.search(rf"\b{unit}s?\b", words))


def _ago(words: str, at: datetime) -> _Read:
    unit = _unit_of(words)
    middle = _midnight(at - _length(unit, _count_of(words)))
    # "three weeks ago" is not meant to the day
    slack = timedelta(days=_UNITS[unit] // 2)
    return middle - slack, middle + timedelta(days=1) + slack, False


def _past(words: str, at: datetime) -> _Read:
    return _midnight(at - _length(_unit_of(words), _count_of(words))), at, False


def _length(unit: str, count: int) -> relativedelta:
    return relativedelta(**{f"{unit}s": count})  # type: ignore[arg-type]


def _near(words: str, at: datetime) -> _Read:
    which, _, unit = words.partition(" ")
    unit = unit.strip()
    shift = {"this": 0, "next": 1}.get(which, -1)
    today = _midnight(at)
    if unit in _DAY_NAMES:
        days = (today.weekday() - _DAY_NAMES.index(unit)) % 7
        start = today - timedelta(days=days or 7) if shift < 0 else today + timedelta(days=(-days) % 7)
        return start, start + timedelta(days=1), False
    if unit == "night":
        return today - timedelta(days=1), at, False
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=shift)
    if unit == "week":
        return monday, monday + timedelta(weeks=1), False
    if unit == "weekend":
        return monday + timedelta(days=5), monday + timedelta(days=7), False
    if unit == "month":
        start = today.replace(day=1) + relativedelta(months=shift)
        return start, start + relativedelta(months=1), False
    start = today.replace(month=1, day=1) + relativedelta(years=shift)
    return start, start + relativedelta(years=1), False


def _named_day(words: str, at: datetime) -> _Read:
    shift = {"yesterday": -1, "tomorrow": 1, "the day before yesterday": -2}.get(words, 0)
    start = _midnight(at) + timedelta(days=shift)
    return start, start + timedelta(days=1), False


_READERS: dict[str, Callable[[str, datetime], _Read]] = {
    "iso": _iso,
    "dmy": _calendar_day,
    "mdy": _calendar_day,
    "my": _calendar_month,
    "month": _calendar_month,
    "year": _calendar_year,
    "season": _season,
    "ago": _ago,
    "past": _past,
    "near": _near,
    "day": _named_day,
}


def _ranges(text: str, found: list[tuple[int, int, TimeSpan]]) -> list[tuple[int, int, TimeSpan]]:
    """Two spans said as "between A and B" as one from the start of A to the end of B."""
    joined: list[tuple[int, int, TimeSpan]] = []
    for start, end, span in found:
        if joined:
            first_start, first_end, first = joined[-1]
            opened = _BETWEEN.search(text[:first_start])
            if opened and _JOIN.fullmatch(text[first_end:start]):
                if first.yearly and not span.yearly:
                    # "between May and July 2023": the year is said once
                    shift = relativedelta(years=span.start.year - first.start.year)
                    first = replace(first, start=first.start + shift, yearly=False)
                words = text[first_start:end]
                joined[-1] = (first_start, end, TimeSpan(first.start, span.end, words, first.yearly))
                continue
        joined.append((start, end, span))
    return joined


def _opened(before: str, span: TimeSpan) -> TimeSpan:
    """A span after "before", "after" and the like, open on that side."""
    match = _OPEN.search(before)
    if match is None or span.yearly:
        return span
    if match["before"]:
        return replace(span, start=_FIRST, end=span.start, words=f"{match['before']} {span.words}")
    start = span.start if match["after"].lower() == "since" else span.end
    return replace(span, start=start, end=_LAST, words=f"{match['after']} {span.words}")
