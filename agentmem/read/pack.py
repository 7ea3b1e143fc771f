"""Fits the best candidates into a token budget and lays them out for a model to read.

The text is chronological, grouped by session under a line with the date, and marked as quoted memory. It
never exceeds the budget by the tokenizer it is given.
"""

from __future__ import annotations

import heapq
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentmem.contracts import StoredPassage, Tokenizer
from agentmem.errors import BudgetTooSmallError
from agentmem.quote import defuse, frame
from agentmem.read.candidates import Candidate
from agentmem.types import CutItem, RecalledItem, Tier

_FRAME = frame("")
_GAP = "[…]"
# how our own lines begin: a header, a note, a speaker
_MARKED = re.compile(r"#|- |[^\s:][^:\n]{0,80}:")
# how many candidates may be too long for what is left before the rest are not tried
_PATIENCE = 12
# measured on held-out conversations: 0.3 to 1.0 do about the same, none does half a point worse
_LENGTH_COST = 0.6
# what more of the same session costs where a question asks for many things; 0.3 to 0.5 do the same
_COMPANY_COST = 0.4
# what a line takes beside its words
_LINE_CHARS = 16


@dataclass(frozen=True, slots=True)
class Packed:
    """A context, what is in it (best first), and what is not."""

    text: str
    items: tuple[RecalledItem, ...]
    tokens: int
    cut: tuple[CutItem, ...]


def pack(
    candidates: Sequence[Candidate],
    *,
    budget_tokens: int,
    tokenizer: Tokenizer,
    tiers: Callable[[Sequence[StoredPassage]], Mapping[int, Tier]],
    k: int | None,
    broad: bool = False,
) -> Packed:
    """Take candidates while they fit, those first that say most for their length.

    A short line and a long one of equal score are not equal where tokens are scarce; `k` is by score alone. `tiers`
    tells the tier of what is taken. The evidence of a `broad` question lies in many sessions, so it is taken from many.

    Raises:
        BudgetTooSmallError: the budget cannot hold the frame alone.
    """
    spent = tokenizer.count(_FRAME)
    if budget_tokens < spent:
        raise BudgetTooSmallError(
            f"budget_tokens={budget_tokens} cannot hold the frame of a context ({spent} tokens); give more"
        )
    chosen: list[tuple[Candidate, int]] = []
    cut: list[CutItem] = []
    headers: set[tuple[str | None, str]] = set()
    misses = 0
    within, beyond = (candidates, []) if k is None else (candidates[:k], candidates[k:])
    for candidate in _by_worth(within, broad):
        if misses == _PATIENCE:
            cut.append(CutItem(candidate.passage.owner_id, candidate.score, "the budget is spent"))
            continue
        header = _header_key(candidate.passage)
        cost = tokenizer.count(_line(candidate.passage) + "\n")
        extra = 0 if header in headers else tokenizer.count(_header(candidate.passage) + "\n")
        if spent + cost + extra > budget_tokens:
            cut.append(CutItem(candidate.passage.owner_id, candidate.score, f"{cost} tokens do not fit"))
            misses += 1
            continue
        spent += cost + extra
        headers.add(header)
        chosen.append((candidate, cost))
    cut.extend(CutItem(entry.passage.owner_id, entry.score, f"beyond k={k}") for entry in beyond)
    # best first again; the sort is stable
    chosen.sort(key=lambda pair: -pair[0].score)
    text = _lay_out([candidate.passage for candidate, _ in chosen])
    tokens = tokenizer.count(text)
    while tokens > budget_tokens and chosen:
        # a tokenizer of the user's own need not be additive
        candidate, cost = chosen.pop()
        cut.append(CutItem(candidate.passage.owner_id, candidate.score, f"{cost} tokens do not fit"))
        text = _lay_out([candidate.passage for candidate, _ in chosen])
        tokens = tokenizer.count(text)
    of = tiers([candidate.passage for candidate, _ in chosen])
    items = tuple(_item(candidate, cost, of[candidate.passage.key]) for candidate, cost in chosen)
    return Packed(text, items, tokens, tuple(cut))


def _by_worth(candidates: Sequence[Candidate], broad: bool) -> Iterator[Candidate]:
    """Best first by score less what its length costs, both in logits.

    Where a question is `broad`, a candidate also gives way the more came before it from its session and its event.
    """
    alone = [
        entry.score - _LENGTH_COST * math.log(len(entry.passage.text) + _LINE_CHARS) for entry in candidates
    ]
    if not broad:
        yield from (candidates[place] for place in sorted(range(len(alone)), key=lambda place: -alone[place]))
        return
    taken: Counter[tuple[str, str | None]] = Counter()

    def worth(place: int) -> float:
        company = sum(math.log1p(taken[company]) for company in _company(candidates[place]))
        return alone[place] - _COMPANY_COST * company

    queue = [(-worth(place), place) for place in range(len(candidates))]
    heapq.heapify(queue)
    while queue:
        stale, place = heapq.heappop(queue)
        # worth only falls, so what is still first after being counted anew is first indeed
        if (now := -worth(place)) > stale:
            heapq.heappush(queue, (now, place))
            continue
        taken.update(_company(candidates[place]))
        yield candidates[place]


def _company(candidate: Candidate) -> tuple[tuple[str, str | None], ...]:
    """What evidence from one place has in common: a session, and one long event."""
    return ("session", candidate.passage.session), ("event", candidate.passage.owner_id)


def _item(candidate: Candidate, tokens: int, tier: Tier) -> RecalledItem:
    passage = candidate.passage
    return RecalledItem(
        id=passage.owner_id,
        text=passage.text,
        tier=tier,
        kind=passage.kind,
        score=candidate.score,
        source_ids=tuple(candidate.source_ids),
        at=passage.at,
        tokens=tokens,
        span=passage.span,
        channels=dict(candidate.ranks),
        speaker=passage.speaker,
        session=passage.session,
    )


def _lay_out(passages: Sequence[StoredPassage]) -> str:
    if not passages:
        return ""
    groups: dict[tuple[str | None, str], list[StoredPassage]] = {}
    for passage in sorted(passages, key=_reading_order):
        groups.setdefault(_header_key(passage), []).append(passage)
    lines = []
    for group in groups.values():
        lines.append(_header(group[0]))
        lines.extend(_line(passage) for passage in group)
    return frame("\n".join(lines))


def _reading_order(passage: StoredPassage) -> tuple[bool, datetime, int, int]:
    return (passage.owner == "event", passage.at, passage.seq, passage.span[0] if passage.span else 0)


def _header_key(passage: StoredPassage) -> tuple[str | None, str]:
    return passage.session, "" if passage.owner == "memory" else f"{passage.at:%Y-%m-%d}"


def _header(passage: StoredPassage) -> str:
    if passage.owner == "memory":
        return "# known"
    return f"# {passage.at:%A} {passage.at.day} {passage.at:%B %Y}"


def _line(passage: StoredPassage) -> str:
    if passage.owner == "memory":
        return defuse(f"- {_inside(passage.text)} (since {passage.at.day} {passage.at:%B %Y})")
    text = passage.text
    if passage.span is not None:
        start, end = passage.span
        text = f"{_GAP if start else ''}{text.strip()}{_GAP if end < len(passage.content) else ''}"
    speaker = " ".join((passage.speaker or "").split())
    return defuse(f"{speaker}: {_inside(text)}")


def _inside(text: str) -> str:
    """The text with lines indented that could pass for a header, a note or another speaker's turn."""
    first, *rest = text.split("\n")
    return "\n".join((first, *(f"  {line}" if _MARKED.match(line) else line for line in rest)))
