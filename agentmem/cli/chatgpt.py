"""Reads ChatGPT's export (`conversations.json`): each conversation is a tree, of which one branch is shown.

Taken: what user, assistant and tools said on the branch that ChatGPT shows. Left out: other branches, hidden and
system messages, private reasoning, and messages without words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentmem.cli.items import Item, conversations_of
from agentmem.errors import InvalidInputError

_ROLES = {"user", "assistant", "tool"}
_PRIVATE = {"thoughts", "reasoning_recap", "user_editable_context", "model_editable_context"}


def items(document: Any, name: str) -> Iterator[Item]:
    """The messages of every conversation, oldest first within each."""
    for place, conversation in enumerate(conversations_of(document), 1):
        where = f"{name}, conversation {place}"
        if not isinstance(conversation, Mapping) or not isinstance(conversation.get("mapping"), Mapping):
            raise InvalidInputError(f"{where}: not a ChatGPT export: 'mapping' is missing")
        try:
            yield from _conversation(conversation, where, f"conversation-{place}")
        except (AttributeError, TypeError, KeyError) as error:
            raise InvalidInputError(f"{where}: not a ChatGPT export: {error}") from error


def _conversation(conversation: Mapping[str, Any], where: str, fallback: str) -> Iterator[Item]:
    mapping = conversation["mapping"]
    session = str(conversation.get("conversation_id") or conversation.get("id") or fallback)
    shown = _branch(mapping, conversation.get("current_node"))
    at = conversation.get("create_time")
    for node_id in shown:
        message = mapping[node_id].get("message")
        if message is None:
            continue
        at = message.get("create_time") or at
        content = _words(message)
        place = f"{where}, message {node_id}"
        if content is None:
            yield Item(place, None)
            continue
        author = message["author"]
        yield Item(
            place,
            {
                "id": str(message.get("id") or node_id),
                "role": author["role"],
                "name": author.get("name"),
                "content": content,
                "at": at,
                "session": session,
                "metadata": {"source": "chatgpt", "title": conversation.get("title")},
            },
        )
    for node_id in mapping.keys() - set(shown):
        if mapping[node_id].get("message") is not None:
            yield Item(f"{where}, message {node_id}", None)


def _branch(mapping: Mapping[str, Any], leaf: Any) -> list[str]:
    """The nodes from the root to the leaf that is shown, else to the newest one."""
    if leaf not in mapping:
        leaves = [node_id for node_id, node in mapping.items() if not node.get("children")]
        leaf = max(leaves, key=lambda node_id: _created(mapping[node_id]), default=None)
    path: dict[str, None] = {}
    while leaf in mapping and leaf not in path:
        path[leaf] = None
        leaf = mapping[leaf].get("parent")
    return list(reversed(path))


def _created(node: Mapping[str, Any]) -> float:
    return float((node.get("message") or {}).get("create_time") or 0.0)


def _words(message: Mapping[str, Any]) -> str | None:
    """What was said; None for what is not shown or holds no words."""
    content = message.get("content") or {}
    hidden = (message.get("metadata") or {}).get("is_visually_hidden_from_conversation")
    if message["author"]["role"] not in _ROLES or hidden or content.get("content_type") in _PRIVATE:
        return None
    parts = content.get("parts")
    if not isinstance(parts, list):
        parts = [content.get("text") or content.get("result") or ""]
    words = "\n".join(filter(None, map(_part, parts)))
    return words if words.strip() else None


def _part(part: Any) -> str:
    """A text as it is; a transcript by its words; an image or a file leaves a mark."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        return ""
    if part.get("text"):
        return str(part["text"])
    kind = str(part.get("content_type", "")).removesuffix("_asset_pointer")
    return f"[{kind}]" if kind == "image" else ""
