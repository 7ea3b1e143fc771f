"""Answers a recall, top to bottom: embed, analyse, gather, weigh, fold, pack, trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentmem.clock import Clock
from agentmem.contracts import Channel, Embedder, Executor, Query, Store, Tokenizer
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.read.candidates import Candidate, fold
from agentmem.read.combine import ability, combiners, gates
from agentmem.read.features import Ability, Asked, Columns, features
from agentmem.read.gate import LEAST_POOL, alike, signs
from agentmem.read.gather import ALL_TIERS, Gathered, Gatherer
from agentmem.read.pack import pack
from agentmem.read.pool import Pool, make_pool
from agentmem.read.query import analyse
from agentmem.read.views import Views
from agentmem.terms import terms
from agentmem.types import ItemTrace, Namespace, QuestionTrace, Recall, RecalledItem, Tier, Trace

# a short line with its share of a header; no budget reaches further down the list than this allows
_TOKENS_PER_LINE = 10
_FURTHEST = 25_600
# features told of for each item
_PARTS_TOLD = 5


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
        self._gatherer = Gatherer(store, channels, executor, clock)
        self._clock = clock
        self._views = Views()
        # read at the opening, so that no first question waits for them, or finds them out of reach
        self._combiners, self._gates = combiners(), gates()

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
        min_relevance: float,
    ) -> Recall:
        """The best evidence for `text` within the budget; nothing where that is not likely to be any."""
        start = perf_counter()
        asked = self.ask(text, at)
        embed_seconds = perf_counter() - start
        useful = max(min(budget_tokens // _TOKENS_PER_LINE, _FURTHEST), 2 * (k or 0))
        gathered = self.gather(namespace, asked, at, tiers, useful)
        weighed = self._weigh(namespace, asked, gathered)
        gate = _gate(weighed, tiers, min_relevance)
        candidates, folded = fold(weighed.ranked if gate.opens else [], weighed.sayings)
        packed = pack(
            candidates,
            budget_tokens=budget_tokens,
            tokenizer=self._tokenizer,
            tiers=partial(self._gatherer.tiers, namespace),
            k=k,
            broad=asked.analysis.broad,
        )
        analysis = asked.analysis
        trace = Trace(
            query=text,
            tiers=tiers if gate.opens else (),
            gate=gate.why,
            embed_seconds=embed_seconds,
            seconds=perf_counter() - start,
            channels=gathered.traces,
            candidates=len(candidates),
            folded=folded,
            budget_tokens=budget_tokens,
            tokens=packed.tokens,
            cut=packed.cut if explain else (),
            relevance=weighed.relevance,
            question=QuestionTrace(
                analysis.kind, analysis.tense, tuple(span.words for span in analysis.spans), analysis.broad
            ),
            weights=weighed.ability,
            reasons=_reasons(packed.items, gathered, weighed) if explain else (),
        )
        return Recall(packed.text, packed.items, trace, packed.tokens)

    def ask(self, text: str, at: datetime | None) -> Asked:
        """The question analysed, in terms, and embedded where that works."""
        made = embed_pieces_or_none(self._embedder, [text], "query")
        analysis = analyse(text, at or self._clock.now())
        if made is None:
            return Asked(text, analysis, terms(text), None)
        pieces = made.pieces[0] if made.pieces else None
        return Asked(text, analysis, terms(text), made.rows[0], pieces)

    def gather(
        self, namespace: Namespace, asked: Asked, at: datetime | None, tiers: tuple[Tier, ...], useful: int
    ) -> Gathered:
        """What may answer the question, in the order of the channels."""
        query = Query(asked.text, namespace, asked.terms, asked.vector, at, self._embedder.name)
        return self._gatherer.gather(query, tiers, useful)

    def weighable(
        self, namespace: Namespace, asked: Asked, head: Sequence[Candidate]
    ) -> tuple[Pool, Columns]:
        """The head as a pool with its features."""
        passages = [candidate.passage for candidate in head]
        keys, name = [passage.key for passage in passages], self._embedder.name
        vectors = pieces = None
        if asked.vector is not None:
            vectors = self._store.vectors_of(namespace, keys, embedder=name)
        if asked.pieces is not None and len(asked.pieces):
            pieces = self._store.near_pieces(namespace, keys, asked.pieces, embedder=name)
        pool = make_pool(passages, self._views, vectors, pieces)
        return pool, features(asked, pool)

    def forget_views(self) -> None:
        """Drop what is kept of passages between recalls."""
        self._views.clear()

    def _weigh(self, namespace: Namespace, asked: Asked, gathered: Gathered) -> _Weighed:
        if not gathered.head:
            return _Weighed([], "", {}, None, {})
        pool, columns = self.weighable(namespace, asked, gathered.head)
        able = ability(self._embedder.name, columns)
        scores = self._combiners[able].score(columns)
        relevance = None
        if len(pool) >= LEAST_POOL:
            relevance = self._gates[able].chance(signs(asked, alike(asked, pool, able), columns, scores))
        sayings = {passage.key: view.saying for passage, view in zip(pool.passages, pool.views, strict=True)}
        return _Weighed(in_order(gathered, scores), able, columns, relevance, sayings)


class _Weighed(NamedTuple):
    ranked: list[Candidate]
    ability: Ability | Literal[""]
    columns: Columns
    relevance: float | None
    sayings: Mapping[int, str]


class _Gated(NamedTuple):
    opens: bool
    why: str


def _gate(weighed: _Weighed, tiers: tuple[Tier, ...], least: float) -> _Gated:
    """Whether there is anything worth saying."""
    if weighed.relevance is not None and weighed.relevance < least:
        return _Gated(False, f"nothing relevant: below {least:.3f}")
    return _Gated(True, "all tiers asked for" if tiers == ALL_TIERS else "tiers named by the caller")


def _reasons(items: Sequence[RecalledItem], gathered: Gathered, weighed: _Weighed) -> tuple[ItemTrace, ...]:
    """For each item that was weighed, what put it where it is."""
    places = {
        (entry.passage.owner_id, entry.passage.span): place for place, entry in enumerate(gathered.head)
    }
    if not weighed.ability:
        return ()
    combiner = combiners()[weighed.ability]
    return tuple(
        ItemTrace(item.id, place + 1, combiner.parts(weighed.columns, place, _PARTS_TOLD))
        for item in items
        if (place := places.get((item.id, item.span))) is not None
    )


def in_order(gathered: Gathered, scores: NDArray[np.float64]) -> list[Candidate]:
    """The head by its scores `[n]`, then the tail below it in the order it has."""
    keys = np.array([candidate.passage.key for candidate in gathered.head], dtype=np.int64)
    best_first, values = np.lexsort((keys, -scores)).tolist(), scores.tolist()
    head = [gathered.head[place].scored(values[place]) for place in best_first]
    last = head[-1].score if head else 0.0
    return [*head, *(entry.scored(last - place) for place, entry in enumerate(gathered.tail, 1))]
