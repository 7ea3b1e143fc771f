"""Follows the log: what is derived from events is brought up to date, never before they are acknowledged.

Each call makes good what the ones before it left: a write or a recall reads earlier events once enough wait, and
closing reads all. What a crash or a full disk cut short is taken up there, too. No model is called; a failure
costs nothing but freshness.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from hashlib import sha256

from agentmem.contracts import Progress, Store
from agentmem.errors import ReadOnlyStoreError
from agentmem.terms import terms
from agentmem.types import Episode, Event, Namespace
from agentmem.write.extract import mentions_of
from agentmem.write.segment import Cut, Segmenter, Turn, opening_hint
from agentmem.write.summarise import describe

logger = logging.getLogger("agentmem")

BATCH = 512
# so many events may wait before a write or a recall stops for them; the recent window holds them meanwhile
_WAITING = 64
# a recall waits for no more than this; what is left goes to the next call
_PER_RECALL = 4096
_NAMESPACES_AT_CLOSE = 64
# other processes derive, too, and each step may find that one has been faster
_ATTEMPTS = 8


class Deriver:
    """Keeps what is derived in step with the events of one store. Safe to share, as far as its lock reaches."""

    def __init__(self, store: Store, lock: AbstractContextManager[object]) -> None:
        self._store = store
        self._waiting: dict[Namespace, int] = {}
        # held while the store is asked
        self._lock = lock

    def wrote(self, namespace: Namespace, count: int) -> None:
        """Take note that so many events were stored."""
        if count:
            self._waiting[namespace] = self._waiting.get(namespace, 0) + count

    def before_write(self, namespace: Namespace) -> None:
        """Catch up if much was written since the last time."""
        if self._waiting.get(namespace, 0) >= _WAITING:
            self.follow(namespace)

    def before_recall(self, namespace: Namespace, *, exactly: bool = False) -> None:
        """Catch up, within what a reader can wait for; unless `exactly`, only if much waits."""
        progress = self._store.progress(namespace)
        if progress.next - progress.derived >= (1 if exactly else _WAITING):
            self.follow(namespace, _PER_RECALL)

    def before_close(self) -> None:
        """Catch up where this process wrote; many namespaces are left to their next readers."""
        for namespace in list(self._waiting)[:_NAMESPACES_AT_CLOSE]:
            self.follow(namespace)

    def follow(self, namespace: Namespace, limit: int | None = None) -> None:
        """Bring a namespace up to date, at most `limit` events further. Never raises."""
        with self._lock:
            try:
                done = self._follow(namespace, limit)
            except ReadOnlyStoreError:
                return
            except Exception as error:
                # events are safe and found without what is derived from them; the next call tries again
                logger.warning("could not bring episodes and entities up to date: %r", error)
                return
            if done:
                self._waiting.pop(namespace, None)

    def _follow(self, namespace: Namespace, limit: int | None) -> bool:
        taken, failed = 0, 0
        while (limit is None or taken < limit) and failed < _ATTEMPTS:
            progress = self._store.progress(namespace)
            if progress.derived >= progress.next:
                return True
            events = self._store.events(namespace, after_seq=progress.derived - 1, limit=BATCH)
            if self._advance(namespace, progress, events):
                taken += max(len(events), 1)
            else:
                failed += 1
        return False

    def _advance(self, namespace: Namespace, progress: Progress, events: Sequence[Event]) -> bool:
        """Read these events, the next after `progress`."""
        waiting = self._open_events(namespace, progress)
        by_seq = {event.seq: event for event in (*waiting, *events)}
        turns = {seq: _turn(event) for seq, event in by_seq.items()}
        segmenter = Segmenter(
            state=progress.state.get("segments"), open_turns=[turns[event.seq] for event in waiting]
        )
        cuts = [cut for event in events for cut in segmenter.add(turns[event.seq])]
        episodes = [_episode(namespace, cut, by_seq) for cut in cuts]
        derived = events[-1].seq + 1 if len(events) == BATCH else progress.next
        still_open = segmenter.open_turns()
        lives = progress.state.get("lives", {})
        left = {id_: life for id_, life in lives.items() if id_ not in {episode.id for episode in episodes}}
        until = Progress(
            derived,
            still_open[0].seq if still_open else derived,
            progress.next,
            {"segments": segmenter.state(), **({"lives": left} if left else {})},
        )
        return self._store.advance(
            namespace, list(mentions_of(events)), episodes, since=progress, until=until
        )

    def _open_events(self, namespace: Namespace, progress: Progress) -> list[Event]:
        """Events that were read before and are in no episode yet."""
        if progress.open >= progress.derived:
            return []
        span = progress.derived - progress.open
        events = self._store.events(namespace, after_seq=progress.open - 1, limit=span)
        events = [event for event in events if event.seq < progress.derived]
        closed = self._store.episode_of(namespace, [event.seq for event in events])
        return [event for event in events if event.seq not in closed]


def _turn(event: Event) -> Turn:
    return Turn(
        seq=event.seq,
        session=event.session,
        at=event.occurred_at,
        terms=Counter(terms(event.content)),
        tokens=event.token_count,
        hint=opening_hint(event.content),
    )


def _episode(namespace: Namespace, cut: Cut, by_seq: dict[int, Event]) -> Episode:
    events = [by_seq[turn.seq] for turn in cut.turns]
    return episode_over(namespace, events, cut.reason)


def episode_over(namespace: Namespace, events: Sequence[Event], reason: str) -> Episode:
    """The episode that these events of one session make; the same events make the same one."""
    title, summary = describe(events)
    first = events[0]
    # an id may be forgotten and given again, the moment of recording may not
    digest = sha256(f"{first.recorded_at.isoformat()} {first.id}".encode()).hexdigest()
    return Episode(
        id=f"ep-{digest[:20]}",
        namespace=namespace,
        session=first.session,
        first_seq=first.seq,
        last_seq=events[-1].seq,
        events=len(events),
        title=title,
        summary=summary,
        reason=reason,
        token_count=sum(event.token_count for event in events),
        started_at=min(event.occurred_at for event in events),
        ended_at=max(event.occurred_at for event in events),
    )
