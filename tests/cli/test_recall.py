"""`agentmem recall` and `agentmem note`."""

from __future__ import annotations

import json
from typing import Any

import pytest

Fixture = Any


@pytest.fixture
def told(cli: Fixture) -> Fixture:
    cli(
        "remember",
        "I adopted a cat called Miso.",
        "--name",
        "Alice",
        "--at",
        "2023-05-08T13:56",
        "--id",
        "e1",
    )
    cli("remember", "The flat is in Bergen.", "--name", "Bob", "--at", "2024-01-02", "--id", "e2")
    return cli


def test_recall_prints_the_evidence_with_date_and_speaker(told: Fixture) -> None:
    result = told("recall", "What is the cat called?")

    assert (result.code, result.err) == (0, "")
    assert "# Monday 8 May 2023" in result.out
    assert "Alice: I adopted a cat called Miso." in result.out


def test_json_has_the_documented_keys(told: Fixture) -> None:
    answer = told("recall", "cat", "--json").json

    assert list(answer) == ["text", "items", "trace", "tokens", "source_ids"]
    assert sorted(answer["items"][0]) == sorted(
        [
            "id",
            "text",
            "tier",
            "kind",
            "score",
            "source_ids",
            "at",
            "tokens",
            "span",
            "channels",
            "speaker",
            "session",
        ]
    )
    assert answer["items"][0]["at"] == "2023-05-08T13:56:00+00:00"
    assert answer["source_ids"][0] == "e1"


def test_at_leaves_out_what_came_later(told: Fixture) -> None:
    assert "Bergen" not in told("recall", "Where is the flat?", "--at", "2023-12-31").out


def test_k_and_tier_narrow_the_answer(told: Fixture) -> None:
    assert len(told("recall", "cat flat", "-k", 1, "--json").json["items"]) == 1
    assert told("recall", "cat", "--tier", "semantic", "--json").json["items"] == []


def test_explain_prints_the_trace_below(told: Fixture) -> None:
    out = told("recall", "cat", "--explain").out

    assert out.index("</memory>") < out.index("channel   lexical")


def test_nothing_found_leaves_stdout_empty(cli: Fixture) -> None:
    result = cli("recall", "cat")

    assert (result.code, result.out, result.err) == (0, "", "nothing found\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([" "], "the query is empty"),
        (["cat", "--budget", "0"], "budget_tokens is a whole number of at least 1"),
        (["cat", "--budget", "3"], "cannot hold the frame"),
        (["cat", "-k", "-1"], "k is a whole number of at least 1"),
        (["cat", "--tier", "attic"], "unknown tiers ['attic']; known: window"),
        (["cat", "--at", "whenever"], "cannot read 'whenever' as a time"),
    ],
)
def test_what_makes_no_sense_is_an_error_of_one_line(
    cli: Fixture, arguments: list[str], message: str
) -> None:
    result = cli("recall", *arguments)

    assert result.code == 2
    assert result.err.startswith("error: ")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_a_note_is_recalled_with_its_kind(told: Fixture) -> None:
    note_id = told("note", "Alice is vegetarian", "--kind", "preference", "--source", "e1").out.strip()

    (item,) = told("recall", "vegetarian", "--tier", "semantic", "--json").json["items"]
    assert (item["id"], item["kind"], item["source_ids"]) == (note_id, "preference", ["e1"])


def test_a_note_of_an_unknown_kind_is_refused(cli: Fixture) -> None:
    assert "unknown kind 'rumour'; known: fact" in cli("note", "x", "--kind", "rumour").err


def test_a_note_may_have_an_id_of_its_own(cli: Fixture) -> None:
    assert cli("note", "x", "--id", "n1", "--json").json == {"id": "n1"}


def test_a_stream_prints_what_a_recall_of_the_same_prints(told: Fixture) -> None:
    streamed, whole = told("recall", "Miso", "--stream"), told("recall", "Miso")

    assert (streamed.code, streamed.err) == (0, "")
    assert sorted(streamed.out.splitlines()) == sorted(whole.out.splitlines())


def test_a_stream_as_json_is_an_object_a_line_and_the_last_has_the_whole(told: Fixture) -> None:
    result = told("recall", "What is the cat called?", "--stream", "--json")

    chunks = [json.loads(line) for line in result.out.splitlines()]
    assert len(chunks) == 2
    assert "".join(chunk["text"] for chunk in chunks) == chunks[-1]["recall"]["text"]
    assert [chunk["recall"] is None for chunk in chunks] == [True, False]


def test_a_stream_that_finds_nothing_says_so(told: Fixture) -> None:
    result = told("recall", "What is the cat called?", "--stream", "--min-relevance", "1", "-n", "nobody")

    assert (result.code, result.out.strip(), result.err) == (0, "", "nothing found\n")


def test_a_stream_may_be_explained(told: Fixture) -> None:
    result = told("recall", "Miso", "--stream", "--explain")

    assert "query     Miso" in result.out.splitlines()


def test_looking_again_is_told_by_explain(told: Fixture) -> None:
    result = told("recall", "Which animals does Alice's boss keep?", "--reread", "2", "--explain")

    assert any(line.startswith("reread    ") for line in result.out.splitlines())


def test_a_number_of_looks_that_makes_no_sense_is_refused(told: Fixture) -> None:
    result = told("recall", "Miso", "--reread", "7")

    assert result.code == 2
    assert "reread is a number of looks from 0 to 2" in result.err
