"""`Memory.recall`: what is asked, checked, and handed to `read`. How evidence is found is decided there."""

from __future__ import annotations

from collections.abc import Sequence

from agentmem.clock import Moment, to_utc
from agentmem.core import Wiring
from agentmem.errors import InvalidInputError
from agentmem.lookup import Lookup, positive
from agentmem.read.request import ALL_TIERS, Request
from agentmem.types import Recall, Tier

DEFAULT_BUDGET_TOKENS = 1000


class Recalling(Lookup):
    """The methods of `Memory` that answer a question with evidence."""

    def recall(
        self,
        query: str,
        *,
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        at: Moment | None = None,
        k: int | None = None,
        tiers: Sequence[Tier] | None = None,
        explain: bool = False,
        min_relevance: float = 0.0,
    ) -> Recall:
        """The best evidence for a question, packed under a token budget.

        Args:
            query: the question, in plain words.
            budget_tokens: `recall.text` never exceeds this by `tokenizer_name`.
            at: answer as of this moment: later events and facts are left out.
            k: at most this many items.
            tiers: only these of `window` (events in no episode yet), `episode`, `semantic`.
            explain: keep in the trace what was cut, and why, and what speaks for each item.
            min_relevance: the answer is empty where the chance that memory holds one (`trace.relevance`) is below
                this; 0 always answers.

        Raises:
            InvalidInputError: an empty query, or a budget, `k`, tier or chance that makes no sense.
            BudgetTooSmallError: the budget cannot hold the frame of a context.
        """
        self._core.check_open()
        request = self._request(query, budget_tokens, at, k, tiers, explain, min_relevance)
        self._core.deriver.before_recall(self._namespace, exactly=tiers is not None)

        def answer(wiring: Wiring) -> Recall:
            self._core.embed_waiting(wiring, self._namespace)
            return wiring.recaller.recall(request)

        found = self._core.run(answer)
        self._core.recall_log.add(self._namespace, found.source_ids, self._core.clock.now())
        return found

    def _request(
        self,
        query: str,
        budget_tokens: int,
        at: Moment | None,
        k: int | None,
        tiers: Sequence[Tier] | None,
        explain: bool,
        min_relevance: float,
    ) -> Request:
        """What is asked, checked."""
        if not isinstance(query, str) or not query.strip():
            raise InvalidInputError("the query is empty; ask in plain words")
        positive(budget_tokens, "budget_tokens")
        if k is not None:
            positive(k, "k")
        wanted = ALL_TIERS if tiers is None else tuple(tiers)
        if unknown := set(wanted) - set(ALL_TIERS):
            raise InvalidInputError(f"unknown tiers {sorted(unknown)}; known: {', '.join(ALL_TIERS)}")
        if not 0 <= min_relevance <= 1:
            raise InvalidInputError(f"min_relevance is a chance from 0 to 1, not {min_relevance!r}")
        moment = None if at is None else to_utc(at)
        return Request(self._namespace, query, budget_tokens, moment, k, wanted, explain, min_relevance)
