"""Which of several statements about one thing held when. Knows neither storage nor words of its own.

Notes with the same subject and predicate form a line of versions: the later one closes the earlier, in the order
of the time they speak of, not in the order they were recorded.
"""

from __future__ import annotations

from agentmem.terms import fold


def version_key(subject: str | None, predicate: str | None) -> str | None:
    """What notes about one property of one thing have in common; None where either is missing."""
    if not subject or not predicate:
        return None
    parts = [" ".join(fold(part).split()) for part in (subject, predicate)]
    return "\n".join(parts) if all(parts) else None
