"""Bars show themselves on a terminal, after a second, and nowhere else."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from agentmem.cli import progress
from agentmem.cli.progress import Bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_shown_where_stderr_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)

    with Bar("working", 10) as bar:
        bar.advance_to(5)

    assert capsys.readouterr() == ("", "")


def test_short_work_shows_nothing_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)

    with Bar("working", 10) as bar:
        bar.advance_to(10)

    assert terminal.getvalue() == ""


@pytest.mark.parametrize(
    ("total", "unit", "shown"),
    [(10, "", "5/10"), (2000, "bytes", "kB"), (None, "", "working")],
    ids=["steps", "bytes", "open"],
)
def test_long_work_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, total: int | None, unit: str, shown: str
) -> None:
    terminal: Any = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with Bar("working", total, unit) as bar:
        bar._show()
        bar.advance_to(5)

    assert "working" in terminal.getvalue()
    assert shown in terminal.getvalue()
