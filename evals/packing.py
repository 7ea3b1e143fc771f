"""How the systems that do not pack for themselves lay turns out and fill a budget: greedily, in rank order."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache

from agentmem.clock import day_text
from agentmem.contracts import Tokenizer

from .task import Turn


def line(turn: Turn) -> str:
    """A turn as a baseline or a peer is given it."""
    return f"{turn.speaker} ({day_text(turn.at)}): {turn.content}"


def line_counter(tokenizer: Tokenizer) -> Callable[[str], int]:
    """Counts the tokens of a line and its end, each line once."""
    return cache(lambda text: tokenizer.count(text + "\n"))


def fill(lines: Iterable[str], budget_tokens: int, count: Callable[[str], int]) -> tuple[str, int]:
    """The lines that fit, best first, and their tokens; one that does not fit is passed over for the next."""
    chosen: list[str] = []
    spent = 0
    for text in lines:
        tokens = count(text)
        if spent + tokens <= budget_tokens:
            chosen.append(text)
            spent += tokens
    return "\n".join(chosen), spent
