"""Files of messages: batches, repeats, faults in the middle, and Ctrl-C."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentmem import Memory

Fixture = Any
LINES = 10_000


def stored(database: Path) -> list[str]:
    with Memory(database) as memory:
        return [event.content for event in memory.events()]


def numbered(count: int) -> list[dict[str, str]]:
    return [{"content": f"turn {number}", "session": f"s{number // 100}"} for number in range(count)]


def test_a_file_longer_than_a_batch_is_stored_in_order(cli: Fixture, write: Fixture, database: Path) -> None:
    result = cli("remember", "--file", write(numbered(1100), "a.jsonl"))

    assert (result.code, result.out, result.err) == (0, "1,100 messages stored\n", "")
    assert stored(database) == [f"turn {number}" for number in range(1100)]


def test_the_same_file_twice_changes_nothing(cli: Fixture, write: Fixture) -> None:
    path = write(numbered(600), "a.jsonl")
    cli("remember", "--file", path)

    result = cli("remember", "--file", path, "--json")

    assert result.json == {
        "format": "jsonl",
        "added": 0,
        "duplicates": 600,
        "echoes": 0,
        "skipped": 0,
        "pending_vectors": 0,
        "interrupted": False,
    }


def test_a_file_that_has_grown_adds_only_what_is_new(cli: Fixture, write: Fixture) -> None:
    cli("remember", "--file", write(numbered(10), "a.jsonl"))

    assert cli("remember", "--file", write(numbered(13), "a.jsonl"), "--json").json["added"] == 3


def test_words_repeated_beyond_a_batch_are_all_kept(cli: Fixture, write: Fixture, database: Path) -> None:
    path = write(
        [{"content": "yes"} if number % 2 else {"content": f"{number}?"} for number in range(1400)], "a.jsonl"
    )

    cli("remember", "--file", path)
    again = cli("remember", "--file", path, "--json")

    assert stored(database).count("yes") == 700
    assert again.json["added"] == 0


def test_a_message_known_to_the_sdk_is_known_to_an_import(
    cli: Fixture, write: Fixture, database: Path
) -> None:
    with Memory(database) as memory:
        memory.remember({"content": "The flat is in Oslo.", "at": "2021-03-01"}, session="s1")

    path = write([{"content": "The flat is in Oslo.", "at": "2021-03-01", "session": "s1"}], "a.jsonl")

    assert cli("remember", "--file", path, "--json").json["duplicates"] == 1


def test_a_faulty_line_is_named_and_all_before_it_is_stored(
    cli: Fixture, write: Fixture, database: Path
) -> None:
    path = write([*numbered(700), {"content": "bad", "role": "wizard"}, {"content": "after"}], "a.jsonl")

    result = cli("remember", "--file", path)

    assert result.code == 2
    assert re.match(r"error: \S+a\.jsonl, line 701: unknown role 'wizard'.*; 700 messages stored", result.err)
    assert len(stored(database)) == 700


def test_an_import_goes_on_after_the_faulty_line_is_mended(
    cli: Fixture, write: Fixture, database: Path
) -> None:
    cli("remember", "--file", write([*numbered(700), {"content": ""}, {"content": "after"}], "a.jsonl"))

    mended = write([*numbered(700), {"content": "mended"}, {"content": "after"}], "a.jsonl")

    assert cli("remember", "--file", mended, "--json").json["added"] == 2
    assert stored(database)[-2:] == ["mended", "after"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b'{"content": "caf\xe9"}', "line 2, byte 36: not UTF-8 (0xe9"),
        (b'{"content": "torn', "line 2, column 13: not JSON"),
        (b'{"content": "x", "text": "y"}', "line 2: unknown field text; known: at, content"),
        (b"7", "line 2: a message is an object with 'content', not int"),
        (b'{"content": "a \\ud800 b"}', "line 2 holds a lone surrogate"),
    ],
    ids=["bytes", "torn", "field", "number", "surrogate"],
)
def test_a_fault_in_a_line_is_told_with_its_place(
    cli: Fixture, write: Fixture, line: bytes, fault: str
) -> None:
    result = cli("remember", "--file", write(b'{"content": "good"}\n' + line + b"\n", "a.jsonl"))

    assert result.code == 2
    assert f"a.jsonl, {fault}" in result.err
    assert "Traceback" not in result.err


def test_a_message_of_ten_megabytes_is_stored_whole(cli: Fixture, write: Fixture, database: Path) -> None:
    content = "All work and no play. " * 480_000

    result = cli("remember", "--file", write([{"content": content}], "a.jsonl"))

    assert result.code == 0
    assert stored(database) == [content]


def test_a_missing_file_is_an_error_of_one_line(cli: Fixture, tmp_path: Path) -> None:
    result = cli("remember", "--file", tmp_path / "nothing.jsonl")

    assert (result.code, result.out) == (2, "")
    assert result.err == f"error: {tmp_path / 'nothing.jsonl'}: No such file or directory\n"


def test_a_folder_is_not_a_file(cli: Fixture, tmp_path: Path) -> None:
    assert "is a folder" in cli("remember", "--file", tmp_path).err


def test_messages_from_stdin_are_stored_as_they_come(start: Fixture, database: Path) -> None:
    """A pipe that stays open: whole batches are durable before its end is seen."""
    process = start("remember", "--file", "-", stdin=subprocess.PIPE)
    process.stdin.write(b"".join(b'{"content": "turn %d", "id": "%d"}\n' % (n, n) for n in range(2000)))
    process.stdin.flush()
    wait_for(database, 512)

    out, _ = process.communicate()

    assert (process.returncode, out) == (0, b"2,000 messages stored\n")


def test_ctrl_c_keeps_what_is_stored_and_the_same_command_finishes(
    start: Fixture, write: Fixture, database: Path
) -> None:
    path = write(numbered(LINES), "a.jsonl")
    process = start("remember", "--file", path)
    wait_for(database, 512)

    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    told = int(re.match(rb"stopped: ([\d,]+) messages of this file stored", err)[1].replace(b",", b""))
    kept = stored(database)
    again, _ = start("remember", "--file", path).communicate()

    assert process.returncode == 130
    assert out == b"%s messages stored\n" % f"{told:,}".encode()
    assert b"the same command takes up where it stopped" in err
    assert 512 <= told < LINES
    assert kept == [f"turn {number}" for number in range(told)]
    assert again == f"{LINES - told:,} messages stored, {told:,} already known\n".encode()
    assert stored(database) == [f"turn {number}" for number in range(LINES)]


def test_ctrl_c_while_waiting_for_stdin_stops_at_once(start: Fixture, database: Path) -> None:
    process = start("remember", "--file", "-", "--json", stdin=subprocess.PIPE)
    process.stdin.write(b"".join(b'{"content": "turn %d", "id": "%d"}\n' % (n, n) for n in range(600)))
    process.stdin.flush()
    wait_for(database, 512)

    process.send_signal(signal.SIGINT)
    # what is left in the pipe is never taken for an end of input
    out, err = process.stdout.read(), process.stderr.read()

    assert process.wait() == 130
    assert b'"added": 512' in out
    assert b'"interrupted": true' in out
    assert err.startswith(b"stopped: 512 messages")
    assert len(stored(database)) == 512


def wait_for(database: Path, count: int) -> None:
    """Return once another process has stored this many events."""
    with Memory(database) as memory:
        while memory.stats().events < count:
            pass
