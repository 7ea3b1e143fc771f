"""Answers a recall, top to bottom: embed, analyse, gather, weigh, look again if need be, fold, pack, trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from time import perf_counter
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from agentmem.clock import Clock
from agentmem.contracts import Channel, Embedder, Executor, Query, Store, StoredPassage, Tokenizer
from agentmem.embed.safe import embed_pieces_or_none
from agentmem.read import need, scope
from agentmem.read.breadth import broadened
from agentmem.read.candidates import Candidate, fold
from agentmem.read.captions import shortened
from agentmem.read.combine import ability, combiners, gates
from agentmem.read.features import Ability, Asked, Columns, features
from agentmem.read.gate import LEAST_POOL, alike, signs
from agentmem.read.gather import Gathered, Gatherer
from agentmem.read.leads import TOO_OFTEN
from agentmem.read.pack import Packed, enough, pack
from agentmem.read.pool import Pool, make_pool
from agentmem.read.query import analyse
from agentmem.read.request import ALL_TIERS, Request
from agentmem.read.reread import Rereader
from agentmem.read.scope import Gated
from agentmem.read.views import Views
from agentmem.terms import terms
from agentmem.types import (
    CutItem,
    ItemTrace,
    Namespace,
    QuestionTrace,
    Recall,
    RecalledItem,
    RereadTrace,
    Tier,
    Trace,
)

# a short line with its share of a header; no budget reaches further down the list than this allows
_TOKENS_PER_LINE = 10
_FURTHEST = 25_600
# how deep a further look goes
_USEFUL_AGAIN = 100
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

    def recall(self, request: Request) -> Recall:
        """The best evidence within the budget; nothing where that is not likely to be any."""
        start = perf_counter()
        asked = self.asked(request)
        embed_seconds = perf_counter() - start
        return self.packed(request, self.find(request, asked), embed_seconds, start)

    def find(self, request: Request, asked: Asked) -> Found:
        """Everything that may be packed, best first; where `asked` has no vector, by words alone."""
        needed = need.chance(request.text) if request.gate else None
        if needed is not None and needed < need.LEAST:
            gate = Gated((), f"small talk: chance that it needs memory {needed:.2f}", need=needed)
            return Found(asked, Gathered([], [], ()), _NOTHING, gate, [], 0, [])
        useful = max(min(request.budget_tokens // _TOKENS_PER_LINE, _FURTHEST), 2 * (request.k or 0))
        gathered = self.gather(request.namespace, asked, request.at, request.tiers, useful, request.without)
        weighed = self._weigh(request.namespace, asked, gathered, request.without)
        rereads: tuple[RereadTrace, ...] = ()
        if (request.reread or request.splitter) and weighed.ranked and not _silent(request, weighed):
            weighed, rereads = self._reread(request, asked, len(gathered.head), weighed)
        gate, ranked = self._gate(request, asked, weighed)
        candidates, folded = fold(ranked, weighed.sayings)
        if asked.analysis.broad:
            candidates = broadened(candidates)
        candidates = shortened(candidates, asked.terms)
        count = enough(candidates, request.coverage)
        gate = gate._replace(need=needed)
        return Found(asked, gathered, weighed, gate, candidates[:count], folded, candidates[count:], rereads)

    def packed(self, request: Request, found: Found, embed_seconds: float, start: float) -> Recall:
        """The best of what was found, within the budget; `start` is when it was asked, by `perf_counter`."""
        packed = pack(
            found.candidates,
            budget_tokens=request.budget_tokens,
            tokenizer=self._tokenizer,
            tiers=partial(self.tiers, request.namespace),
            k=request.k,
        )
        return self.answer(request, found, packed, embed_seconds, perf_counter() - start)

    def answer(
        self, request: Request, found: Found, packed: Packed, embed_seconds: float, seconds: float
    ) -> Recall:
        """What was packed, with how it came about."""
        analysis, gate, weighed = found.asked.analysis, found.gate, found.weighed
        trace = Trace(
            query=request.text,
            tiers=gate.tiers,
            gate=gate.why,
            embed_seconds=embed_seconds,
            seconds=seconds,
            channels=found.gathered.traces,
            candidates=len(found.candidates) + len(found.spare),
            folded=found.folded,
            budget_tokens=request.budget_tokens,
            tokens=packed.tokens,
            cut=(*packed.cut, *_not_needed(found.spare)) if request.explain else (),
            relevance=weighed.relevance,
            question=QuestionTrace(
                analysis.kind, analysis.tense, tuple(span.words for span in analysis.spans), analysis.broad
            ),
            weights=weighed.ability,
            need=gate.need,
            # a plain one, which can be copied and pickled
            scope=dict(gate.chances),
            reasons=_reasons(packed.items, found.gathered, weighed) if request.explain else (),
            rereads=found.rereads,
        )
        return Recall(packed.text, packed.items, trace, packed.tokens)

    def tiers(self, namespace: Namespace, passages: Sequence[StoredPassage]) -> Mapping[int, Tier]:
        """The tier of each passage by its key."""
        return self._gatherer.tiers(namespace, passages)

    def asked(self, request: Request) -> Asked:
        """The question as it is asked: embedded, unless it is small talk and nothing is looked up for it."""
        if request.gate and need.chance(request.text) < need.LEAST:
            return self.ask_words(request.text, request.at)
        return self.ask(request.text, request.at)

    def ask(self, text: str, at: datetime | None) -> Asked:
        """The question analysed, in terms, and embedded where that works."""
        return self.ask_all([text], at)[0]

    def ask_all(self, texts: Sequence[str], at: datetime | None) -> list[Asked]:
        """As `ask`, for several questions, embedded in one go."""
        made = embed_pieces_or_none(self._embedder, texts, "query")
        asked = [self.ask_words(text, at) for text in texts]
        if made is None:
            return asked
        return [
            replace(
                entry,
                vector=made.rows[place],
                pieces=made.pieces[place] if made.pieces else None,
                spans=tuple(made.spans[place]) if made.spans else None,
            )
            for place, entry in enumerate(asked)
        ]

    def ask_words(self, text: str, at: datetime | None) -> Asked:
        """The question analysed and in terms; asks no embedder."""
        return Asked(text, analyse(text, at or self._clock.now()), terms(text), None)

    def gather(
        self,
        namespace: Namespace,
        asked: Asked,
        at: datetime | None,
        tiers: tuple[Tier, ...],
        useful: int,
        without: frozenset[str] = frozenset(),
    ) -> Gathered:
        """What may answer the question, in the order of the channels."""
        query = Query(asked.text, namespace, asked.terms, asked.vector, at, self._embedder.name)
        return self._gatherer.gather(query, tiers, useful, without)

    def weighable(
        self,
        namespace: Namespace,
        asked: Asked,
        head: Sequence[Candidate],
        without: frozenset[str] = frozenset(),
    ) -> tuple[Pool, Columns]:
        """The head as a pool with its features."""
        passages = [candidate.passage for candidate in head]
        keys, name = [passage.key for passage in passages], self._embedder.name
        vectors = pieces = None
        if asked.vector is not None:
            vectors = self._store.vectors_of(namespace, keys, embedder=name)
        if asked.pieces is not None and len(asked.pieces) and "late" not in without:
            pieces = self._store.near_pieces(namespace, keys, asked.pieces, embedder=name)
        pool = make_pool(passages, self._views, vectors, pieces)
        return pool, features(asked, pool)

    def forget_views(self) -> None:
        """Drop what is kept of passages between recalls."""
        self._views.clear()

    def _weigh(
        self, namespace: Namespace, asked: Asked, gathered: Gathered, without: frozenset[str]
    ) -> _Weighed:
        if not gathered.head:
            return _NOTHING
        if "weights" in without:
            return _Weighed([*gathered.head, *gathered.tail], "", {}, None, {})
        pool, columns = self.weighable(namespace, asked, gathered.head, without)
        able = ability(self._embedder.name, columns)
        scores = self._combiners[able].score(columns)
        relevance = None
        if len(pool) >= LEAST_POOL:
            relevance = self._gates[able].chance(signs(asked, alike(asked, pool, able), columns, scores))
        sayings = {passage.key: view.saying for passage, view in zip(pool.passages, pool.views, strict=True)}
        return _Weighed(in_order(gathered, scores), able, columns, relevance, sayings)

    def _reread(
        self, request: Request, asked: Asked, head: int, weighed: _Weighed
    ) -> tuple[_Weighed, tuple[RereadTrace, ...]]:
        """The same with what further looks find; what was not looked at closely stays below."""
        namespace = request.namespace

        def look(texts: Sequence[str]) -> list[list[Candidate]]:
            found = []
            for asked in self.ask_all(texts, request.at):
                gathered = self.gather(
                    namespace, asked, request.at, request.tiers, _USEFUL_AGAIN, request.without
                )
                weighed = self._weigh(namespace, asked, gathered, request.without)
                found.append(weighed.ranked[: len(gathered.head)])
            return found

        rereader = Rereader(
            asked,
            weighed.ranked[:head],
            look,
            ask=lambda text: self.ask_words(text, request.at),
            often=lambda term: len(self._store.match(namespace, (term,), TOO_OFTEN + 1)),
        )
        ranked = rereader.read(request.reread, request.splitter)
        closely = {entry.passage.key for entry in ranked}
        rest = [entry for entry in weighed.ranked[head:] if entry.passage.key not in closely]
        last = ranked[-1].score
        ranked.extend(entry.scored(last - place) for place, entry in enumerate(rest, 1))
        return weighed._replace(ranked=ranked), tuple(rereader.traces)

    def _gate(self, request: Request, asked: Asked, weighed: _Weighed) -> tuple[Gated, list[Candidate]]:
        """Whether there is anything worth saying, and from which tiers; with the candidates that are left."""
        ranked = weighed.ranked
        if _silent(request, weighed):
            return Gated((), f"nothing relevant: below {request.min_relevance:.3f}"), []
        if not request.gate or not ranked:
            named = "all tiers asked for" if request.tiers == ALL_TIERS else "tiers named by the caller"
            return Gated(request.tiers, named), ranked
        tiers = self.tiers(request.namespace, [entry.passage for entry in ranked])
        gate = scope.decide(request.text, asked.analysis, ranked, tiers)
        return gate, [entry for entry in ranked if tiers[entry.passage.key] in gate.tiers]


class _Weighed(NamedTuple):
    ranked: list[Candidate]
    ability: Ability | Literal[""]
    columns: Columns
    relevance: float | None
    sayings: Mapping[int, str]


_NOTHING = _Weighed([], "", {}, None, {})


class Found(NamedTuple):
    """What a question found: `candidates` without duplicates, best first, and how they came about.

    `spare` is what would add next to nothing to them.
    """

    asked: Asked
    gathered: Gathered
    weighed: _Weighed
    gate: Gated
    candidates: list[Candidate]
    folded: int
    spare: list[Candidate]
    rereads: tuple[RereadTrace, ...] = ()


def _silent(request: Request, weighed: _Weighed) -> bool:
    """Whether an answer is less likely than is asked for."""
    return weighed.relevance is not None and weighed.relevance < request.min_relevance


def _not_needed(spare: Sequence[Candidate]) -> tuple[CutItem, ...]:
    return tuple(
        CutItem(entry.passage.owner_id, entry.score, "what is likelier is enough") for entry in spare
    )


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
