"""The formats that `remember --file` reads, and how one is told from another. The SDK checks the messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agentmem.cli import chatgpt, claude, locomo, whatsapp
from agentmem.cli.items import Item, conversations_of, message_items
from agentmem.cli.source import Source
from agentmem.errors import InvalidInputError


class Format(StrEnum):
    """What a file may be."""

    jsonl = "jsonl"
    messages = "messages"
    chatgpt = "chatgpt"
    claude = "claude"
    locomo = "locomo"
    whatsapp = "whatsapp"
    text = "text"


_DOCUMENTS: Mapping[Format, Callable[[Any, str], Iterator[Item]]] = {
    Format.messages: message_items,
    Format.chatgpt: chatgpt.items,
    Format.claude: claude.items,
    Format.locomo: locomo.items,
}
# a key that only this format's conversations have
_MARKS = {"mapping": Format.chatgpt, "chat_messages": Format.claude, "conversation": Format.locomo}


@dataclass(frozen=True, slots=True)
class Reading:
    """The messages of a source; `total` is how many, where that is known before the end."""

    format: Format
    items: Iterator[Item]
    total: int | None = None


def read(source: Source, wanted: Format | None, date_order: whatsapp.DateOrder | None) -> Reading:
    """The messages of a source, in the named format or the one it looks like.

    Raises:
        InvalidInputError: not UTF-8, not in the format, or like none of them.
    """
    found = wanted or _by_first_line(source)
    if found is Format.jsonl:
        return Reading(found, _jsonl(source))
    if found is Format.whatsapp:
        return _whole(found, whatsapp.items(source.text(), source.name, date_order))
    if found is Format.text:
        return _whole(found, iter([Item(source.name, {"content": source.text()})]))
    document = source.document()
    found = found or _by_content(document)
    return _whole(found, _DOCUMENTS[found](document, source.name))


def _whole(found: Format, items: Iterator[Item]) -> Reading:
    everything = list(items)
    return Reading(found, iter(everything), len(everything))


def _jsonl(source: Source) -> Iterator[Item]:
    for number, line in source.lines():
        if line.strip():
            yield from message_items(
                source.parse(line.rstrip("\r\n"), number), f"{source.name}, line {number}", number
            )


def _by_first_line(source: Source) -> Format | None:
    """The format; None for one JSON document, whose kind its content shows."""
    first = source.first_line().strip()
    if whatsapp.looks_like(first):
        return Format.whatsapp
    if first.startswith("["):
        return None
    if first.startswith("{"):
        try:
            value = json.loads(first)
        except (ValueError, RecursionError):
            # an object cut at the line's end is a document over several lines; a broken one is a broken JSONL
            return None if len(first) < 3 or not first.endswith("}") else Format.jsonl
        return None if _MARKS.keys() & value.keys() or "conversations" in value else Format.jsonl
    if not first:
        raise InvalidInputError(f"{source.name} is empty")
    raise InvalidInputError(
        f"cannot tell the format of {source.name}, which begins {first[:40]!r}; name it: --format "
        f"{'|'.join(Format)}"
    )


def _by_content(document: Any) -> Format:
    first = next(iter(conversations_of(document)), None)
    if isinstance(first, Mapping):
        for mark, found in _MARKS.items():
            if mark in first:
                return found
    return Format.messages
