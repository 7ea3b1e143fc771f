"""Reads conversations in LoCoMo's schema: numbered sessions with a date, turns with a speaker and an id.

Ids are `<sample_id>/<dia_id>`, as turn ids repeat from one conversation to the next.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from agentmem.cli.items import Item, conversations_of
from agentmem.errors import InvalidInputError

_SESSION = re.compile(r"session_(\d+)")


def items(document: Any, name: str) -> Iterator[Item]:
    """The turns of every conversation, session by session."""
    for place, sample in enumerate(conversations_of(document), 1):
        where = f"{name}, conversation {place}"
        try:
            prefix = f"{sample.get('sample_id') or f'conversation-{place}'}/"
            yield from _conversation(sample["conversation"], where, prefix)
        except (AttributeError, TypeError, KeyError, ValueError) as error:
            raise InvalidInputError(f"{where}: not in LoCoMo's format: {error!r}") from error


def _conversation(dialogue: Mapping[str, Any], where: str, prefix: str) -> Iterator[Item]:
    numbers = sorted(int(match[1]) for key in dialogue if (match := _SESSION.fullmatch(key)))
    for number in numbers:
        session = f"session_{number}"
        at = _date(dialogue[f"{session}_date_time"])
        for turn in dialogue[session]:
            yield Item(f"{where}, turn {turn['dia_id']}", _turn(turn, f"{prefix}{session}", at, prefix))


def _date(text: str) -> datetime:
    """`1:56 pm on 8 May, 2023`; no zone is named there, so UTC."""
    return datetime.strptime(text.strip(), "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC)


def _turn(turn: Mapping[str, Any], session: str, at: Any, prefix: str) -> dict[str, Any] | None:
    caption = turn.get("blip_caption")
    words = [str(turn.get("text") or ""), f"[image: {caption}]" if caption else ""]
    content = "\n".join(filter(None, words))
    if not content.strip():
        return None
    return {
        "id": f"{prefix}{turn['dia_id']}",
        "name": turn["speaker"],
        "content": content,
        "at": at,
        "session": session,
    }
