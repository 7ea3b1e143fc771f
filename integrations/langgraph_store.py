"""`AgentMemStore`: LangGraph's `BaseStore` on an agentmem database.

A batch is one transaction. What is slow or can fail (checking, embedding) is done before it begins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from langgraph.store.base import BaseStore, Op, Result, TTLConfig

from agentmem import Memory
from agentmem.clock import Clock, SystemClock
from agentmem.config import scheme_of, store_url
from agentmem.core import open_store
from agentmem.errors import ClosedError, InvalidInputError
from agentmem.items import ItemStore, PutItem
from agentmem.registry import load

from .langgraph_group import PutGroups
from .langgraph_index import TextIndex
from .langgraph_order import PutOrder
from .langgraph_plan import Plan
from .langgraph_sweep import Sweeper
from .langgraph_values import read_ttl


class AgentMemStore(BaseStore):
    """A LangGraph store in an agentmem database. Safe to share between threads and processes.

    Args:
        place: a URL or file as for `Memory`, or an open `Memory`, whose database and embedder it then shares.
        index: LangGraph's `IndexConfig`. `embed` may also name one of agentmem's embedders, such as `"offline"`.
            Without an index a query ranks by words alone (on a `Memory`: also by the memory's own embedder).
        ttl: LangGraph's `TTLConfig`. Expired items are never returned, whatever `omit_expired` says.

    Raises:
        InvalidInputError: a configuration that makes no sense.
        EmbedderMismatchError: the items' vectors are of another embedder.

    Example:
        >>> with AgentMemStore("sqlite://") as store:
        ...     store.put(("users", "42"), "diet", {"text": "Alice is vegetarian"})
        ...     store.search(("users",), query="vegetarian")[0].key
        'diet'
    """

    supports_ttl = True

    def __init__(
        self,
        place: str | Path | Memory | None = None,
        *,
        index: Mapping[str, Any] | None = None,
        ttl: TTLConfig | None = None,
    ) -> None:
        super().__init__()
        self.ttl_config = _read_ttl_config(ttl)
        memory = place if isinstance(place, Memory) else None
        #: as with LangGraph's own stores
        self.index_config = None if index is None else dict(index)
        self._index = TextIndex(index, None if memory is None else memory.core.embedder)
        self.embeddings = self._index.embeddings
        self._clock: Clock = SystemClock() if memory is None else memory.core.clock
        # what is ours to close
        self._opened = None if isinstance(place, Memory) else open_store(store_url(place))
        store = self._opened if memory is None else memory.core.store
        assert store is not None
        self.url = store.url
        self._order = PutOrder()
        self._groups = PutGroups(self._aput)
        self._closed = False
        self._bound = False
        self._sweeper = Sweeper(self.sweep_ttl, (ttl or {}).get("sweep_interval_minutes"))
        try:
            self._items: ItemStore = load("items", scheme_of(store.url))(store)
            if self._index.dims is not None:
                self._bind(self._index.dims)
        except BaseException:
            if self._opened is not None:
                self._opened.close()
            raise

    @classmethod
    def from_conn_string(
        cls, conn_string: str, *, index: Mapping[str, Any] | None = None, ttl: TTLConfig | None = None
    ) -> Self:
        """The constructor under the name it has in LangGraph's own stores, for `with` and `async with` alike."""
        return cls(conn_string, index=index, ttl=ttl)

    def _bind(self, dims: int) -> None:
        if not self._bound:
            self._items.bind(dims, self._index.name)
            self._bound = True

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Run the operations as one transaction: reads see what was there before, of several puts of a key the
        last counts, and an error leaves everything as it was.

        Raises:
            InvalidNamespaceError, InvalidInputError: an operation cannot be read; nothing is done.
            StoreError: the database could not do it; nothing is done.
        """
        plan = Plan(list(ops), self._index)
        self._check_open()
        vectors = self._index.embed(plan.texts, plan.queries)
        if vectors[0].size:
            self._bind(vectors[0].shape[1])
        return Plan.results(self._items.run(plan.items(*vectors), self._clock.now()))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, without holding up the event loop. Calls that put one key take effect in the order of the calls."""
        plan = Plan(list(ops), self._index)
        self._check_open()
        with self._order.join(plan.keys) as turn:
            vectors = await self._index.aembed(plan.texts, plan.queries)
            if vectors[0].size and not self._bound:
                await asyncio.to_thread(self._bind, vectors[0].shape[1])
            await turn.come()
            read = plan.items(*vectors)
            puts = [op for op in read if isinstance(op, PutItem)]
            if puts and len(puts) == len(read):
                await self._groups.put(puts)
                return [None] * len(puts)
            return Plan.results(await self._items.arun(read, self._clock.now()))

    async def _aput(self, puts: Sequence[PutItem]) -> None:
        await self._items.arun(puts, self._clock.now())

    def setup(self) -> None:
        """Nothing is left to set up: the constructor did. Here for code written for LangGraph's own stores."""

    async def asetup(self) -> None:
        """`setup`, for code that awaits it."""

    def sweep_ttl(self) -> int:
        """Remove expired items now; returns how many. Every write also removes some."""
        self._check_open()
        return self._items.sweep(self._clock.now())

    async def asweep_ttl(self) -> int:
        """`sweep_ttl`, without holding up the event loop."""
        return await asyncio.to_thread(self.sweep_ttl)

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep in the background, at this interval or the one of `ttl`; ends with `stop_ttl_sweeper` or `close`."""
        return self._sweeper.start(sweep_interval_minutes)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """End the sweeping; True where it has ended within `timeout` seconds."""
        return self._sweeper.stop(timeout)

    async def astart_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """`start_ttl_sweeper`, for code that awaits it; the sweeping has a thread of its own either way."""
        return self.start_ttl_sweeper(sweep_interval_minutes)

    async def astop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """`stop_ttl_sweeper`, without holding up the event loop."""
        return await asyncio.to_thread(self.stop_ttl_sweeper, timeout)

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("this store is closed; open it again with AgentMemStore(...)")

    def close(self) -> None:
        """Release the database; a `Memory` that was handed in stays open. A second call does nothing."""
        if not self._closed:
            self._closed = True
            self._sweeper.stop()
            self._items.close()
            if self._opened is not None:
                self._opened.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.close)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


def _read_ttl_config(ttl: TTLConfig | None) -> TTLConfig | None:
    if ttl is None:
        return None
    unknown = set(ttl) - set(TTLConfig.__annotations__) - {"omit_expired"}
    if unknown:
        raise InvalidInputError(
            f"unknown ttl settings {sorted(unknown)}; known: {sorted(TTLConfig.__annotations__)}"
        )
    read_ttl(ttl.get("default_ttl"))
    return TTLConfig(**ttl)
