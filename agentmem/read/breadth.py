"""Ranks for questions that ask for many things: a list, an order or a count has its evidence in many sessions.

Turns of one session are alike in all that the ranking goes by, so the best of them bring the others along. Each gives
way the more is ranked before it from its session, and from the same long message: a discount that only grows, as in
submodular selection (Lin and Bilmes 2011).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Sequence

from agentmem.read.candidates import Candidate

# what more of the same costs, in logits; on held-out conversations 0.3 to 0.8 do about the same
_COMPANY_COST = 0.4
_Company = tuple[tuple[str, str | None], ...]


def broadened(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, best first, with the scores that are left to them."""
    taken: Counter[tuple[str, str | None]] = Counter()
    companies = [_company(candidate) for candidate in candidates]

    def left(place: int) -> float:
        company = sum(math.log1p(taken[company]) for company in companies[place])
        return candidates[place].score - _COMPANY_COST * company

    queue = [(-left(place), place) for place in range(len(candidates))]
    heapq.heapify(queue)
    ranked = []
    while queue:
        stale, place = heapq.heappop(queue)
        # scores only fall, so what is still first after being counted anew is first indeed
        if (now := -left(place)) > stale:
            heapq.heappush(queue, (now, place))
            continue
        taken.update(companies[place])
        ranked.append(candidates[place].scored(-now))
    return ranked


def _company(candidate: Candidate) -> _Company:
    """What evidence from one place has in common: a session, and one long event."""
    return ("session", candidate.passage.session), ("event", candidate.passage.owner_id)
