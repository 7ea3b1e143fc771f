"""What is done to a memory when there is time for it: keeping it cheap, wording its episodes better.

The flow is in `maintain` and `write.refine`; what retention means in `retention`.
"""

from __future__ import annotations

from collections.abc import Callable

from agentmem.core import Wiring
from agentmem.errors import InvalidInputError
from agentmem.llm import LLM
from agentmem.lookup import Lookup, positive
from agentmem.maintain import maintain
from agentmem.types import Lifecycle, Maintenance, RefineReport


class Upkeep(Lookup):
    """The methods of `Memory` on the lifecycle of what it holds."""

    _llm: LLM | None

    def lifecycle(self) -> Lifecycle:
        """How well this namespace is held now, and in which precisions its vectors are kept."""
        self._core.check_open()
        self._core.recall_log.flush()
        return self._core.store.lifecycle(self._namespace, self._core.clock.now())

    def maintain(
        self, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> Maintenance:
        """Keep what was long not recalled in fewer bits; what was recalled since, in more again.

        Latents (a model's keys and values) that nobody came back to for longest are dropped: who needs them makes
        them again from the words. Words never change, so everything stays findable. May be stopped at any moment and
        run again.

        Args:
            dry_run: only tell what would change.
            progress: called with (done, total) vectors looked at.
        """
        self._core.check_open()
        self._core.recall_log.flush()
        now = self._core.clock.now()

        def act(wiring: Wiring) -> Maintenance:
            return maintain(
                self._core.store,
                wiring.embedder,
                self._namespace,
                now,
                dry_run=dry_run,
                progress=progress,
            )

        return self._core.run(act)

    def refine(self, *, limit: int | None = None) -> RefineReport:
        """Let the language model word the episodes it has not seen, and move boundaries found by topic or length.

        Each answer is checked, and taken whole or not at all; events are never touched. Run it when there is time:
        each stretch of up to 96 events is one call of the model. May be stopped at any moment and run again.

        Args:
            limit: at most this many calls of the model (a bad answer is asked about once more).

        Raises:
            InvalidInputError: this memory was opened without `llm=`.
        """
        self._core.check_open()
        if self._llm is None:
            raise InvalidInputError("refine needs a language model: Memory(..., llm=...)")
        if limit is not None:
            positive(limit, "limit")
        self._core.deriver.follow(self._namespace)
        # validation takes a while to import, and most memories have no model
        from agentmem.write.refine import Refiner

        return Refiner(self._core.store, self._llm, self._core.beside).refine(self._namespace, limit)
