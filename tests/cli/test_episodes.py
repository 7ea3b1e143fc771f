"""`agentmem episodes`, `entities` and `rebuild`."""

from __future__ import annotations

from typing import Any

import pytest

Fixture = Any


@pytest.fixture
def told(cli: Fixture, write: Fixture) -> Fixture:
    lines = [
        {"content": "We met Levin in Paris", "id": "e0", "name": "Kitty", "at": "2023-05-08T13:56"},
        {"content": "See you, Levin", "id": "e1", "name": "Anna", "at": "2023-05-09T13:56"},
    ]
    cli("remember", "--file", write(lines, "a.jsonl"))
    return cli


def test_episodes_are_printed_with_title_and_summary(told: Fixture) -> None:
    id_ = told("episodes", "--json").json["episodes"][0]["id"]

    assert told("episodes").out == (
        f"2023-05-08 13:56:00  default  {id_}  We met Levin in Paris\n"
        "    1 event, ended by gap: Kitty: We met Levin in Paris\n"
    )


def test_episode_json_has_the_documented_keys(told: Fixture) -> None:
    (episode,) = told("episodes", "--json").json["episodes"]

    assert sorted(episode) == [
        "ended_at", "events", "first_seq", "id", "last_recalled_at", "last_seq", "namespace", "reason", "recalls",
        "refined_by", "session", "stability_days", "started_at", "strength", "summary", "title", "token_count",
    ]  # fmt: skip


def test_episodes_are_narrowed_by_session_and_position(told: Fixture) -> None:
    assert told("episodes", "--session", "other").out == ""
    assert told("episodes", "--after", 0).out == ""
    assert told("episodes", "--limit", 1).out.count("ended by") == 1


def test_entities_are_printed_the_most_mentioned_first(told: Fixture) -> None:
    assert told("entities").out == (
        "     2  name     Levin\n     1  speaker  Anna\n     1  speaker  Kitty\n     1  place    Paris\n"
    )


def test_an_entity_is_found_in_any_spelling(told: Fixture) -> None:
    (entity,) = told("entities", "PARIS", "--json").json["entities"]

    assert (entity["name"], entity["kind"], entity["mentions"], entity["aliases"]) == (
        "Paris",
        "place",
        1,
        [],
    )


def test_a_rebuild_says_from_how_many_events(told: Fixture) -> None:
    before = told("episodes").out

    assert told("rebuild").out == "rebuilt from 2 events\n"
    assert told("rebuild", "--json").json == {"events": 2}
    assert told("episodes").out == before
