"""What is handed to `remember` is read, or refused with a reason; never half of it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agentmem import Memory
from agentmem.clock import to_utc
from agentmem.errors import InvalidInputError
from agentmem.types import NewEvent
from agentmem.write.messages import read_messages


def shown(value: object) -> str:
    """A short name for a value, the same in every process."""
    return ascii(value).partition(" at 0x")[0][:30]


def read(message: Any) -> NewEvent:
    (event,) = read_messages(message, "s1")
    return event


def test_a_text_is_a_message_of_the_user() -> None:
    assert read("hello") == NewEvent(None, "s1", "user", None, "hello", None, {})


@pytest.mark.parametrize(
    ("given", "role"),
    [
        ("user", "user"),
        ("human", "user"),
        ("AI", "assistant"),
        ("Assistant", "assistant"),
        ("model", "assistant"),
        ("developer", "system"),
        ("function", "tool"),
    ],
)
def test_roles_of_the_usual_apis_are_known(given: str, role: str) -> None:
    assert read({"role": given, "content": "hello"}).role == role


def test_tool_calls_without_words_are_kept_as_words() -> None:
    call = {"name": "search", "args": {"query": "猫"}, "id": "1"}
    broken = {"name": "sum", "args": "[1, 2", "id": "2", "error": "not JSON"}

    event = read(AIMessage("", tool_calls=[call], invalid_tool_calls=[broken]))

    assert event.content == '[call search: {"query": "猫"}]\n[call sum: [1, 2]'
    assert event.role == "assistant"


def test_one_message_of_langchain_need_not_stand_in_a_list() -> None:
    assert read(HumanMessage("hello", name="Alice")).name == "Alice"


def test_words_beside_a_tool_call_are_kept_with_it() -> None:
    parts = [{"type": "text", "text": "Let me look."}, {"type": "tool_use", "name": "search", "input": {}}]

    event = read(AIMessage(parts, tool_calls=[{"name": "search", "args": {}, "id": "1"}]))

    assert event.content == "Let me look.\n[call search: {}]"


@pytest.mark.parametrize("role", ["narrator", " ", 5, ["user"], "usér"], ids=shown)
def test_an_unknown_role_is_refused(role: object) -> None:
    with pytest.raises(InvalidInputError, match="unknown role"):
        read({"role": role, "content": "hello"})


@pytest.mark.parametrize(
    "content", ["", " ", "\n\t ", "\u00a0\u2003", [], ["", " "], [{"type": "image"}]], ids=shown
)
def test_empty_content_is_refused(content: object) -> None:
    with pytest.raises(InvalidInputError, match="message 0: the content is empty"):
        read({"content": content})


@pytest.mark.parametrize(
    "content", [None, 5, 1.5, True, {"text": "x"}, object()], ids=lambda value: type(value).__name__
)
def test_content_that_is_no_text_is_refused(content: object) -> None:
    with pytest.raises(InvalidInputError, match="content is a text or a list of parts"):
        read({"content": content})


def test_bytes_that_are_utf8_are_read() -> None:
    assert read("naïve".encode()).content == "naïve"


@pytest.mark.parametrize("content", [b"\xff\xfe", "naïve".encode("latin-1"), b"ok \xc3"], ids=shown)
def test_bytes_that_are_not_utf8_are_refused(content: bytes) -> None:
    with pytest.raises(InvalidInputError, match="not UTF-8"):
        read({"content": content})


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="lone surrogate"):
        read("broken \ud83d emoji")


def test_a_nul_character_is_kept_as_its_symbol(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "before\0after"})

    assert memory.get("e1").content == "before␀after"
    assert memory.recall("before after").source_ids == ("e1",)


def test_a_message_without_content_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="'content' is missing"):
        read({"role": "user"})


def test_a_field_nobody_knows_is_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="unknown field tool_calls; known: at, content, id"):
        read({"content": "x", "tool_calls": []})


@pytest.mark.parametrize(
    "message", [5, None, 1.5, object(), [[["x"]]]], ids=lambda value: type(value).__name__
)
def test_what_is_no_message_is_refused(message: object) -> None:
    with pytest.raises(InvalidInputError, match="cannot read a"):
        read_messages([message], "s1")


def test_the_error_says_which_message_is_wrong_and_nothing_is_stored(memory: Memory) -> None:
    with pytest.raises(InvalidInputError, match="message 2: the content is empty"):
        memory.remember(["one", "two", "  ", "four"])

    assert memory.events() == []


def test_no_messages_are_no_error(memory: Memory) -> None:
    receipt = memory.remember([])

    assert (receipt.event_ids, receipt.added) == ((), 0)


def test_a_generator_of_messages_is_read_once(memory: Memory) -> None:
    receipt = memory.remember(f"turn {number}" for number in range(3))

    assert receipt.added == 3


@pytest.mark.parametrize("value", ["s\0", "\ud800", "  ", 5], ids=shown)
@pytest.mark.parametrize("field", ["session", "name"])
def test_a_session_or_name_that_cannot_be_stored_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInputError, match=field):
        read({"content": "x", field: value})


@pytest.mark.parametrize("value", ["a\0", "\ud800", " ", True, 1.5, "x" * 513], ids=shown)
def test_an_id_that_cannot_be_stored_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="id"):
        read({"content": "x", "id": value})


def test_a_whole_number_may_be_an_id() -> None:
    assert read({"content": "x", "id": 7}).id == "7"


@pytest.mark.parametrize(
    "value",
    [{"x": float("nan")}, {"x": object()}, {"x": {1, 2}}, ["x"], "x", {"x": "\ud800"}, {("a",): 1}],
    ids=shown,
)
def test_metadata_that_is_not_plain_json_is_refused(value: object) -> None:
    with pytest.raises(InvalidInputError, match="metadata"):
        read({"content": "x", "metadata": value})


def test_metadata_that_contains_itself_is_refused() -> None:
    value: dict[str, Any] = {}
    value["self"] = value

    with pytest.raises(InvalidInputError, match="metadata"):
        read({"content": "x", "metadata": value})


@pytest.mark.parametrize(
    ("at", "moment"),
    [
        ("2023-05-08T13:56", datetime(2023, 5, 8, 13, 56, tzinfo=UTC)),
        ("2023-05-08T13:56:00+02:00", datetime(2023, 5, 8, 11, 56, tzinfo=UTC)),
        ("2023-05-08", datetime(2023, 5, 8, tzinfo=UTC)),
        ("1:56 pm on 8 May, 2023", datetime(2023, 5, 8, 13, 56, tzinfo=UTC)),
        ("8 May 2023 10:00 UTC", datetime(2023, 5, 8, 10, tzinfo=UTC)),
        ("Mon, 8 May 2023 10:00:00 +0200", datetime(2023, 5, 8, 8, tzinfo=UTC)),
        (datetime(2023, 5, 8, 13, 56), datetime(2023, 5, 8, 13, 56, tzinfo=UTC)),  # noqa: DTZ001
        (datetime(2023, 5, 8, tzinfo=timezone(timedelta(hours=-5))), datetime(2023, 5, 8, 5, tzinfo=UTC)),
        (date(2023, 5, 8), datetime(2023, 5, 8, tzinfo=UTC)),
        (1683554160, datetime(2023, 5, 8, 13, 56, tzinfo=UTC)),
        (-1.5, datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=UTC)),
        ("0001-01-01", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999", datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_many_forms_and_without_a_zone_are_utc(at: Any, moment: datetime) -> None:
    assert to_utc(at) == moment


@pytest.mark.parametrize(
    "at",
    [
        "",
        "soon",
        "Monday",
        "13:56",
        "8 May",
        "8 May 2023 10:00 PST",
        "2023-02-30",
        float("nan"),
        float("inf"),
        10**400,
        True,
        [2023],
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=shown,
)
def test_a_time_that_cannot_be_told_is_refused(at: object) -> None:
    with pytest.raises(InvalidInputError):
        read({"content": "x", "at": at})


@pytest.mark.parametrize("at", ["0001-01-01", "9999-12-31T23:59:59.999999"])
def test_the_first_and_last_moments_are_kept_exactly_and_recalled(memory: Memory, at: str) -> None:
    memory.remember({"id": "e1", "content": "the cat", "at": at})

    assert memory.get("e1").occurred_at == datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert memory.recall("cat", at=at).source_ids == ("e1",)


def test_parts_of_a_message_are_joined_and_images_kept_by_their_caption() -> None:
    parts = [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "data:…"}, "caption": "a red bicycle"},
        {"type": "image_url", "image_url": {"url": "data:…"}},
        "my new one",
    ]

    assert read({"content": parts}).content == "Look:\n[image: a red bicycle]\nmy new one"


def test_a_message_of_ten_megabytes_is_stored_whole_and_found_by_its_last_words(memory: Memory) -> None:
    content = "Lorem ipsum dolor sit amet. " * 370_000 + "The password is swordfish."

    receipt = memory.namespace("large").remember({"id": "big", "content": content})

    assert len(content) > 10_000_000
    assert (receipt.added, receipt.pending_vectors) == (1, 0)
    assert memory.namespace("large").get("big").content == content
    assert "The password is swordfish." in memory.namespace("large").recall("What is the password?").text


def test_a_message_over_the_limit_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidInputError, match="split the text over several messages"):
        read("x" * 20_000_001)


def test_langchain_messages_are_read(memory: Memory) -> None:
    messages = pytest.importorskip("langchain_core.messages", reason="LangChain is not installed")

    memory.remember(
        [
            messages.SystemMessage("Be kind.", id="m0"),
            messages.HumanMessage("I adopted a cat.", id="m1", name="Alice"),
            messages.AIMessage([{"type": "text", "text": "Lovely!"}], id="m2"),
            messages.ToolMessage("42", tool_call_id="t1", id="m3"),
            messages.ChatMessage("Bye", role="assistant", id="m4"),
            messages.AIMessageChunk("So long", id="m5"),
        ]
    )

    assert [(event.id, event.role, event.name, event.content) for event in memory.events()] == [
        ("m0", "system", None, "Be kind."),
        ("m1", "user", "Alice", "I adopted a cat."),
        ("m2", "assistant", None, "Lovely!"),
        ("m3", "tool", None, "42"),
        ("m4", "assistant", None, "Bye"),
        ("m5", "assistant", None, "So long"),
    ]


def test_an_event_read_back_can_be_remembered_elsewhere(memory: Memory) -> None:
    memory.remember({"id": "e1", "name": "Zoë", "content": "hello", "at": "2020-01-01", "metadata": {"a": 1}})

    memory.namespace("copy").remember(memory.events())

    copied, original = memory.namespace("copy").get("e1"), memory.get("e1")
    assert (copied.content, copied.name, copied.occurred_at, copied.metadata) == (
        original.content,
        original.name,
        original.occurred_at,
        original.metadata,
    )
