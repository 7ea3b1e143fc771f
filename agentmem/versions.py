"""Which of several statements about one thing held when. Knows nothing of storage.

Notes with the same subject and predicate form a line of versions, of which one holds at a time: of those that claim
a moment, the one that begins last; of two that begin together, the one recorded last. So a note about the past
(recorded late, of an earlier time) finds its place, whatever order notes come in. Valid time and recorded time are
Snodgrass's (Developing Time-Oriented Database Applications, 1999).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from agentmem.terms import fold

Period = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Version:
    """One statement of a line; times in microseconds.

    `says` is what another must differ from to contradict it, `recorded` when it was written down, and `place` its
    place in the order of writing. `stated_to` is the end it claims, None for none.
    """

    id: str
    says: str
    starts: int
    stated_to: int | None
    recorded: int
    place: int


@dataclass(frozen=True, slots=True)
class Held:
    """When a version holds: periods in order; none where another begins together with it and never gives way.

    `valid_to` is the end of the last one, None for none, and `by` the version that ended it, None where none did.
    `gaps` are the times between its beginning and `valid_to` at which others hold.
    """

    periods: tuple[Period, ...]
    valid_to: int | None
    by: str | None
    gaps: tuple[tuple[int, int], ...] = ()


def version_key(subject: str | None, predicate: str | None) -> str | None:
    """What notes about one property of one thing have in common; None where either is missing."""
    if not subject or not predicate:
        return None
    parts = [" ".join(fold(part).split()) for part in (subject, predicate)]
    return "\n".join(parts) if all(parts) else None


def saying(object: str | None, text: str) -> str:
    """What a note says, for comparison with others of its line."""
    return " ".join(fold(object or text).split())


def held(line: Sequence[Version]) -> dict[str, Held]:
    """When each version of a line holds. The periods of all of them never meet."""
    ordered = sorted(line, key=lambda version: (version.starts, version.place))
    periods: dict[str, list[Period]] = {version.id: [] for version in line}
    # the versions that claim the moment, the one that holds last
    claims: list[Version] = []
    for version, following in zip_longest(ordered, ordered[1:]):
        # what holds without an end leaves nothing to come back after it
        lasting = version.stated_to is None
        claims = [] if lasting else [claim for claim in claims if not _replaces(version, claim)]
        claims.append(version)
        _share_out(version.starts, None if following is None else following.starts, claims, periods)
    begins = {
        version.starts: version.id
        for version in ordered
        if version.stated_to is None or version.stated_to > version.starts
    }
    return {version.id: _outcome(version, periods[version.id], begins) for version in line}


def confirmed(line: Sequence[Version], new: Version) -> str | None:
    """The version that says what a new one says for all of its time, so that it adds evidence and nothing else."""
    outcome = held(line)
    for version in line:
        if version.says == new.says and not (new.stated_to is not None and _replaces(new, version)):
            for start, end in outcome[version.id].periods:
                if start <= new.starts and _reaches(end, new.stated_to):
                    return version.id
    return None


def _reaches(end: int | None, other: int | None) -> bool:
    return end is None or (other is not None and end >= other)


def _replaces(later: Version, earlier: Version) -> bool:
    """Whether a version takes the whole place of one that says the same, and not only its own time.

    It does where it was written later, unless it tells of the past within the time of the other.
    """
    if later.says != earlier.says or later.place < earlier.place:
        return False
    of_the_past = later.stated_to is not None and later.stated_to <= later.recorded
    return later.starts == earlier.starts or not of_the_past


def _share_out(start: int, end: int | None, claims: list[Version], periods: dict[str, list[Period]]) -> None:
    """Give the time from `start` to `end`, in which nothing begins, to the last that claims it, and so on."""
    moment: int | None = start
    while claims and moment is not None and (end is None or moment < end):
        stated_to = claims[-1].stated_to
        if stated_to is not None and stated_to <= moment:
            claims.pop()
            continue
        until = end if stated_to is None or (end is not None and end < stated_to) else stated_to
        own = periods[claims[-1].id]
        if own and own[-1][1] == moment:
            own[-1] = (own[-1][0], until)
        else:
            own.append((moment, until))
        moment = until


def _outcome(version: Version, periods: list[Period], begins: dict[int, str]) -> Held:
    if not periods:
        return Held((), version.starts, begins.get(version.starts))
    valid_to = periods[-1][1]
    by = None if valid_to is None or valid_to == version.stated_to else begins[valid_to]
    ends = (version.starts, *(end for _, end in periods if end is not None))
    gaps = ((end, start) for end, (start, _) in zip(ends, periods, strict=False) if end < start)
    return Held(tuple(periods), valid_to, by, tuple(gaps))
