"""Reads conversations from files: JSON lines, and what chat products export. Yields message dicts, in order.

Formats are told apart by their content; each is one small function.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from agentmem.clock import to_utc
from agentmem.errors import InvalidInputError

Message = dict[str, Any]
FORMATS = ("auto", "jsonl", "json", "chatgpt", "claude", "locomo", "whatsapp", "text")
_WHATSAPP = re.compile(
    r"^\u200e?\[?(\d{1,4}[./-]\d{1,2}[./-]\d{2,4}),? (\d{1,2}:\d{2}(?::\d{2})?(?:[ \u202f][AaPp]\.?[Mm]\.?)?)\]?"
    r"(?: -)? ([^:]{1,80}): (.*)$"
)


def read(file: IO[bytes], name: str, form: str) -> Iterator[Message]:
    """Messages of an open file; JSON lines are read as they come, the rest whole.

    Raises:
        InvalidInputError: not UTF-8, not in the format named, or in none that is known.
    """
    if form == "auto":
        form = "jsonl" if name.endswith((".jsonl", ".ndjson")) else "auto"
    if form == "jsonl":
        yield from _jsonl(file, name)
        return
    text = _decode(file.read(), name)
    if form == "auto":
        form = _guess(text)
    if form == "jsonl":
        yield from _lines(text.splitlines(), name)
    elif form == "text":
        yield {"content": text}
    elif form == "whatsapp":
        yield from _whatsapp(text, name)
    else:
        yield from _json(text, name, form)


def _decode(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidInputError(
            f"{name} is not UTF-8 at line {line}, byte {error.start}; convert it first, for example: "
            f"iconv -f latin1 -t utf-8 {name}"
        ) from error


def _guess(text: str) -> str:
    start = text.lstrip()[:1]
    if start and start in "[{":
        try:
            json.loads(text)
        except ValueError:
            return "jsonl" if start == "{" else "text"
        return "json"
    return "whatsapp" if _WHATSAPP.match(text.lstrip("\ufeff").partition("\n")[0]) else "text"


def _jsonl(file: IO[bytes], name: str) -> Iterator[Message]:
    for number, raw in enumerate(file, 1):
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(f"{name} is not UTF-8 at line {number}: {error}") from error
        if line.strip():
            yield _message(line, name, number)


def _lines(lines: list[str], name: str) -> Iterator[Message]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _message(line, name, number)


def _message(line: str, name: str, number: int) -> Message:
    try:
        message = json.loads(line)
    except ValueError as error:
        raise InvalidInputError(f"{name} line {number} is not JSON: {error}") from error
    if not isinstance(message, dict):
        raise InvalidInputError(
            f"{name} line {number} is a {type(message).__name__}, not an object with 'content'"
        )
    return message


def _json(text: str, name: str, form: str) -> Iterator[Message]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise InvalidInputError(f"{name} is not JSON: {error}") from error
    reader = READERS.get(form) or _reader_for(data, name)
    try:
        yield from reader(data)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} is not in the {form} format: {type(error).__name__} {error}; known: {', '.join(FORMATS)}"
        ) from error


def _reader_for(data: Any, name: str) -> Callable[[Any], Iterator[Message]]:
    first = data[0] if isinstance(data, list) and data else data
    if isinstance(first, Mapping):
        for key, form in (
            ("mapping", "chatgpt"),
            ("chat_messages", "claude"),
            ("conversation", "locomo"),
            ("content", "json"),
            ("messages", "json"),
        ):
            if key in first:
                return READERS[form]
    raise InvalidInputError(f"{name}: no known chat export; name its format: {', '.join(FORMATS)}")


def _messages(data: Any) -> Iterator[Message]:
    """A list of message dicts, or an object (or list of objects) with `messages`."""
    for entry in [data] if isinstance(data, Mapping) else data:
        yield from entry["messages"] if "messages" in entry else [dict(entry)]


def _chatgpt(data: Any) -> Iterator[Message]:
    """ChatGPT's conversations.json: a tree of messages; the branch that was shown last is read."""
    for conversation in [data] if isinstance(data, Mapping) else data:
        mapping = conversation["mapping"]
        branch = []
        node = conversation.get("current_node") or list(mapping)[-1]
        while node:
            branch.append(mapping[node])
            node = mapping[node].get("parent")
        for entry in reversed(branch):
            message = entry.get("message")
            if not message or message["author"]["role"] == "system":
                continue
            words = "\n".join(part for part in message["content"].get("parts") or () if isinstance(part, str))
            if words.strip():
                yield _exported(
                    conversation, message["author"]["role"], words, message.get("create_time"), message["id"]
                )


def _claude(data: Any) -> Iterator[Message]:
    """Claude's conversations.json."""
    for conversation in [data] if isinstance(data, Mapping) else data:
        for message in conversation["chat_messages"]:
            words = message.get("text") or "\n".join(
                part.get("text", "") for part in message.get("content", ())
            )
            if words.strip():
                role = {"human": "user"}.get(message["sender"], message["sender"])
                yield _exported(conversation, role, words, message.get("created_at"), message["uuid"])


def _exported(conversation: Mapping[str, Any], role: str, words: str, at: Any, id_: str) -> Message:
    session = conversation.get("uuid") or conversation.get("id") or conversation.get("conversation_id")
    title = conversation.get("title") or conversation.get("name")
    return {
        "id": id_,
        "role": role,
        "content": words,
        "at": at,
        "session": session or title or "import",
        "metadata": {"title": title} if title else {},
    }


def _locomo(data: Any) -> Iterator[Message]:
    """LoCoMo's dialogues; ids carry the sample's name where a file holds several."""
    samples = [data] if isinstance(data, Mapping) else data
    for sample in samples:
        dialogue = sample["conversation"]
        prefix = f"{sample.get('sample_id')}:" if len(samples) > 1 else ""
        number = 1
        while f"session_{number}" in dialogue:
            at = to_utc(dialogue[f"session_{number}_date_time"].replace(" on ", " "))
            for turn in dialogue[f"session_{number}"]:
                caption = f"\n[image: {turn['blip_caption']}]" if turn.get("blip_caption") else ""
                yield {
                    "id": prefix + turn["dia_id"],
                    "name": turn["speaker"],
                    "content": turn["text"] + caption,
                    "at": at,
                    "session": f"{prefix}session_{number}",
                }
            number += 1


def _whatsapp(text: str, name: str) -> Iterator[Message]:
    """WhatsApp's text export; lines without a date go on with the message before."""
    message: Message | None = None
    for line in text.splitlines():
        match = _WHATSAPP.match(line)
        if match is None:
            if message is not None:
                message["content"] += "\n" + line
            continue
        if message is not None:
            yield message
        date, time, speaker, words = match.groups()
        message = {
            "name": speaker.strip(),
            "content": words or "(empty)",
            "at": to_utc(f"{date} {time}"),
            "session": date,
        }
    if message is None:
        raise InvalidInputError(f"{name} has no line of a WhatsApp export ('8/5/23, 13:56 - Alice: …')")
    yield message


READERS: dict[str, Callable[[Any], Iterator[Message]]] = {
    "json": _messages,
    "chatgpt": _chatgpt,
    "claude": _claude,
    "locomo": _locomo,
}


def open_input(source: str) -> IO[bytes]:
    """A file for reading. Raises `InvalidInputError` where it cannot be opened."""
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise InvalidInputError(f"cannot read {source}: {error.strerror}") from error
