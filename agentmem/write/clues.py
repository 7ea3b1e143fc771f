"""Rules out quickly what a slow pattern would look for in vain. Knows no pattern."""

from __future__ import annotations


def may_match(text: str, clues: tuple[str, ...]) -> bool:
    """Whether one of the clues, in lower-case ASCII, stands in the text in any case.

    A text beyond ASCII is never ruled out: there a pattern that ignores case takes "ſ" for an "s".
    """
    if not text.isascii():
        return True
    lower = text.lower()
    for clue in clues:  # noqa: SIM110  a generator takes longer than the clues do
        if clue in lower:
            return True
    return False
