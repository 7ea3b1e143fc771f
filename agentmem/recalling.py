"""`Memory.recall`: what is asked, checked, and handed to `read`. How evidence is found is decided there."""

from __future__ import annotations

from collections.abc import Sequence

from agentmem.clock import Moment, to_utc
from agentmem.core import Wiring
from agentmem.errors import InvalidInputError
from agentmem.lookup import Lookup, positive
from agentmem.read.gather import ALL_TIERS
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
        wanted = _check(query, budget_tokens, k, tiers, min_relevance)
        moment = None if at is None else to_utc(at)
        self._core.deriver.before_recall(self._namespace, exactly=tiers is not None)

        def answer(wiring: Wiring) -> Recall:
            self._core.embed_waiting(wiring, self._namespace)
            return wiring.recaller.recall(
                self._namespace,
                query,
                budget_tokens=budget_tokens,
                at=moment,
                k=k,
                tiers=wanted,
                explain=explain,
                min_relevance=min_relevance,
            )

        found = self._core.run(answer)
        self._core.recall_log.add(self._namespace, found.source_ids, self._core.clock.now())
        return found


def _check(
    query: str, budget_tokens: int, k: int | None, tiers: Sequence[Tier] | None, min_relevance: float
) -> tuple[Tier, ...]:
    """The tiers asked for. Raises `InvalidInputError` where a question makes no sense."""
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
    return wanted
