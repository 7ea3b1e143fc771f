"""Which relations one event shows: a pure function of what it names, so that a removal is an addition undone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

# a name relates to this many after it; in a long message not everything belongs together
NEAR = 8


class Named(NamedTuple):
    """An entity in an event, in the order of first occurrence."""

    pk: int
    kind: str


class Relation(NamedTuple):
    """The key of an edge."""

    source: int
    target: int
    kind: str


def relations(named: Sequence[Named]) -> Iterator[Relation]:
    """The edges that an event naming these entities, in this order, adds one to."""
    dates = [item.pk for item in named if item.kind == "date"][:NEAR]
    speakers = [item.pk for item in named if item.kind == "speaker"]
    # a lone word at the start of a sentence may be no name at all
    others = [item.pk for item in named if item.kind not in ("date", "speaker", "initial")]
    for speaker in speakers:
        for pk in others:
            yield Relation(speaker, pk, "speaks_of")
    for place, pk in enumerate(others):
        for near in others[place + 1 : place + 1 + NEAR]:
            yield Relation(min(pk, near), max(pk, near), "with")
    for pk in (*speakers, *others[:NEAR]):
        for date in dates:
            yield Relation(pk, date, "on")
