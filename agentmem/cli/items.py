"""What every format is read into, and the plain one: message dicts, alone, in lists, or in conversations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentmem.errors import InvalidInputError


@dataclass(frozen=True, slots=True)
class Item:
    """One message as `Memory.remember` takes it, and where it stands; None for what is left out on purpose."""

    where: str
    message: Any


def conversations_of(document: Any) -> Sequence[Any]:
    """The conversations of an export: a list of them, `{"conversations": [...]}`, or a single one."""
    if isinstance(document, Mapping):
        inner = document.get("conversations")
        return inner if isinstance(inner, list) else [document]
    return document if isinstance(document, list) else []


def message_items(document: Any, where: str, number: int = 0) -> Iterator[Item]:
    """A message dict, a list of them, `{"messages": [...]}`, or a list of such conversations.

    A conversation's session is its `session`, `id` or `title`, else `conversation-<its number>`.
    """
    if isinstance(document, Mapping) and "messages" in document:
        yield from _conversation(document, where, number)
    elif isinstance(document, Mapping) and isinstance(document.get("conversations"), list):
        yield from message_items(document["conversations"], where)
    elif isinstance(document, list):
        for place, value in enumerate(document, 1):
            if isinstance(value, list):
                raise InvalidInputError(f"{where}, message {place}: a list where a message is due")
            yield from message_items(value, f"{where}, message {place}", place)
    elif isinstance(document, Mapping | str):
        yield Item(where, document)
    else:
        raise InvalidInputError(
            f"{where}: a message is an object with 'content', not {type(document).__name__}; other formats are "
            "named with --format"
        )


def _conversation(value: Mapping[str, Any], where: str, number: int) -> Iterator[Item]:
    messages = value["messages"]
    if not isinstance(messages, list):
        raise InvalidInputError(f"{where}: 'messages' is a list, not {type(messages).__name__}")
    named = value.get("session") or value.get("id") or value.get("title")
    session = str(named) if named else f"conversation-{number}" if number else None
    for place, message in enumerate(messages, 1):
        if isinstance(message, Mapping) and session is not None and not message.get("session"):
            message = {**message, "session": session}
        yield Item(f"{where}, message {place}", message)
