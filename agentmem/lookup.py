"""What a memory holds, looked up as it is stored. Asks no question and ranks nothing: that is `recall`."""

from __future__ import annotations

from agentmem.clock import Moment, to_utc
from agentmem.core import Core
from agentmem.errors import InvalidInputError, RecordNotFoundError
from agentmem.types import Entity, Episode, Event, HistoryEntry, Namespace, Note, Stats

# no store counts further
_LARGEST = 2**63 - 1


class Lookup:
    """The methods of `Memory` that read records."""

    _core: Core
    _namespace: Namespace

    def get(self, id: str) -> Event | Note | Episode:
        """The event, note or episode with this id. Raises `RecordNotFoundError`."""
        self._core.check_open()
        store, namespace = self._core.store, self._namespace
        if found := store.events(namespace, ids=[id]):
            return found[0]
        if (note := store.note(namespace, id)) is not None:
            return note
        self._core.deriver.follow(namespace)
        if episodes := store.episodes(namespace, ids=[id]):
            return episodes[0]
        raise RecordNotFoundError(id)

    def events(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Event]:
        """Events in order, verbatim; page with `after_seq` and `limit`.

        Raises:
            InvalidInputError: `after_seq` is not a whole number, or `limit` not one of at least 1.
        """
        self._core.check_open()
        after_seq, limit = _page(after_seq, limit)
        return self._core.store.events(self._namespace, session=session, after_seq=after_seq, limit=limit)

    def episodes(
        self, *, session: str | None = None, after_seq: int = -1, limit: int | None = None
    ) -> list[Episode]:
        """Stretches of conversation, in order; page with `after_seq`, the last one's `last_seq`, and `limit`.

        What was said last is in none yet: it is the window. Raises as `events` does.
        """
        self._core.check_open()
        after_seq, limit = _page(after_seq, limit)
        self._core.deriver.follow(self._namespace)
        return self._core.store.episodes(self._namespace, session=session, after_seq=after_seq, limit=limit)

    def entities(self, *names: str, limit: int | None = None) -> list[Entity]:
        """Who and what events name, the most mentioned first; or those with these names, in any spelling."""
        self._core.check_open()
        _, limit = _page(-1, limit)
        self._core.deriver.follow(self._namespace)
        return self._core.store.entities(self._namespace, names or None, limit)

    def notes(self, *, at: Moment | None = None) -> list[Note]:
        """Semantic memories in the order they were recorded: all, or those that held at a moment."""
        self._core.check_open()
        return self._core.store.notes(self._namespace, at=None if at is None else to_utc(at))

    def history(self, id: str) -> list[HistoryEntry]:
        """What happened to a record, oldest first; also of one that was forgotten.

        For a note with subject and predicate it is what happened to every version of what is said of the two; each
        `noted` tells in its detail what it says and when that holds.

        Raises:
            RecordNotFoundError: an id never seen here.
        """
        self._core.check_open()
        entries = self._core.store.history(self._namespace, id)
        if not entries:
            raise RecordNotFoundError(id)
        return entries

    def stats(self) -> Stats:
        """What this namespace holds."""
        self._core.check_open()
        return self._core.store.stats(self._namespace)


def _page(after_seq: int, limit: int | None) -> tuple[int, int | None]:
    """Where a page begins and how long it is, within what a store can count."""
    if isinstance(after_seq, bool) or not isinstance(after_seq, int):
        raise InvalidInputError(f"after_seq is a whole number, not {after_seq!r}")
    if limit is not None:
        positive(limit, "limit")
        limit = min(limit, _LARGEST)
    return min(max(after_seq, -1), _LARGEST), limit


def positive(value: object, name: str) -> None:
    """Raise `InvalidInputError` for anything but a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidInputError(f"{name} is a whole number of at least 1, not {value!r}")
