"""Claude's export: words, attachments, senders."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.cli.claude import items
from agentmem.errors import InvalidInputError


def export(**message: Any) -> list[dict[str, Any]]:
    whole = {"uuid": "m1", "sender": "human", "text": "Hi", "created_at": "2024-01-15T10:30:00Z", **message}
    return [{"uuid": "c1", "name": "Cats", "chat_messages": [whole]}]


def test_a_message_keeps_its_id_time_sender_and_conversation() -> None:
    (item,) = items(export(), "export")

    assert item.message == {
        "id": "m1",
        "role": "human",
        "content": "Hi",
        "at": "2024-01-15T10:30:00Z",
        "session": "c1",
        "metadata": {"source": "claude", "title": "Cats"},
    }


def test_words_may_stand_in_content_parts() -> None:
    parts = [
        {"type": "text", "text": "one"},
        {"type": "tool_use", "name": "x"},
        {"type": "text", "text": "two"},
    ]

    (item,) = items(export(text="", content=parts), "export")

    assert item.message["content"] == "one\ntwo"


def test_an_attachment_comes_with_its_name_and_text() -> None:
    attachment = {"file_name": "plan.txt", "extracted_content": "buy milk"}

    (item,) = items(export(text="", attachments=[attachment]), "export")

    assert item.message["content"] == "[attachment: plan.txt]\nbuy milk"


def test_a_message_without_words_is_left_out() -> None:
    (item,) = items(export(text=" ", content=[]), "export")

    assert item.message is None


def test_a_message_without_a_sender_is_refused_by_name() -> None:
    broken = export()
    del broken[0]["chat_messages"][0]["sender"]

    with pytest.raises(InvalidInputError, match="conversation 1, message 1: not a Claude export"):
        list(items(broken, "export"))


def test_an_export_is_stored_through_the_command(cli: Any, write: Any) -> None:
    cli("remember", "--file", write(export()))

    (event,) = cli("events", "--json").json["events"]
    assert (event["id"], event["role"], event["occurred_at"]) == ("m1", "user", "2024-01-15T10:30:00+00:00")
