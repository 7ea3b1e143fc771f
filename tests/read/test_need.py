"""Whether a line needs memory at all, by its words."""

from __future__ import annotations

import pytest

from agentmem.read import need


@pytest.mark.parametrize(
    "line",
    [
        "hi",
        "Thanks!",
        "ok cool",
        "Haha, that's funny",
        "how are you today?",
        "You’re welcome",
        "👍",
        "...",
        "",
    ],
)
def test_small_talk_needs_none(line: str) -> None:
    assert need.chance(line) < need.LEAST


@pytest.mark.parametrize(
    "line",
    [
        "What is my sister's name?",
        "thanks, and what was the wifi password?",
        "and her surname?",
        "Book the usual table for Friday",
        "How are you getting the data from my old phone?",
        "what did I just say?",
        "¿Dónde vive mi hermana?",
        "我妹妹住在哪里？",
        "wo habe ich den Schlüssel gelassen",
    ],
)
def test_what_asks_for_something_needs_it(line: str) -> None:
    assert need.chance(line) > 0.5


def test_a_long_line_takes_no_long_time() -> None:
    assert need.chance("hello how are you doing " * 20_000) >= 0.0
