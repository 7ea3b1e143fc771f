"""Conversations in LoCoMo's schema."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.cli.locomo import items
from agentmem.errors import InvalidInputError


def sample(*turns: dict[str, Any]) -> dict[str, Any]:
    dialogue = {
        "speaker_a": "Ann",
        "session_10_date_time": "9:05 am on 1 March, 2024",
        "session_10": [{"speaker": "Ben", "dia_id": "D10:1", "text": "later"}],
        "session_2_date_time": "1:56 pm on 8 May, 2023",
        "session_2": list(turns),
    }
    return {"sample_id": "s", "conversation": dialogue, "qa": []}


def test_sessions_come_in_order_of_their_number() -> None:
    found = [
        item.message["id"] for item in items([sample({"speaker": "Ann", "dia_id": "D2:1", "text": "a"})], "x")
    ]

    assert found == ["s/D2:1", "s/D10:1"]


def test_a_turn_keeps_its_speaker_session_and_date() -> None:
    item = next(items(sample({"speaker": "Ann", "dia_id": "D2:1", "text": "a"}), "x"))

    assert item.message["name"] == "Ann"
    assert item.message["session"] == "s/session_2"
    assert item.message["at"].isoformat() == "2023-05-08T13:56:00+00:00"


def test_an_image_is_kept_by_its_caption() -> None:
    turn = {"speaker": "Ann", "dia_id": "D2:1", "text": "Look", "blip_caption": "a photo of a cat"}

    assert next(items(sample(turn), "x")).message["content"] == "Look\n[image: a photo of a cat]"


def test_a_session_without_a_date_is_refused_by_name() -> None:
    broken = sample()
    del broken["conversation"]["session_2_date_time"]

    with pytest.raises(InvalidInputError, match="x, conversation 1: not in LoCoMo's format"):
        list(items(broken, "x"))


def test_a_conversation_is_stored_through_the_command(cli: Any, write: Any) -> None:
    result = cli(
        "remember", "--file", write([sample({"speaker": "Ann", "dia_id": "D2:1", "text": "a"})]), "--json"
    )

    assert (result.json["format"], result.json["added"]) == ("locomo", 2)
