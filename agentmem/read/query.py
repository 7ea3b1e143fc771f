"""What a question asks: its kind, whom it names, when, and whether it wants one thing or many.

English by rule; other languages come out as a plain question without names or times, which the reader handles.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal

from agentmem.read.times import TimeSpan, time_spans

Kind = Literal["when", "who", "where", "why", "how many", "how", "what", "yes-no", "statement"]
Tense = Literal["past", "present", "future"]

_KINDS: tuple[tuple[Kind, str], ...] = (
    ("when", r"(?:since )?when\b|how long\b|(?:in|on|at|by)?\s*(?:what|which)\s+(?:year|month|date|day|time)\b"),
    ("how many", r"how\s+(?:many|much|often|old)\b|what number of\b"),
    ("who", r"(?:with |to |from |for |by )?who(?:m|se)?\b"),
    ("where", r"(?:from |to |in )?where\b|(?:in|to|from)?\s*(?:what|which)\s+(?:city|country|state|town|place)\b"),
    ("why", r"why\b|what (?:made|caused|motivated|inspired)\b|for what reason\b"),
    ("how", r"how\b"),
    ("what", r"(?:in|on|at|to|for|from|with|of|about)?\s*(?:what|which)\b"),
    ("yes-no", r"(?:is|are|was|were|am|do|does|did|has|have|had|would|will|can|could|should|might|may)\b"),
)  # fmt: skip
_POLITE = re.compile(
    r"^\s*(?:(?:hi|hello|hey|ok|okay|so|and|please|by the way)[,!.]?\s+)*"
    r"(?:(?:can|could|would|will) you (?:please )?(?:remind|tell|show|help|give|list|say)(?: me)?"
    r"(?: (?:about|of|with))?|"
    r"(?:please )?(?:remind|tell) me(?: (?:about|of))?|do you (?:remember|know|recall)|i(?:'d like| want) to know)\s+",
    re.IGNORECASE,
)
_PLURAL = re.compile(
    r"\b(?:what|which|who)\b(?:\s+[\w+&'/-]+){0,4}?\s+(?!(?:has|was|does|is|his|this|its)\b)"
    r"(?:\w{2,}(?<![su'i])s|people|children|men|women)\b(?!')"
    r".*\b(?:are|were|do|does|did|has|have|can|could|would)\b|"
    r"\b(?:list|all (?:the|of|my|her|his|their)|each|every|various|different|both)\b|"
    r"\bhow (?:many|often)\b|\bhow (?:much )?(?:\w+ )?(?:in total|altogether|overall)\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:order|sequence|chronolog\w+|timeline|first.*(?:then|last|second)|evol\w+|progress\w*|over time|"
    r"from (?:the )?(?:earliest|oldest|first) to|step by step|history of|summar\w+|recap|walk me through)\b",
    re.IGNORECASE,
)
_COUNT = re.compile(r"\bhow (?:many|often|much)\b|\b(?:count|number|total) of\b|\bin total\b", re.IGNORECASE)
_PAST = re.compile(
    r"\b(?:did|was|were|had|used to|ago|last|previous(?:ly)?|back (?:in|then|when)|yesterday|originally|first|"
    r"earlier|before)\b",
    re.IGNORECASE,
)
_FUTURE = re.compile(
    r"\b(?:will|going to|plan(?:s|ning)? to|upcoming|next|tomorrow|might|would)\b", re.IGNORECASE
)
_NOW = re.compile(
    r"\b(?:now|currently|current|these days|nowadays|at the moment|today|latest|most recent(?:ly)?|still|"
    r"recently|right now|lately|just)\b",
    re.IGNORECASE,
)
_TITLE = re.compile(
    r"\b(?:book|novel|movie|film|song|album|band|artist|game|show|series|title|called|named?)s?\b", re.I
)
_ME = re.compile(r"\b(?:i|i'm|i've|my|me|mine|myself)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|yours)\b", re.IGNORECASE)
_CAPITAL = re.compile(r"(?<!^)(?<![.!?] )\b[A-Z][\w'-]*(?:\s+[A-Z][\w'-]*)*")
_QUOTED = re.compile(r'["“]([^"”]{2,80})["”]')


@dataclass(frozen=True, slots=True)
class Analysis:
    """A question, understood. `asks_now` where it is about the present state of things."""

    text: str
    kind: Kind
    tense: Tense
    asks_now: bool
    many: bool
    ordered: bool
    counts: bool
    asks_title: bool
    spans: tuple[TimeSpan, ...]
    phrases: tuple[str, ...]

    @property
    def broad(self) -> bool:
        """Whether its evidence lies in many places: a list, an order or a count."""
        return self.many or self.ordered or self.counts


def analyse(text: str, at: datetime) -> Analysis:
    """Read a question; relative times are counted from `at`."""
    core = _POLITE.sub("", text).strip() or text.strip()
    return Analysis(
        text=core,
        kind=_kind(core),
        tense="past" if _PAST.search(core) else "future" if _FUTURE.search(core) else "present",
        asks_now=_NOW.search(core) is not None,
        many=_PLURAL.search(core) is not None,
        ordered=_ORDER.search(core) is not None,
        counts=_COUNT.search(core) is not None,
        asks_title=_TITLE.search(core) is not None,
        spans=time_spans(core, at),
        phrases=tuple(
            dict.fromkeys([*_QUOTED.findall(core), *(found.group() for found in _CAPITAL.finditer(core))])
        ),
    )


def _kind(text: str) -> Kind:
    for kind, pattern in _KINDS:
        if re.match(pattern, text, re.IGNORECASE):
            return kind
    if not text.rstrip().endswith("?"):
        return "statement"
    # "Last year, where did she go?": the question word comes later
    for kind, pattern in _KINDS[:-2]:
        if re.search(rf"\b(?:{pattern})", text, re.IGNORECASE):
            return kind
    return "what"


def named(text: str, speakers: Collection[str]) -> tuple[str, ...]:
    """Which speakers a question names, in its order; "I" is the one called user, "you" the one called assistant."""
    places: dict[str, int] = {}
    for speaker in speakers:
        found = _mention(speaker).search(text)
        if found is None and speaker.casefold() in _ROLES:
            found = _ROLES[speaker.casefold()].search(text)
        if found is not None:
            places[speaker] = found.start()
    return tuple(sorted(places, key=lambda speaker: (places[speaker], speaker)))


_ROLES = {"user": _ME, "assistant": _YOU}


@lru_cache(maxsize=4096)
def _mention(speaker: str) -> re.Pattern[str]:
    words = [word for word in re.findall(r"\w+", speaker) if len(word) > 1] or [speaker]
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)", re.IGNORECASE)
