"""Which format a file is in, and the plain ones: JSON lines, JSON documents, text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentmem.cli.formats import read
from agentmem.cli.source import Source

Fixture = Any
CHATGPT = {"mapping": {"a": {"message": None}}, "current_node": "a"}
CLAUDE = {"uuid": "c1", "chat_messages": []}
LOCOMO = {"sample_id": "x", "conversation": {}}


@pytest.mark.parametrize(
    ("content", "format"),
    [
        ('{"content": "a"}\n{"content": "b"}\n', "jsonl"),
        ('\n\n{"content": "a"}', "jsonl"),
        ('\ufeff{"content": "a"}', "jsonl"),
        ([{"content": "a"}], "messages"),
        ({"messages": [{"content": "a"}]}, "jsonl"),
        ('{\n"messages": [{"content": "a"}]\n}', "messages"),
        ([CHATGPT], "chatgpt"),
        (CHATGPT, "chatgpt"),
        ({"conversations": [CHATGPT]}, "chatgpt"),
        ([CLAUDE], "claude"),
        ([LOCOMO], "locomo"),
        ("[05/03/2025, 10:14:33] Alice: Hi", "whatsapp"),
        ("5/3/25, 10:14 - Alice: Hi", "whatsapp"),
    ],
    ids=lambda value: None if isinstance(value, str) and value.isalpha() else "",
)
def test_a_format_is_known_by_its_content(write: Fixture, content: Any, format: str) -> None:
    with Source(write(content)) as source:
        assert read(source, None, None).format == format


def test_a_document_of_messages_keeps_their_fields(cli: Fixture, write: Fixture) -> None:
    path = write(
        [{"content": "Hi", "id": "e1", "name": "Alice", "at": "2023-05-08"}, {"content": "Ho", "id": "e2"}]
    )

    cli("remember", "--file", path)
    events = cli("events", "--json").json["events"]

    assert [(event["id"], event["name"]) for event in events] == [("e1", "Alice"), ("e2", None)]
    assert events[0]["occurred_at"] == "2023-05-08T00:00:00+00:00"


def test_a_conversation_gives_its_messages_their_session(cli: Fixture, write: Fixture) -> None:
    path = write(
        [
            {"id": "talk", "messages": [{"content": "a"}, {"content": "b", "session": "own"}]},
            {"messages": [{"content": "c"}]},
        ]
    )

    cli("remember", "--file", path)

    events = cli("events", "--json").json["events"]
    assert [event["session"] for event in events] == ["talk", "own", "conversation-2"]


def test_a_line_may_hold_a_conversation(cli: Fixture, write: Fixture) -> None:
    path = write(
        [{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}], "a.jsonl"
    )

    cli("remember", "--file", path)

    assert [event["role"] for event in cli("events", "--json").json["events"]] == ["user", "assistant"]


def test_a_plain_text_must_be_named(cli: Fixture, write: Fixture) -> None:
    path = write("Dear diary,\ntoday it rained.\n")

    refused = cli("remember", "--file", path)
    taken = cli("remember", "--file", path, "--format", "text")

    assert refused.code == 2
    assert "cannot tell the format of" in refused.err
    assert "--format jsonl|messages|chatgpt|claude|locomo|whatsapp|text" in refused.err
    assert (taken.code, taken.out) == (0, "1 message stored\n")


@pytest.mark.parametrize("format", ["chatgpt", "claude", "locomo", "whatsapp"])
def test_a_file_in_another_format_than_named_is_refused(cli: Fixture, write: Fixture, format: str) -> None:
    result = cli("remember", "--file", write([{"content": "a"}]), "--format", format)

    assert result.code == 2
    assert "not " in result.err
    assert cli("stats", "--json").json["events"] == 0


def test_an_empty_file_is_refused(cli: Fixture, write: Fixture) -> None:
    assert "is empty" in cli("remember", "--file", write("\n\n")).err


def test_utf16_is_named_as_such(cli: Fixture, write: Fixture) -> None:
    assert "is UTF-16, not UTF-8" in cli("remember", "--file", write("[]".encode("utf-16"))).err


def test_a_document_that_is_not_utf8_is_refused_with_its_place(cli: Fixture, write: Fixture) -> None:
    result = cli("remember", "--file", write(b'[\n{"content": "caf\xe9"}\n]'))

    assert "line 2, byte 18: not UTF-8" in result.err


def test_a_document_nested_too_deep_is_refused(cli: Fixture, write: Fixture) -> None:
    result = cli("remember", "--file", write("[" * 200_000))

    assert (result.code, "Traceback" in result.err) == (2, False)


def test_lines_are_read_as_a_stream(write: Fixture, tmp_path: Path) -> None:
    path = write([{"content": "x" * 1000}] * 1000, "a.jsonl")

    with Source(path) as source:
        items = read(source, None, None).items
        next(items)
        position = source.position

    assert position < 2000
