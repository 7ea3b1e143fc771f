"""`Memory.recall`: what is asked, checked, and handed to `read`. How evidence is found is decided there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from time import perf_counter

from agentmem.clock import Moment, to_utc
from agentmem.core import Wiring
from agentmem.errors import InvalidInputError
from agentmem.llm import LLM
from agentmem.lookup import Lookup, positive
from agentmem.read.features import Asked
from agentmem.read.request import ALL_TIERS, CHANNELS, STAGES, Request
from agentmem.read.reread import MOST_ROUNDS
from agentmem.read.split import Splitter
from agentmem.read.stream import STREAM_MODES, Stream, StreamMode
from agentmem.types import Recall, RecallChunk, Tier

DEFAULT_BUDGET_TOKENS = 1000


class Recalling(Lookup):
    """The methods of `Memory` that answer a question with evidence."""

    _llm: LLM | None

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
        coverage: float = 1.0,
        gate: bool = False,
        without: Sequence[str] = (),
        reread: int = 0,
        decompose: bool = False,
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
            coverage: stop once what is packed is as likely as this to be all the evidence there is, however much of the
                budget is left; 1 fills the budget.
            gate: let the question decide what is read: nothing for small talk, else the tiers where evidence is likely.
            without: channels (`dense`, `lexical`, `recent`) and stages to leave out: `neighbours` (the turns beside
                what was proposed), `late` (word pieces), `weights` (everything but the channels' own scores).
            reread: look again up to so many times, at most 2, by what the evidence leads on to, where it leaves much of
                the question open.
            decompose: let the memory's language model say what to look for, where the evidence leaves much of the
                question open; counts as one time. What it answers is checked; where it fails, nothing changes.

        Raises:
            InvalidInputError: an empty query, or a budget, `k`, tier, part, chance or `reread` that makes no sense; or
                `decompose` for a memory that was opened without `llm=`.
            BudgetTooSmallError: the budget cannot hold the frame of a context.
        """
        self._core.check_open()
        request = self._request(
            query,
            budget_tokens=budget_tokens,
            at=at,
            k=k,
            tiers=tiers,
            explain=explain,
            min_relevance=min_relevance,
            coverage=coverage,
            gate=gate,
            without=without,
            reread=reread,
            decompose=decompose,
        )
        self._core.deriver.before_recall(self._namespace, exactly=tiers is not None or gate)

        def answer(wiring: Wiring) -> Recall:
            self._core.embed_waiting(wiring, self._namespace)
            return wiring.recaller.recall(request)

        found = self._core.run(answer)
        self._core.recall_log.add(self._namespace, found.source_ids, self._core.clock.now())
        return found

    def recall_stream(
        self,
        query: str,
        *,
        mode: StreamMode = "append",
        budget_tokens: int = DEFAULT_BUDGET_TOKENS,
        at: Moment | None = None,
        k: int | None = None,
        tiers: Sequence[Tier] | None = None,
        explain: bool = False,
        min_relevance: float = 0.0,
        coverage: float = 1.0,
        gate: bool = False,
        without: Sequence[str] = (),
        reread: int = 0,
        decompose: bool = False,
    ) -> Iterator[RecallChunk]:
        """The evidence as it is found, best estimate first, so that a model can read while memory still looks.

        What words alone find best comes before the question is even embedded; the last chunk brings the rest, and the
        whole as a `Recall`.

        Args:
            mode: `append`: what was yielded stays, and the texts one after the other are the context, within the
                budget; it holds the best items of `recall`, as many as fit beside what went out first. `update`: each
                chunk is a whole context that takes the place of the one before; the last is what `recall` gives.
            min_relevance: as for `recall`; above 0, nothing can be appended until all is known.

        The other arguments, and what is raised, are those of `recall`; they are checked at the call.
        """
        self._core.check_open()
        if mode not in STREAM_MODES:
            raise InvalidInputError(f"unknown mode {mode!r}; known: {', '.join(STREAM_MODES)}")
        request = self._request(
            query,
            budget_tokens=budget_tokens,
            at=at,
            k=k,
            tiers=tiers,
            explain=explain,
            min_relevance=min_relevance,
            coverage=coverage,
            gate=gate,
            without=without,
            reread=reread,
            decompose=decompose,
        )
        stream = Stream(request, mode, self._core.tokenizer)
        return self._chunks(request, stream, exactly=tiers is not None or gate)

    def _chunks(self, request: Request, stream: Stream, *, exactly: bool) -> Iterator[RecallChunk]:
        core = self._core
        core.check_open()
        first_wiring = core.wiring
        ahead = core.start(partial(_timed_ask, first_wiring, request))
        core.deriver.before_recall(self._namespace, exactly=exactly)
        if (first := core.run(lambda wiring: stream.first(wiring.recaller))) is not None:
            yield self._noted(first)

        def rest(wiring: Wiring) -> RecallChunk:
            core.embed_waiting(wiring, self._namespace)
            asked, seconds = ahead.result() if wiring is first_wiring else _timed_ask(wiring, request)
            return stream.rest(wiring.recaller, asked, seconds)

        yield self._noted(core.run(rest))

    def _noted(self, chunk: RecallChunk) -> RecallChunk:
        """The chunk, its evidence taken note of as recalled."""
        sources = dict.fromkeys(source for item in chunk.items for source in item.source_ids)
        self._core.recall_log.add(self._namespace, tuple(sources), self._core.clock.now())
        return chunk

    def _request(
        self,
        query: str,
        *,
        budget_tokens: int,
        at: Moment | None,
        k: int | None,
        tiers: Sequence[Tier] | None,
        explain: bool,
        min_relevance: float,
        coverage: float,
        gate: bool,
        without: Sequence[str],
        reread: int,
        decompose: bool,
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
        if not 0 < coverage <= 1:
            raise InvalidInputError(f"coverage is a share of up to 1, above 0, not {coverage!r}")
        if parts := set(without) - {*CHANNELS, *STAGES}:
            raise InvalidInputError(
                f"without has unknown {sorted(parts)}; known: {', '.join((*CHANNELS, *STAGES))}"
            )
        if set(without) >= set(CHANNELS):
            raise InvalidInputError("without leaves no channel to look for anything; keep one of them")
        if reread not in range(MOST_ROUNDS + 1):
            raise InvalidInputError(f"reread is a number of looks from 0 to {MOST_ROUNDS}, not {reread!r}")
        if decompose and self._llm is None:
            raise InvalidInputError("decompose needs a language model: Memory(..., llm=...)")
        moment = None if at is None else to_utc(at)
        return Request(
            namespace=self._namespace,
            text=query,
            budget_tokens=budget_tokens,
            at=moment,
            k=k,
            tiers=wanted,
            explain=explain,
            min_relevance=min_relevance,
            coverage=coverage,
            gate=gate,
            without=frozenset(without),
            reread=int(reread),
            splitter=Splitter(self._llm, self._core.beside) if decompose and self._llm is not None else None,
        )


def _timed_ask(wiring: Wiring, request: Request) -> tuple[Asked, float]:
    """The question embedded, and the seconds that took."""
    start = perf_counter()
    return wiring.recaller.asked(request), perf_counter() - start
