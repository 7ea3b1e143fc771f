"""`agentmem forget` asks before it removes, and removes only what was chosen."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest

from agentmem.cli.app import main

Fixture = Any


@pytest.fixture
def told(cli: Fixture) -> Fixture:
    cli("remember", "I adopted a cat.", "--session", "s1", "--id", "e1", "--at", "2023-05-08")
    cli("remember", "The flat is in Oslo.", "--session", "s2", "--id", "e2", "--at", "2024-05-08")
    return cli


def left(cli: Fixture) -> list[str]:
    return [event["id"] for event in cli("events", "--json").json["events"]]


@pytest.mark.parametrize(
    ("choice", "remaining"),
    [
        (["--id", "e1"], ["e2"]),
        (["--id", "e1", "--id", "e2"], []),
        (["--session", "s2"], ["e1"]),
        (["--before", "2024-01-01"], ["e2"]),
        (["--about", "cat"], ["e2"]),
        (["--about", "cat", "--session", "s2"], ["e1", "e2"]),
        (["--everything"], []),
    ],
)
def test_what_is_chosen_goes_and_the_rest_stays(
    told: Fixture, choice: list[str], remaining: list[str]
) -> None:
    result = told("forget", *choice, "--yes")

    assert result.code == 0
    assert left(told) == remaining


def test_it_tells_how_much_it_forgot(told: Fixture) -> None:
    assert told("forget", "--everything", "--yes").out == "forgot 2 events and 0 notes\n"


def test_json_lists_what_went(told: Fixture) -> None:
    assert told("forget", "--id", "e1", "--yes", "--json").json == {
        "event_ids": ["e1"],
        "memory_ids": [],
        "dry_run": False,
    }


def test_a_dry_run_lists_ids_and_removes_nothing(told: Fixture) -> None:
    assert told("forget", "--everything", "--dry-run").out == "e1\ne2\n"
    assert left(told) == ["e1", "e2"]


def test_without_anyone_to_ask_it_refuses(told: Fixture) -> None:
    result = told("forget", "--everything")

    assert (result.code, result.out) == (2, "")
    assert "add --yes or --dry-run" in result.err
    assert left(told) == ["e1", "e2"]


def test_without_a_choice_it_refuses(told: Fixture) -> None:
    result = told("forget", "--yes")

    assert result.code == 2
    assert "forget needs ids=" in result.err


class Terminal(io.StringIO):
    """A stdin that a person sits at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "code", "remaining"), [("y\n", 0, ["e2"]), ("n\n", 1, ["e1", "e2"]), ("\n", 1, ["e1", "e2"])]
)
def test_only_a_yes_removes(
    told: Fixture, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, remaining: list[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))

    assert main(["forget", "--id", "e1"]) == code
    assert left(told) == remaining


def test_the_question_says_what_would_go(
    told: Fixture, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("n\n"))

    main(["forget", "--session", "s1", "--json"])

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Forget 1 event and 0 notes of default in sqlite:///")
