"""Answers a recall, top to bottom: embed, propose, fuse, fetch, fold, add neighbours, pack, trace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from time import perf_counter

from agentmem.clock import Clock
from agentmem.contracts import Channel, Embedder, Executor, Query, Scored, Store, Tokenizer
from agentmem.embed.safe import embed_or_none
from agentmem.read.candidates import Candidate, fold, in_context, next_to, visible
from agentmem.read.fuse import Fused, fuse
from agentmem.read.pack import pack
from agentmem.terms import terms
from agentmem.types import ChannelTrace, Namespace, Recall, Tier, Trace

ALL_TIERS: tuple[Tier, ...] = ("window", "episode", "semantic")
_DEPTH = 100
# a filter that leaves nothing of so many is answered with what it left
_DEEPEST = 25_600
_SEEDS = 30
# a short line with its share of a header; no budget reaches further down the list than this allows
_TOKENS_PER_LINE = 10


class Recaller:
    """Reads from one store."""

    def __init__(
        self,
        store: Store,
        embedder: Embedder,
        tokenizer: Tokenizer,
        channels: Sequence[Channel],
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._tokenizer = tokenizer
        self._channels = channels
        self._executor = executor
        self._clock = clock

    def recall(
        self,
        namespace: Namespace,
        text: str,
        *,
        budget_tokens: int,
        at: datetime | None,
        k: int | None,
        tiers: tuple[Tier, ...],
        explain: bool,
    ) -> Recall:
        """The best evidence for `text` within the budget."""
        start = perf_counter()
        vector = embed_or_none(self._embedder, [text], "query")
        embed_seconds = perf_counter() - start
        query = Query(
            text, namespace, terms(text), None if vector is None else vector[0], at, self._embedder.name
        )
        useful = max(_DEPTH, min(budget_tokens // _TOKENS_PER_LINE, _DEEPEST), 2 * (k or 0))
        candidates, window, channel_traces = self._gather(query, tiers, useful)
        candidates, folded = fold(candidates)
        packed = pack(candidates, budget_tokens=budget_tokens, tokenizer=self._tokenizer, tiers=window, k=k)
        trace = Trace(
            query=text,
            tiers=tiers,
            gate="all tiers asked for" if tiers == ALL_TIERS else "tiers named by the caller",
            embed_seconds=embed_seconds,
            seconds=perf_counter() - start,
            channels=channel_traces,
            candidates=len(candidates),
            folded=folded,
            budget_tokens=budget_tokens,
            tokens=packed.tokens,
            cut=packed.cut if explain else (),
        )
        return Recall(packed.text, packed.items, trace, packed.tokens)

    def _gather(
        self, query: Query, tiers: tuple[Tier, ...], useful: int
    ) -> tuple[list[Candidate], dict[int, Tier], tuple[ChannelTrace, ...]]:
        """Candidates of these tiers at this time, best first; looks deeper where too many are filtered out."""
        filtered = query.at is not None or tiers != ALL_TIERS
        depth = useful
        while True:
            proposals, traces = self._propose(query, depth)
            ranked = fuse(proposals)
            # unfiltered, what the budget cannot reach need not be fetched
            candidates = self._candidates(query, ranked if filtered else ranked[:useful])
            tier_of = self._tiers(query.namespace, candidates)
            wanted = [candidate for candidate in candidates if tier_of[candidate.passage.key] in tiers]
            exhausted = all(len(hits) < depth for hits in proposals.values())
            if not filtered or exhausted or len(wanted) >= useful or depth >= _DEEPEST:
                return wanted, tier_of, traces
            depth *= 4

    def _propose(
        self, query: Query, depth: int
    ) -> tuple[dict[str, Sequence[Scored]], tuple[ChannelTrace, ...]]:
        def timed(channel: Channel) -> tuple[Sequence[Scored], float]:
            start = perf_counter()
            return channel.propose(query, depth), perf_counter() - start

        # side by side: databases and FAISS release the interpreter's lock, or the event loop goes on
        futures = [(channel, self._executor.submit(timed, channel)) for channel in self._channels]
        proposals: dict[str, Sequence[Scored]] = {}
        traces = []
        for channel, future in futures:
            proposals[channel.name], seconds = future.result()
            silent = "no vector" if channel.name == "dense" and query.vector is None else ""
            traces.append(ChannelTrace(channel.name, seconds, len(proposals[channel.name]), silent))
        return proposals, tuple(traces)

    def _candidates(self, query: Query, ranked: Sequence[Fused]) -> list[Candidate]:
        passages = self._store.passages(query.namespace, [entry.passage for entry in ranked])
        candidates = visible(ranked, passages, query.at, self._clock.now())
        near = self._store.neighbours(query.namespace, next_to(candidates[:_SEEDS]))
        if query.at is not None:
            near = [passage for passage in near if passage.at <= query.at]
        return in_context(candidates, near)

    def _tiers(self, namespace: Namespace, candidates: Sequence[Candidate]) -> dict[int, Tier]:
        """The window is what is in no episode yet."""
        seqs = [candidate.passage.seq for candidate in candidates if candidate.passage.owner == "event"]
        closed = self._store.episode_of(namespace, seqs)

        def tier(candidate: Candidate) -> Tier:
            if candidate.passage.owner == "memory":
                return "semantic"
            return "episode" if candidate.passage.seq in closed else "window"

        return {candidate.passage.key: tier(candidate) for candidate in candidates}
