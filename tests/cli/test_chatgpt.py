"""ChatGPT's export: the branch shown, in order, with what is not for memory left out."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.cli.chatgpt import items
from agentmem.errors import InvalidInputError


def node(
    name: str, parent: str | None, role: str = "user", text: str = "", at: Any = 1, **extra: Any
) -> dict[str, Any]:
    message = {
        "id": f"id-{name}",
        "author": {"role": role, "name": None},
        "create_time": at,
        "content": extra.pop("content", {"content_type": "text", "parts": [text]}),
        **extra,
    }
    return {"id": name, "parent": parent, "children": [], "message": message}


def conversation(*nodes: dict[str, Any], **extra: Any) -> dict[str, Any]:
    root = {"id": "root", "parent": None, "children": [], "message": None}
    mapping = {item["id"]: item for item in (root, *nodes)}
    for item in nodes:
        mapping[item["parent"]]["children"].append(item["id"])
    return {"title": "Cats", "conversation_id": "c1", "create_time": 5.0, "mapping": mapping, **extra}


def said(*conversations: dict[str, Any]) -> list[str]:
    return [item.message["content"] for item in items(list(conversations), "export") if item.message]


def test_a_message_keeps_its_id_time_role_and_conversation() -> None:
    export = conversation(node("a", "root", "user", "Hi", at=1700000000.5), current_node="a")

    (item,) = items([export], "export")

    assert item.message == {
        "id": "id-a",
        "role": "user",
        "name": None,
        "content": "Hi",
        "at": 1700000000.5,
        "session": "c1",
        "metadata": {"source": "chatgpt", "title": "Cats"},
    }


def test_only_the_branch_shown_is_taken() -> None:
    export = conversation(
        node("a", "root", "user", "Hi"),
        node("b", "a", "assistant", "first answer"),
        node("c", "a", "assistant", "second answer"),
        current_node="b",
    )

    assert said(export) == ["Hi", "first answer"]
    assert sum(item.message is None for item in items([export], "export")) == 1


def test_without_a_shown_branch_the_newest_is_taken() -> None:
    export = conversation(
        node("a", "root", "user", "Hi", at=1),
        node("b", "a", "assistant", "newer", at=9),
        node("c", "a", "assistant", "older", at=3),
    )

    assert said(export) == ["Hi", "newer"]


@pytest.mark.parametrize(
    "left_out",
    [
        node("b", "a", "system", "You are helpful"),
        node("b", "a", "assistant", "  "),
        node("b", "a", "user", "profile", metadata={"is_visually_hidden_from_conversation": True}),
        node("b", "a", "assistant", content={"content_type": "thoughts", "thoughts": []}),
        node(
            "b", "a", "assistant", content={"content_type": "reasoning_recap", "content": "Thought for 3 s"}
        ),
    ],
    ids=["system", "blank", "hidden", "thoughts", "recap"],
)
def test_what_is_not_said_is_left_out(left_out: dict[str, Any]) -> None:
    export = conversation(
        node("a", "root", "user", "Hi"), left_out, node("c", "b", "assistant", "Ho"), current_node="c"
    )

    assert said(export) == ["Hi", "Ho"]


def test_parts_that_are_not_text_leave_a_mark_or_their_transcript() -> None:
    parts = [
        {"content_type": "image_asset_pointer", "asset_pointer": "file://x"},
        {"content_type": "audio_transcription", "text": "spoken words"},
        "Look at this",
    ]
    export = conversation(
        node("a", "root", content={"content_type": "multimodal_text", "parts": parts}), current_node="a"
    )

    assert said(export) == ["[image]\nspoken words\nLook at this"]


def test_a_message_without_a_time_takes_the_one_before() -> None:
    export = conversation(
        node("a", "root", "user", "Hi", at=None),
        node("b", "a", "user", "Ho", at=7.0),
        node("c", "b", "user", "He", at=None),
        current_node="c",
    )

    assert [item.message["at"] for item in items([export], "export")] == [5.0, 7.0, 7.0]


def test_a_circle_in_the_tree_ends() -> None:
    a = node("a", "root", "user", "Hi")
    export = conversation(a, current_node="a")
    a["parent"] = "a"

    assert said(export) == ["Hi"]


def test_an_export_cut_short_is_refused_by_name() -> None:
    export = conversation(node("a", "root", "user", "Hi"), current_node="a")
    del export["mapping"]["a"]["message"]["author"]

    with pytest.raises(InvalidInputError, match="export, conversation 1: not a ChatGPT export"):
        list(items([export], "export"))


def test_an_export_is_stored_through_the_command(cli: Any, write: Any) -> None:
    export = conversation(
        node("a", "root", "user", "I adopted a cat."),
        node("b", "a", "assistant", "Lovely!"),
        current_node="b",
    )

    result = cli("remember", "--file", write([export]), "--json").json

    assert (result["format"], result["added"], result["skipped"]) == ("chatgpt", 2, 0)
