"""How recalled passages read: under their dates in order of time, word for word; nothing in them can pass for ours."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import datetime

from agentmem.contracts import StoredPassage
from agentmem.quote import defuse
from agentmem.read.captions import without_captions

HeaderKey = tuple[str | None, str]
_GAP = "[…]"
# how our own lines begin: a header, a note, a speaker
_MARKED = re.compile(r"#|- |[^\s:][^:\n]{0,80}:")


def lay_out(passages: Sequence[StoredPassage], brief: Collection[int] = ()) -> str:
    """The passages as lines, each with its end; "" for none. Those with keys in `brief` without captions."""
    groups: dict[HeaderKey, list[StoredPassage]] = {}
    for passage in sorted(passages, key=_reading_order):
        groups.setdefault(header_key(passage), []).append(passage)
    lines = []
    for group in groups.values():
        lines.append(header(group[0]))
        lines.extend(line(passage, passage.key in brief) for passage in group)
    return "".join(f"{text}\n" for text in lines)


def header_key(passage: StoredPassage) -> HeaderKey:
    """What passages under one header have in common."""
    return passage.session, "" if passage.owner == "memory" else f"{passage.at:%Y-%m-%d}"


def header(passage: StoredPassage) -> str:
    """The line above the passages of one session and day."""
    if passage.owner == "memory":
        return "# known"
    return f"# {passage.at:%A} {passage.at.day} {passage.at:%B %Y}"


def line(passage: StoredPassage, brief: bool = False) -> str:
    """Who said what; a passage of a long message shows where it is cut, and a brief one no captions."""
    if passage.owner == "memory":
        return defuse(f"- {_inside(passage.text)} (since {passage.at.day} {passage.at:%B %Y})")
    text = passage.text
    if passage.span is not None:
        start, end = passage.span
        text = f"{_GAP if start else ''}{text.strip()}{_GAP if end < len(passage.content) else ''}"
    if brief:
        text = without_captions(text)
    speaker = " ".join((passage.speaker or "").split())
    return defuse(f"{speaker}: {_inside(text)}")


def _reading_order(passage: StoredPassage) -> tuple[bool, datetime, int, int]:
    return (passage.owner == "event", passage.at, passage.seq, passage.span[0] if passage.span else 0)


def _inside(text: str) -> str:
    """The text with lines indented that could pass for a header, a note or another speaker's turn."""
    first, *rest = text.split("\n")
    return "\n".join((first, *(f"  {line}" if _MARKED.match(line) else line for line in rest)))
