"""From a question to everything that may answer it: channels asked side by side, fused, filtered, with neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

from agentmem.clock import Clock
from agentmem.contracts import Channel, Executor, Query, Scored, Store, StoredPassage
from agentmem.read.candidates import Candidate, next_to, visible, with_neighbours
from agentmem.read.fuse import Fused, fuse
from agentmem.read.request import ALL_TIERS
from agentmem.types import ChannelTrace, Namespace, Tier

# how deep each channel is asked at least
DEPTH = 100
# so many of the fused list are looked at closely
HEAD = 160
# so many of those bring the turn right before and after, and the first of them two on either side
SEEDS = 100
FIRST_SEEDS = 50
# a filter that leaves nothing of so many is answered with what it left
_DEEPEST = 25_600
# where filters leave no more than so many passages, all of them are looked at
_FEW = 2_000


@dataclass(frozen=True, slots=True)
class Gathered:
    """Candidates in fused order: the `head` is decided closely, the `tail` stays as it is."""

    head: list[Candidate]
    tail: list[Candidate]
    traces: tuple[ChannelTrace, ...]


class Gatherer:
    """Asks the channels of one store."""

    def __init__(self, store: Store, channels: Sequence[Channel], executor: Executor, clock: Clock) -> None:
        self._store = store
        self._channels = channels
        self._executor = executor
        self._clock = clock

    def gather(
        self, query: Query, tiers: tuple[Tier, ...], useful: int, without: frozenset[str] = frozenset()
    ) -> Gathered:
        """Candidates of these tiers at this time; looks deeper where too many are filtered out.

        Channels in `without` are not asked, and `neighbours` in it leaves out the turns beside what they propose.
        """
        asked = [channel for channel in self._channels if channel.name not in without]
        beside = "neighbours" not in without
        filtered = query.at is not None or tiers != ALL_TIERS
        useful = max(useful, DEPTH)
        if filtered and (found := self._in_scope(query, tiers, asked)) is not None:
            proposals, traces = found
            return self._around(query, self._candidates(query, fuse(proposals)), tiers, traces, beside)
        depth = useful
        while True:
            proposals, traces = self._propose(query, depth, asked)
            ranked = fuse(proposals)
            # unfiltered, what the budget cannot reach need not be fetched
            seen = ranked if filtered else ranked[: max(useful, HEAD)]
            candidates = self._candidates(query, seen)
            # notes that hold no longer must not crowd out what does
            filtered = filtered or len(candidates) < len(seen)
            wanted = self._within(query.namespace, candidates, tiers)
            exhausted = all(len(hits) < depth for hits in proposals.values())
            if not filtered or exhausted or len(wanted) >= useful or depth >= min(_DEEPEST, useful * 256):
                return self._around(query, wanted, tiers, traces, beside)
            depth *= 4

    def _in_scope(
        self, query: Query, tiers: tuple[Tier, ...], channels: Sequence[Channel]
    ) -> tuple[dict[str, Sequence[Scored]], tuple[ChannelTrace, ...]] | None:
        """What channels say of all that the filters leave, where that is little; None where it is much."""
        keys = self._store.in_scope(
            query.namespace, tiers=tiers, at=query.at, now=self._clock.now(), limit=_FEW
        )
        if keys is None:
            return None
        proposals, traces = self._propose(query, _DEEPEST, channels)
        allowed = set(keys)
        within: dict[str, Sequence[Scored]] = {
            name: [hit for hit in hits if hit.passage in allowed] for name, hits in proposals.items()
        }
        if query.vector is not None and "dense" in within:
            vectors = self._store.vectors_of(query.namespace, keys, embedder=query.embedder)
            dense = [Scored(key, float(row @ query.vector)) for key, row in vectors.items()]
            within["dense"] = sorted(dense, key=lambda hit: (-hit.score, hit.passage))
        return within, traces

    def _propose(
        self, query: Query, depth: int, channels: Sequence[Channel]
    ) -> tuple[dict[str, Sequence[Scored]], tuple[ChannelTrace, ...]]:
        def timed(channel: Channel) -> tuple[Sequence[Scored], float]:
            start = perf_counter()
            return channel.propose(query, depth), perf_counter() - start

        # side by side: databases and FAISS release the interpreter's lock, or the event loop goes on
        *others, last = channels
        futures = [self._executor.submit(timed, channel) for channel in others]
        # here, as a thread has nothing else to do than wait
        own = timed(last)
        proposals: dict[str, Sequence[Scored]] = {}
        traces = []
        for channel, answer in zip(channels, (*(future.result() for future in futures), own), strict=True):
            proposals[channel.name], seconds = answer
            silent = "no vector" if channel.name == "dense" and query.vector is None else ""
            traces.append(ChannelTrace(channel.name, seconds, len(proposals[channel.name]), silent))
        return proposals, tuple(traces)

    def _candidates(self, query: Query, ranked: Sequence[Fused]) -> list[Candidate]:
        passages = self._store.passages(query.namespace, [entry.passage for entry in ranked])
        return visible(ranked, passages, query.at, self._clock.now())

    def _around(
        self,
        query: Query,
        wanted: Sequence[Candidate],
        tiers: tuple[Tier, ...],
        traces: tuple[ChannelTrace, ...],
        beside: bool,
    ) -> Gathered:
        seqs = next_to(wanted[:SEEDS], FIRST_SEEDS) if beside else []
        near = self._store.neighbours(query.namespace, seqs)
        tail = {candidate.passage.key: candidate for candidate in wanted[HEAD:]}
        added = with_neighbours(wanted[:HEAD], near, query.at)[len(wanted[:HEAD]) :]
        head = [
            *wanted[:HEAD],
            *(
                tail.pop(candidate.passage.key, candidate)
                for candidate in self._within(query.namespace, added, tiers)
            ),
        ]
        return Gathered(head, list(tail.values()), traces)

    def _within(
        self, namespace: Namespace, candidates: Sequence[Candidate], tiers: tuple[Tier, ...]
    ) -> list[Candidate]:
        if tiers == ALL_TIERS:
            return list(candidates)
        of = self.tiers(namespace, [candidate.passage for candidate in candidates])
        return [candidate for candidate in candidates if of[candidate.passage.key] in tiers]

    def tiers(self, namespace: Namespace, passages: Sequence[StoredPassage]) -> dict[int, Tier]:
        """The tier of each passage by its key; the window is what is in no episode yet."""
        seqs = [passage.seq for passage in passages if passage.owner == "event"]
        closed = self._store.episode_of(namespace, seqs)

        def tier(passage: StoredPassage) -> Tier:
            if passage.owner == "memory":
                return "semantic"
            return "episode" if passage.seq in closed else "window"

        return {passage.key: tier(passage) for passage in passages}
