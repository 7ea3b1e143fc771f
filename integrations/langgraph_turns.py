"""Conversations as turns: what of a message list is to be remembered, under which ids, and what may be dropped.

An event's id is made from its thread, its place and its words, so that a retry, a replay or a fork of the same
messages is the same event, while an edited or newly worded answer is another.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, SystemMessage, convert_to_messages

from agentmem.contracts import Tokenizer
from agentmem.quote import OPEN, frame

_REMEMBERED = ("human", "ai")
# what a provider adds around every message
_PER_MESSAGE_TOKENS = 4


def read_state(state: Any, key: str) -> list[AnyMessage]:
    """The messages of a state, whatever form they were given in."""
    held = state.get(key) if isinstance(state, dict) else getattr(state, key, None)
    messages: list[AnyMessage] = list(convert_to_messages(held or []))  # type: ignore[arg-type]
    return messages


def turns(messages: Sequence[AnyMessage]) -> list[list[AnyMessage]]:
    """The messages cut before each one of the user's; a system message belongs to no turn."""
    found: list[list[AnyMessage]] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            continue
        if not found or (isinstance(message, HumanMessage) and not _is_context(message)):
            found.append([])
        found[-1].append(message)
    return found


def text_of(message: AnyMessage) -> str:
    """The words of a message; empty where it only calls tools or holds nothing readable."""
    if isinstance(message.content, str):
        return message.content.strip()
    parts = [part if isinstance(part, str) else part.get("text", "") for part in message.content]
    return "\n".join(part for part in parts if isinstance(part, str) and part.strip())


def question_of(messages: Sequence[AnyMessage]) -> str:
    """The user's last words."""
    asked = [
        message for message in messages if isinstance(message, HumanMessage) and not _is_context(message)
    ]
    return text_of(asked[-1]) if asked else ""


def events_of(given: Sequence[Sequence[AnyMessage]], thread: str) -> list[dict[str, Any]]:
    """What the user and the model said in these turns, as `Memory.remember` takes it."""
    events: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for turn in given:
        before = ""
        for message in turn:
            text = text_of(message)
            role = message.type.removesuffix("MessageChunk").lower()
            if role not in _REMEMBERED or not text or _is_context(message):
                continue
            # an answer is known by what it answers: a replay gives it a new id of its own
            place = f"re:{before}" if before or role == "ai" else f"id:{message.id or ''}"
            identity = _digest(thread, place, role, message.name or "", text)
            count = seen[identity] = seen.get(identity, 0) + 1
            before = identity if count == 1 else _digest(identity, str(count))
            events.append({"id": before, "role": role, "name": message.name, "content": text})
    return events


def split(
    messages: Sequence[AnyMessage], tokenizer: Tokenizer, keep_tokens: int
) -> tuple[list[list[AnyMessage]], list[list[AnyMessage]]]:
    """The turns to drop and those to keep: whole turns, the last one always.

    Nothing is dropped until `keep_tokens` are passed; then half of them is made free at once, so that most turns
    change nothing.
    """
    all_turns = turns(messages)
    sizes = [sum(_tokens(message, tokenizer) for message in turn) for turn in all_turns]
    if sum(sizes) <= keep_tokens:
        return [], all_turns
    first, room = len(all_turns) - 1, keep_tokens // 2 - sizes[-1]
    while first > 0 and sizes[first - 1] <= room:
        first -= 1
        room -= sizes[first]
    return all_turns[:first], all_turns[first:]


def with_memory(messages: Sequence[Any], recalled: str) -> list[AnyMessage]:
    """The messages for one call of the model, with what was recalled before the user's last words.

    It stands among the user's messages, marked as a quotation: a stored instruction stays data. The list that was
    given is left as it is.
    """
    given: list[AnyMessage] = list(convert_to_messages(messages))  # type: ignore[arg-type]
    if not recalled:
        return given
    places = [n for n, message in enumerate(given) if isinstance(message, HumanMessage)]
    place = places[-1] if places else len(given)
    text = recalled if recalled.startswith(OPEN) else frame(recalled)
    return [*given[:place], HumanMessage(content=text), *given[place:]]


def _is_context(message: AnyMessage) -> bool:
    return isinstance(message.content, str) and message.content.startswith(OPEN)


def _tokens(message: AnyMessage, tokenizer: Tokenizer) -> int:
    calls = getattr(message, "tool_calls", None)
    return tokenizer.count(text_of(message) + (str(calls) if calls else "")) + _PER_MESSAGE_TOKENS


def _digest(*parts: str) -> str:
    return sha256(
        "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
    ).hexdigest()[:32]
