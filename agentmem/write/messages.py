"""Reads what a user hands to `remember` into checked events. Knows nothing of storage.

Accepts a text, a message dict, an `Event`, a LangChain message, or a sequence of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

from agentmem.clock import to_utc
from agentmem.errors import InvalidInputError
from agentmem.types import Event, NewEvent, Role

ROLES: dict[str, Role] = {
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "system": "system",
    "developer": "system",
    "tool": "tool",
    "function": "tool",
}
MAX_CHARS = 20_000_000
MAX_ID_CHARS = 512
# what can be read back from a mark; see `embed.images`
_PATH = re.compile(r"[^<>\n]{1,1000}")
_FIELDS = {"role", "name", "content", "at", "id", "session", "metadata"}


def read_messages(messages: Any, session: str, role: str = "user") -> list[NewEvent]:
    """Every message, checked; the error names the one that is wrong, and then nothing is stored.

    Raises:
        InvalidInputError: empty or unreadable content, an unknown role or field, a bad time or id.
    """
    # a LangChain message is a pydantic model, which is iterable, too
    one = isinstance(messages, str | bytes | Mapping) or _is_langchain(messages)
    if one or not isinstance(messages, Iterable):
        messages = [messages]
    return [_read(message, place, session, role) for place, message in enumerate(messages)]


def _read(message: Any, place: int, session: str, role: str) -> NewEvent:
    where = f"message {place}"
    if isinstance(message, NewEvent):
        return message
    if isinstance(message, Event):
        fields: dict[str, Any] = {
            "id": message.id,
            "session": message.session,
            "role": message.role,
            "name": message.name,
            "content": message.content,
            "at": message.occurred_at,
            "metadata": message.metadata,
        }
    elif isinstance(message, str | bytes):
        fields = {"content": message, "role": role}
    elif isinstance(message, Mapping):
        if not _FIELDS.issuperset(message):
            unknown = sorted(str(key) for key in message if key not in _FIELDS)
            raise InvalidInputError(
                f"{where}: unknown field {', '.join(unknown)}; known: {', '.join(sorted(_FIELDS))} "
                "(put anything else under 'metadata')"
            )
        fields = dict(message)
    elif _is_langchain(message):
        fields = _from_langchain(message)
    else:
        raise InvalidInputError(
            f"{where}: cannot read a {type(message).__name__}; give a text, a dict with 'content', or a "
            "LangChain message"
        )
    return _check(fields, where, session, role)


def _is_langchain(message: Any) -> bool:
    return hasattr(message, "content") and hasattr(message, "type")


def _from_langchain(message: Any) -> dict[str, Any]:
    calls = [
        *(getattr(message, "tool_calls", None) or ()),
        *(getattr(message, "invalid_tool_calls", None) or ()),
    ]
    content = message.content
    if calls and not (isinstance(content, str) and content.strip()):
        said = [part for part in content if not _is_call(part)] if isinstance(content, list) else []
        content = [*said, *map(_call, calls)]
    return {
        "id": getattr(message, "id", None),
        "role": getattr(message, "role", None) or message.type.removesuffix("MessageChunk"),
        "name": getattr(message, "name", None),
        "content": content,
    }


def _call(call: Mapping[str, Any]) -> str:
    """A tool call in words that can be read and found again: `[call search: {"query": "cats"}]`."""
    given = call.get("args")
    arguments = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False, default=str)
    return f"[call {call.get('name') or 'unknown tool'}: {arguments}]"


def _is_call(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") in ("tool_use", "tool_call", "function_call")


def _check(fields: Mapping[str, Any], where: str, session: str, role: str) -> NewEvent:
    if "content" not in fields:
        raise InvalidInputError(f"{where}: 'content' is missing")
    given_role = fields.get("role") or role
    if not isinstance(given_role, str) or given_role.lower() not in ROLES:
        raise InvalidInputError(f"{where}: unknown role {given_role!r}; known: {', '.join(ROLES)}")
    at = fields.get("at")
    if at is not None and not isinstance(at, datetime | date | str | int | float):
        raise InvalidInputError(f"{where}: 'at' is a {type(at).__name__}, not a time")
    return NewEvent(
        id=_identity(fields.get("id"), where),
        session=check_text(fields.get("session") or session, f"{where}: session"),
        role=ROLES[given_role.lower()],
        name=_name(fields.get("name"), where),
        content=_content(fields["content"], where),
        occurred_at=None if at is None else to_utc(at),
        metadata=_metadata(fields.get("metadata"), where),
    )


def _identity(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidInputError(f"{where}: an id is a text or a whole number, not {type(value).__name__}")
    text = check_text(str(value), f"{where}: id")
    if len(text) > MAX_ID_CHARS:
        raise InvalidInputError(f"{where}: the id has {len(text)} characters; at most {MAX_ID_CHARS}")
    return text


def _name(value: Any, where: str) -> str | None:
    return None if value is None or value == "" else check_text(value, f"{where}: name")


def check_text(value: Any, what: str) -> str:
    """The value, if it is a text that can be stored. Raises `InvalidInputError`."""
    if not isinstance(value, str) or not value.strip():
        raise InvalidInputError(f"{what} must be a non-empty text, not {value!r}")
    if "\0" in value:
        raise InvalidInputError(f"{what} holds a NUL character")
    return _encodable(value, what)


def _encodable(value: str, what: str) -> str:
    if value.isascii():
        return value
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"{what} holds a lone surrogate, which no encoding can store: {error}"
        ) from error
    return value


def _content(value: Any, where: str) -> str:
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{where}: the content is not UTF-8 ({error}); decode it with its own encoding first"
            ) from error
    if isinstance(value, list | tuple):
        value = "\n".join(filter(None, (_part(part, where) for part in value)))
    if not isinstance(value, str):
        raise InvalidInputError(f"{where}: content is a text or a list of parts, not {type(value).__name__}")
    if not value.strip():
        raise InvalidInputError(f"{where}: the content is empty")
    if len(value) > MAX_CHARS:
        raise InvalidInputError(
            f"{where}: {len(value)} characters are more than {MAX_CHARS}; split the text over several messages"
        )
    # PostgreSQL cannot store NUL, so it is shown as U+2400 everywhere
    return _encodable(value.replace("\0", "\u2400"), where)


def _part(part: Any, where: str) -> str:
    """The words of a content part: text as it is, an image by its caption or alternative text and its local path."""
    if isinstance(part, str):
        return part
    if not isinstance(part, Mapping):
        raise InvalidInputError(f"{where}: a content part is a text or a dict, not {type(part).__name__}")
    if isinstance(part.get("text"), str):
        return str(part["text"])
    words = part.get("caption") or part.get("alt") or part.get("alt_text")
    kind = str(part.get("type", "part")).replace("_url", "")
    mark = f"[{kind}: {words}]" if words else f"[{kind}]"
    path = part.get("path")
    if path is None or kind != "image":
        return mark if words else ""
    if not isinstance(path, str | PurePath) or not _PATH.fullmatch(str(path)):
        raise InvalidInputError(
            f"{where}: an image's path is one line of at most 1,000 characters, not {path!r}"
        )
    return f"{mark}(<{path}>)"


def _metadata(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInputError(f"{where}: metadata is a dict, not {type(value).__name__}")
    try:
        text = json.dumps(dict(value), allow_nan=False, ensure_ascii=False)
        plain: dict[str, Any] = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"{where}: metadata must be plain JSON: {error}") from error
    _encodable(text, f"{where}: metadata")
    return plain
