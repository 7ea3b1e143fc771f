"""`agentmem remember` with a text or stdin, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentmem import Memory

Fixture = Any


def test_a_text_is_stored_and_its_id_printed(cli: Fixture, database: Path) -> None:
    result = cli("remember", "I adopted a cat.", "--name", "Alice", "--at", "2023-05-08T13:56", "--id", "e1")

    assert (result.code, result.out, result.err) == (0, "e1\n", "")
    with Memory(database) as memory:
        (event,) = memory.events()
    assert (event.content, event.name, event.occurred_at.isoformat()) == (
        "I adopted a cat.",
        "Alice",
        "2023-05-08T13:56:00+00:00",
    )


def test_a_dash_reads_the_message_from_stdin(cli: Fixture, database: Path) -> None:
    cli("remember", "-", stdin="Grüße aus Køln\nzweite Zeile".encode())

    with Memory(database) as memory:
        assert [event.content for event in memory.events()] == ["Grüße aus Køln\nzweite Zeile"]


def test_the_same_text_twice_is_stored_once(cli: Fixture) -> None:
    cli("remember", "The flat is in Oslo.")

    assert cli("remember", "The flat is in Oslo.", "--json").json["duplicates"] == 1
    assert cli("stats", "--json").json["events"] == 1


def test_json_gives_the_receipt(cli: Fixture) -> None:
    receipt = cli("remember", "Hello", "--id", "e1", "--session", "s1", "--json").json

    assert receipt == {
        "event_ids": ["e1"],
        "added": 1,
        "duplicates": 0,
        "echoes": 0,
        "pending_vectors": 0,
        "session": "s1",
    }


def test_each_namespace_part_is_an_option(cli: Fixture, database: Path) -> None:
    cli("remember", "Hello", "-n", "org", "-n", "ali/ce")

    with Memory(database) as memory:
        assert memory.namespaces() == [("org", "ali/ce")]


@pytest.mark.parametrize("arguments", [[], ["text", "--file", "x"]], ids=["neither", "both"])
def test_text_and_file_exclude_each_other(cli: Fixture, arguments: list[str]) -> None:
    result = cli("remember", *arguments)

    assert result.code == 2
    assert result.err.startswith("error: give a TEXT")


@pytest.mark.parametrize("text", ["", " \n\t"], ids=["empty", "blank"])
def test_an_empty_text_is_refused(cli: Fixture, text: str) -> None:
    result = cli("remember", text)

    assert (result.code, result.out) == (2, "")
    assert "the content is empty" in result.err


def test_an_unknown_role_is_refused_with_the_known_ones(cli: Fixture) -> None:
    result = cli("remember", "Hello", "--role", "wizard")

    assert result.code == 2
    assert "unknown role 'wizard'; known: user" in result.err


def test_stdin_that_is_not_utf8_is_refused_with_its_place(cli: Fixture) -> None:
    result = cli("remember", "-", stdin=b"first\ncaf\xe9\n")

    assert result.code == 2
    assert "stdin, line 2, byte 9: not UTF-8 (0xe9" in result.err


def test_an_id_with_other_words_is_refused(cli: Fixture) -> None:
    cli("remember", "Oslo", "--id", "e1")

    result = cli("remember", "Bergen", "--id", "e1", "--json")

    assert result.code == 2
    assert result.json["error"]["type"] == "DuplicateIdError"


def test_options_for_a_text_are_refused_beside_a_file(cli: Fixture, write: Fixture) -> None:
    result = cli("remember", "--file", write([{"content": "Hi"}], "a.jsonl"), "--name", "Alice")

    assert result.code == 2
    assert "--name, --at and --id are for a TEXT" in result.err
