"""`agentmem events`, `notes`, `history` and `stats`."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import Any

import pytest

Fixture = Any


@pytest.fixture
def told(cli: Fixture, write: Fixture) -> Fixture:
    lines = [
        {
            "content": f"turn {n}\nmore",
            "id": f"e{n}",
            "session": f"s{n % 2}",
            "name": "Ann",
            "at": "2023-05-08T13:56:07",
        }
        for n in range(4)
    ]
    cli("remember", "--file", write(lines, "a.jsonl"))
    return cli


def test_events_are_printed_in_order_with_who_and_when(told: Fixture) -> None:
    out = told("events").out

    assert out.startswith(
        "2023-05-08 13:56:07  s0  e0  Ann: turn 0\n    more\n2023-05-08 13:56:07  s1  e1  Ann: turn 1\n"
    )


def test_events_of_one_session_from_a_position_up_to_a_limit(told: Fixture) -> None:
    def ids(*arguments: object) -> list[str]:
        return [event["id"] for event in told("events", *arguments, "--json").json["events"]]

    assert ids("--session", "s1") == ["e1", "e3"]
    assert ids("--after", 1) == ["e2", "e3"]
    assert ids("--limit", 1) == ["e0"]


def test_event_json_has_the_documented_keys(told: Fixture) -> None:
    event = told("events", "--json").json["events"][0]

    assert sorted(event) == [
        "content", "content_hash", "id", "metadata", "name", "namespace", "occurred_at", "recorded_at", "role", "seq",
        "session", "token_count",
    ]  # fmt: skip


def test_no_events_are_an_empty_list(cli: Fixture) -> None:
    assert cli("events", "--json").json == {"events": []}
    assert cli("events").out == ""


def test_more_events_than_a_page_are_all_printed(cli: Fixture, write: Fixture) -> None:
    cli("remember", "--file", write([{"content": f"turn {n}"} for n in range(1100)], "a.jsonl"))

    assert cli("events").out.count("\n") == 1100
    assert len(cli("events", "--limit", 600, "--json").json["events"]) == 600


def test_a_namespace_sees_only_its_own(told: Fixture) -> None:
    assert told("events", "-n", "other").out == ""


def test_a_reader_that_stops_early_is_no_error(told: Fixture, write: Fixture, start: Fixture) -> None:
    told("remember", "--file", write([{"content": f"turn {n} " + "x" * 200} for n in range(3000)], "b.jsonl"))
    process = start("events")

    process.stdout.readline()
    process.stdout.close()

    assert process.stderr.read() == b""
    assert process.wait() == 141


def test_history_tells_what_happened_also_after_forgetting(told: Fixture) -> None:
    told("forget", "--id", "e1", "--yes")

    entries = told("history", "e1", "--json").json["history"]

    assert [entry["action"] for entry in told("history", "e0", "--json").json["history"]] == ["remembered"]
    assert entries[-1]["action"] == "forgotten"
    assert "  forgotten" in told("history", "e1").out


def test_history_prints_every_version_of_a_note_and_why_it_changed(cli: Fixture) -> None:
    home = ("--subject", "Alice", "--predicate", "lives in")
    cli("note", "Alice lives in Rome", *home, "--id", "rome", "--valid-from", "2020-01-01")
    cli("note", "Alice lives in Paris", *home, "--id", "paris")

    printed = cli("history", "rome").out

    assert [line.split("  ")[1:3] for line in printed.splitlines()] == [
        ["rome", "noted"],
        ["paris", "noted"],
        ["rome", "superseded"],
    ]
    assert "text=Alice lives in Paris" in printed
    assert "why=a later note says something else of the same" in printed


def test_notes_are_printed_with_the_time_they_hold(cli: Fixture) -> None:
    home = ("--subject", "Alice", "--predicate", "lives in")
    cli("note", "Alice lives in Rome", *home, "--id", "rome", "--valid-from", "2020-01-01")
    cli("note", "Alice lives in Paris", *home, "--id", "paris", "--valid-from", "2022-01-01")

    assert cli("notes").out == (
        "2020-01-01 00:00:00 to 2022-01-01 00:00:00  rome  fact: Alice lives in Rome\n"
        "2022-01-01 00:00:00 to still  paris  fact: Alice lives in Paris\n"
    )
    assert [note["id"] for note in cli("notes", "--at", "2021-01-01", "--json").json["notes"]] == ["rome"]
    assert [note["id"] for note in cli("notes", "--at", "now", "--json").json["notes"]] == ["paris"]


def test_a_note_that_excludes_none_closes_none(cli: Fixture) -> None:
    likes = ("--subject", "Alice", "--predicate", "likes", "--no-exclusive")
    cli("note", "Alice likes cats", *likes, "--id", "cats")
    cli("note", "Alice likes dogs", *likes, "--id", "dogs")

    entries = cli("history", "cats", "--json").json["history"]

    assert [(entry["id"], entry["action"]) for entry in entries] == [("cats", "noted")]


def test_history_of_an_unknown_id_is_an_error(cli: Fixture) -> None:
    result = cli("history", "nobody", "--json")

    assert result.code == 2
    assert result.json["error"]["type"] == "RecordNotFoundError"


def test_stats_count_what_is_there(told: Fixture) -> None:
    stats = told("stats", "--json").json

    assert (stats["events"], stats["sessions"], stats["embedder"]) == (4, 2, "hash-512")
    assert sorted(stats) == [
        "dims", "embedder", "events", "first_at", "last_at", "memories", "namespace", "passages", "sessions",
        "store_bytes", "tokens", "url", "vectors",
    ]  # fmt: skip
    assert "events       4\n" in told("stats").out


def test_stats_of_all_namespaces(told: Fixture) -> None:
    told("remember", "Hello", "-n", "org", "-n", "alice")

    spaces = told("stats", "--all", "--json").json["namespaces"]

    assert [(item["namespace"], item["events"]) for item in spaces] == [
        (["default"], 4),
        (["org", "alice"], 1),
    ]
    assert "namespace    org/alice" in told("stats", "--all").out


def test_control_characters_cannot_steer_a_terminal(told: Fixture, start: Fixture) -> None:
    told("remember", "red \x1b[31malert\x07", "--id", "evil", "--session", "evil")
    master, slave = pty.openpty()

    process = start("events", "--session", "evil", stdout=slave, stderr=subprocess.DEVNULL)
    process.wait()
    os.close(slave)
    shown = os.read(master, 10_000)
    os.close(master)

    assert b"\x1b" not in shown
    assert "red �[31malert�".encode() in shown
