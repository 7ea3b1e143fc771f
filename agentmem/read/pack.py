"""Fits the best candidates into a token budget and lays them out for a model to read.

The text is chronological, grouped by session under a line with the date, and marked as quoted memory. It
never exceeds the budget by the tokenizer it is given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from agentmem.contracts import StoredPassage, Tokenizer
from agentmem.errors import BudgetTooSmallError
from agentmem.quote import CLOSE, OPEN
from agentmem.read.candidates import Candidate
from agentmem.read.captions import without_captions
from agentmem.read.layout import HeaderKey, header, header_key, lay_out, line
from agentmem.types import CutItem, RecalledItem, Tier

Tiers = Callable[[Sequence[StoredPassage]], Mapping[int, Tier]]
# how many candidates may be too long for what is left before the rest are not tried
_PATIENCE = 12
# measured on held-out conversations: 0.3 to 1.0 do about the same, none does half a point worse
LENGTH_COST = 0.6
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
    tiers: Tiers,
    k: int | None,
    length_cost: float = LENGTH_COST,
) -> Packed:
    """Take candidates while they fit, those first that say most for their length.

    A short line and a long one of equal score are not equal where tokens are scarce; `k` is by score alone. `tiers`
    tells the tier of what is taken. `length_cost` 0 takes the best, however long.

    Raises:
        BudgetTooSmallError: the budget cannot hold the frame alone.
    """
    context = Context(budget_tokens, tokenizer)
    added = context.add(candidates, k=k, length_cost=length_cost)
    return Packed(context.text + context.ending, items_of(added.taken, tiers), context.tokens, added.cut)


@dataclass(frozen=True, slots=True)
class Added:
    """What a context grew by: words, the candidates with their tokens (best first); and what was cut."""

    text: str
    taken: tuple[tuple[Candidate, int], ...]
    cut: tuple[CutItem, ...]


class Context:
    """A context under a budget. What stands in it stays; more can only be appended.

    Raises:
        BudgetTooSmallError: the budget cannot hold the frame alone.
    """

    def __init__(self, budget_tokens: int, tokenizer: Tokenizer) -> None:
        self.text = ""
        #: of the text with its ending
        self.tokens = 0
        self._count = 0
        self._budget = budget_tokens
        self._tokenizer = tokenizer
        frame = self._with("")
        if budget_tokens < frame:
            raise BudgetTooSmallError(
                f"budget_tokens={budget_tokens} cannot hold the frame of a context ({frame} tokens); give more"
            )

    @property
    def ending(self) -> str:
        """What closes the text as it stands."""
        return CLOSE if self.text else ""

    def add(
        self,
        candidates: Sequence[Candidate],
        *,
        k: int | None = None,
        share: float = 1.0,
        length_cost: float = LENGTH_COST,
    ) -> Added:
        """Append what fits into this share of what is left of the budget; the whole never holds more than `k`."""
        room = int((self._budget - self._with("")) * share)
        most = len(candidates) if k is None else k - self._count
        order = _by_worth(candidates[:most], length_cost)
        chosen, cut = _choose(order, room, self._tokenizer)
        cut.extend(
            CutItem(entry.passage.owner_id, entry.score, f"beyond k={k}") for entry in candidates[most:]
        )
        lines = _lines(chosen)
        while chosen and (tokens := self._with(lines)) > self._budget:
            # a tokenizer of the user's own need not be additive
            candidate, cost = chosen.pop()
            cut.append(CutItem(candidate.passage.owner_id, candidate.score, f"{cost} tokens do not fit"))
            lines = _lines(chosen)
        if not chosen:
            return Added("", (), tuple(cut))
        grown = f"{self._opening}{lines}"
        self.text, self.tokens = self.text + grown, tokens
        self._count += len(chosen)
        return Added(grown, tuple(chosen), tuple(cut))

    @property
    def _opening(self) -> str:
        return "" if self.text else f"{OPEN}\n"

    def _with(self, lines: str) -> int:
        """Tokens of the context where it ends after these lines."""
        return self._tokenizer.count(f"{self.text}{self._opening}{lines}{CLOSE}")


def _lines(chosen: Sequence[tuple[Candidate, int]]) -> str:
    brief = {candidate.passage.key for candidate, _ in chosen if candidate.brief}
    return lay_out([candidate.passage for candidate, _ in chosen], brief)


def enough(candidates: Sequence[Candidate], coverage: float) -> int:
    """How many of the best candidates are as likely as `coverage` to be all that is evidence, by scores in logits."""
    if coverage >= 1 or not candidates:
        return len(candidates)
    scores = np.array([candidate.score for candidate in candidates])
    chances = np.exp(scores - scores.max())
    covered = np.cumsum(chances) / chances.sum()
    # the last sum may fall short of 1 by what rounding takes
    return min(int(np.searchsorted(covered, coverage)) + 1, len(candidates))


def _choose(
    candidates: Sequence[Candidate], room_tokens: int, tokenizer: Tokenizer
) -> tuple[list[tuple[Candidate, int]], list[CutItem]]:
    """Candidates whose lines fit, taken in this order, with their tokens, best first; and the others."""
    spent = misses = 0
    chosen: list[tuple[Candidate, int]] = []
    cut: list[CutItem] = []
    headers: set[HeaderKey] = set()
    for candidate in candidates:
        if misses == _PATIENCE:
            cut.append(CutItem(candidate.passage.owner_id, candidate.score, "the budget is spent"))
            continue
        group = header_key(candidate.passage)
        cost = tokenizer.count(line(candidate.passage, candidate.brief) + "\n")
        extra = 0 if group in headers else tokenizer.count(header(candidate.passage) + "\n")
        if spent + cost + extra > room_tokens:
            cut.append(CutItem(candidate.passage.owner_id, candidate.score, f"{cost} tokens do not fit"))
            misses += 1
            continue
        spent += cost + extra
        headers.add(group)
        chosen.append((candidate, cost))
    # best first again; the sort is stable
    chosen.sort(key=lambda pair: -pair[0].score)
    return chosen, cut


def _by_worth(candidates: Sequence[Candidate], length_cost: float) -> list[Candidate]:
    """Best first by score less what its length costs, both in logits."""
    # what is shown beside what was said neither helps nor harms a line
    said = [len(without_captions(entry.passage.text)) for entry in candidates]
    worth = [
        entry.score - length_cost * math.log(chars + _LINE_CHARS)
        for entry, chars in zip(candidates, said, strict=True)
    ]
    return [candidates[place] for place in sorted(range(len(worth)), key=lambda place: -worth[place])]


def items_of(taken: Sequence[tuple[Candidate, int]], tiers: Tiers) -> tuple[RecalledItem, ...]:
    """What a caller is told of candidates that were taken, with the tokens of their lines."""
    of = tiers([candidate.passage for candidate, _ in taken])
    return tuple(_item(candidate, tokens, of[candidate.passage.key]) for candidate, tokens in taken)


def _item(candidate: Candidate, tokens: int, tier: Tier) -> RecalledItem:
    passage = candidate.passage
    return RecalledItem(
        id=passage.owner_id,
        text=passage.text,
        tier=tier,
        kind=passage.kind,
        score=candidate.score,
        source_ids=candidate.source_ids,
        at=passage.at,
        tokens=tokens,
        span=passage.span,
        channels=dict(candidate.ranks),
        speaker=passage.speaker,
        session=passage.session,
    )
