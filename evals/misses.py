"""Why evidence did not reach the context: the figure that a memory system is tuned by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from . import metrics

CAUSES = ("not stored", "not ranked in 100", "ranked below 10", "not packed")
_TOP = 10


def miss(
    wanted: Mapping[str, str], stored: Collection[str], ranked: Sequence[str], context: str
) -> str | None:
    """The earliest stage at which evidence missing from the context was lost; None where none is missing.

    Args:
        wanted: the words of each evidence turn, by id.
        stored: ids of the turns that the system holds.
        ranked: what the system ranks, best first, as deep as it was asked.
        context: what the system packed.
    """
    found = metrics.quoted(context, list(wanted.values()))
    missing = [id_ for id_, there in zip(wanted, found, strict=True) if not there]
    return min((_cause(id_, stored, ranked) for id_ in missing), key=CAUSES.index, default=None)


def _cause(id_: str, stored: Collection[str], ranked: Sequence[str]) -> str:
    if id_ not in stored:
        return "not stored"
    if id_ not in ranked:
        return "not ranked in 100"
    return "ranked below 10" if id_ not in ranked[:_TOP] else "not packed"
