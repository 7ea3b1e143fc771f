"""How well a memory is held, and keeping it cheap. The flow is in `maintain`; what retention means in `retention`."""

from __future__ import annotations

from collections.abc import Callable

from agentmem.core import Wiring
from agentmem.lookup import Lookup
from agentmem.maintain import maintain
from agentmem.types import Lifecycle, Maintenance


class Upkeep(Lookup):
    """The methods of `Memory` on the lifecycle of what it holds."""

    def lifecycle(self) -> Lifecycle:
        """How well this namespace is held now, and in which precisions its vectors are kept."""
        self._core.check_open()
        self._core.recall_log.flush()
        return self._core.store.lifecycle(self._namespace, self._core.clock.now())

    def maintain(
        self, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None
    ) -> Maintenance:
        """Keep what was long not recalled in fewer bits; what was recalled since, in more again.

        Only vectors change, never words, so everything stays findable. May be stopped at any moment and run again.

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
