"""Reads Claude's export (`conversations.json`): conversations with a list of `chat_messages`.

Taken: each message's words, and the names and extracted text of its attachments. Left out: messages without either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentmem.cli.items import Item, conversations_of
from agentmem.errors import InvalidInputError


def items(document: Any, name: str) -> Iterator[Item]:
    """The messages of every conversation in order."""
    for place, conversation in enumerate(conversations_of(document), 1):
        where = f"{name}, conversation {place}"
        if not isinstance(conversation, Mapping) or not isinstance(conversation.get("chat_messages"), list):
            raise InvalidInputError(f"{where}: not a Claude export: 'chat_messages' is missing")
        session = str(conversation.get("uuid") or f"conversation-{place}")
        for number, message in enumerate(conversation["chat_messages"], 1):
            try:
                item = _message(message, session, conversation)
            except (AttributeError, TypeError, KeyError) as error:
                raise InvalidInputError(
                    f"{where}, message {number}: not a Claude export: {error!r}"
                ) from error
            yield Item(f"{where}, message {number}", item)


def _message(
    message: Mapping[str, Any], session: str, conversation: Mapping[str, Any]
) -> dict[str, Any] | None:
    words = [_text(message), *map(_attachment, message.get("attachments") or ())]
    content = "\n".join(filter(None, words))
    if not content.strip():
        return None
    return {
        "id": message.get("uuid"),
        "role": message["sender"],
        "content": content,
        "at": message.get("created_at") or conversation.get("created_at"),
        "session": session,
        "metadata": {"source": "claude", "title": conversation.get("name")},
    }


def _text(message: Mapping[str, Any]) -> str:
    """`text`, else the text parts of `content`: exports hold the one, the other, or both."""
    whole = message.get("text")
    if isinstance(whole, str) and whole.strip():
        return whole
    parts = message.get("content")
    if isinstance(parts, str):
        return parts
    return "\n".join(
        str(part["text"]) for part in parts or () if part.get("type") == "text" and part.get("text")
    )


def _attachment(attachment: Mapping[str, Any]) -> str:
    mark = f"[attachment: {attachment.get('file_name') or 'unnamed'}]"
    extracted = attachment.get("extracted_content")
    return f"{mark}\n{extracted}" if extracted else mark
