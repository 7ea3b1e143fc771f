"""Where `now` comes from, and how times are read and shown. Knows nothing of memory."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Protocol

from dateutil import parser as dateparser

from agentmem.errors import InvalidInputError

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
#: what is read as a time, by `to_utc`
Moment = datetime | date | str | int | float
_DEFAULTS = (datetime(1970, 1, 1), datetime(1972, 2, 1))  # noqa: DTZ001  to_utc adds the zone


class Clock(Protocol):
    """Tells the time; handed in so that tests and replays can set it."""

    def now(self) -> datetime:
        """The current moment, aware, in UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, at: datetime) -> None:
        self._at = to_utc(at)

    def now(self) -> datetime:
        return self._at

    def advance(self, by: timedelta) -> None:
        """Move forward by `by`."""
        self._at += by


def to_utc(value: Moment) -> datetime:
    """An aware UTC moment from a datetime, a date, an ISO-8601 or common date text, or Unix seconds.

    A value without a time zone is taken to be UTC. Raises `InvalidInputError` where it cannot be read.
    """
    try:
        if isinstance(value, bool):
            raise TypeError("a bool is not a time")
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, date):
            moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
        elif isinstance(value, int | float):
            moment = EPOCH + timedelta(seconds=value)
        else:
            moment = _parse(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, TypeError, AttributeError) as error:
        raise InvalidInputError(
            f"cannot read {value!r} as a time; give a datetime, Unix seconds, or ISO-8601 text "
            "such as '2023-05-08T13:56'"
        ) from error


def _parse(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        # what the text leaves out is taken from the default, so two of them show what that is
        found, other = (
            dateparser.parse(text, default=default, tzinfos=_refuse_zone) for default in _DEFAULTS
        )
        if (found.year, found.month) != (other.year, other.month):
            raise ValueError("a day needs its year and month") from None
        return found


def _refuse_zone(name: str | None, offset: int | None) -> tzinfo | None:
    """The zone of an offset; the parser itself would drop a name it does not know, and shift the time."""
    if offset is not None:
        return timezone(timedelta(seconds=offset))
    if name is None:
        return None
    raise ValueError(f"{name!r} is no time zone known everywhere; write an offset such as +02:00")


def to_micros(moment: datetime) -> int:
    """Microseconds since the Unix epoch: how times are stored, exactly."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return EPOCH + micros * MICROSECOND


def day_text(moment: datetime) -> str:
    """`Monday 8 May 2023`: the words a question about a day would use."""
    return _day_text(moment.date())


@lru_cache(maxsize=1024)
def _day_text(day: date) -> str:
    return f"{day:%A} {day.day} {day:%B} {day.year}"
