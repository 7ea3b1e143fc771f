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

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    TTLConfig,
)

from agentmem import Memory
from agentmem.clock import Clock, SystemClock
from agentmem.config import scheme_of, store_url
from agentmem.contracts import Vectors
from agentmem.core import open_store
from agentmem.errors import ClosedError, InvalidInputError
from agentmem.items import (
    GetItem,
    IndexedText,
    ItemAnswer,
    ItemOp,
    ItemStore,
    ListNamespaces,
    PutItem,
    SearchItems,
    StoredItem,
)
from agentmem.registry import load
from agentmem.terms import terms

from .langgraph_index import TextIndex
from .langgraph_sweep import Sweeper
from .langgraph_values import read_count, read_key, read_namespace, read_ttl, write_value


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
        self._index = TextIndex(index, None if memory is None else memory.core.embedder)
        self._clock: Clock = SystemClock() if memory is None else memory.core.clock
        # what is ours to close
        self._opened = None if isinstance(place, Memory) else open_store(store_url(place))
        store = self._opened if memory is None else memory.core.store
        assert store is not None
        self.url = store.url
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
        plan = _Plan(list(ops), self._index)
        self._check_open()
        vectors = self._index.embed(plan.texts, plan.queries)
        if vectors[0].size:
            self._bind(vectors[0].shape[1])
        return plan.results(self._items.run(plan.items(*vectors), self._clock.now()))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """`batch`, without holding up the event loop."""
        plan = _Plan(list(ops), self._index)
        self._check_open()
        vectors = await self._index.aembed(plan.texts, plan.queries)
        if vectors[0].size and not self._bound:
            await asyncio.to_thread(self._bind, vectors[0].shape[1])
        return plan.results(await self._items.arun(plan.items(*vectors), self._clock.now()))

    def setup(self) -> None:
        """Nothing is left to set up: the constructor did. Here for code written for LangGraph's own stores."""

    def sweep_ttl(self) -> int:
        """Remove expired items now; returns how many. Every write also removes some."""
        self._check_open()
        return self._items.sweep(self._clock.now())

    def start_ttl_sweeper(self, sweep_interval_minutes: float | None = None) -> Future[None]:
        """Sweep in the background, at this interval or the one of `ttl`; ends with `stop_ttl_sweeper` or `close`."""
        return self._sweeper.start(sweep_interval_minutes)

    def stop_ttl_sweeper(self, timeout: float | None = None) -> bool:
        """End the sweeping; True where it has ended within `timeout` seconds."""
        return self._sweeper.stop(timeout)

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
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"


class _Plan:
    """A batch, checked, with the texts that must be embedded before it can run."""

    def __init__(self, ops: Sequence[Op], index: TextIndex) -> None:
        self._ops = [_read(op) for op in ops]
        self._values = [
            None if not isinstance(op, PutOp) or op.value is None else write_value(op.value)
            for op in self._ops
        ]
        found: dict[str, None] = {}
        self._indexed: list[list[tuple[str, str]]] = []
        for op in self._ops:
            pairs = index.texts(op.value, op.index) if isinstance(op, PutOp) and op.value is not None else []
            self._indexed.append(pairs)
            found.update((text, None) for text, _ in pairs)
        self.texts = list(found)
        self.queries = list(
            dict.fromkeys(op.query for op in self._ops if isinstance(op, SearchOp) and op.query and op.limit)
        )

    def items(self, documents: Vectors, asked: Vectors) -> list[ItemOp]:
        """The operations as the item store takes them, with their vectors."""
        rows = {text: row if row.size else None for text, row in zip(self.texts, documents, strict=True)}
        questions = {query: row if row.size else None for query, row in zip(self.queries, asked, strict=True)}
        return [
            PutItem(
                op.namespace,
                op.key,
                value,
                tuple(IndexedText(terms(words), rows[text]) for text, words in pairs),
                read_ttl(op.ttl),
            )
            if isinstance(op, PutOp)
            else _read_op(op, questions)
            for op, value, pairs in zip(self._ops, self._values, self._indexed, strict=True)
        ]

    @staticmethod
    def results(answers: Sequence[ItemAnswer]) -> list[Result]:
        """The answers as LangGraph's."""
        return [_result(answer) for answer in answers]


def _read(op: Op) -> Op:
    """The operation with tuples for namespaces. Raises where it cannot be one."""
    if isinstance(op, GetOp):
        return op._replace(namespace=read_namespace(op.namespace), key=read_key(op.key))
    if isinstance(op, SearchOp):
        read_count(op.limit, "limit"), read_count(op.offset, "offset")
        query = op.query.strip() if isinstance(op.query, str) else op.query
        return op._replace(namespace_prefix=read_namespace(op.namespace_prefix), query=query or None)
    if isinstance(op, PutOp):
        namespace = read_namespace(op.namespace, writing=op.value is not None)
        read_ttl(op.ttl)
        return op._replace(namespace=namespace, key=read_key(op.key))
    if isinstance(op, ListNamespacesOp):
        read_count(op.limit, "limit"), read_count(op.offset, "offset")
        conditions = []
        for condition in op.match_conditions or ():
            if condition.match_type not in ("prefix", "suffix"):
                raise InvalidInputError(f"match_type is 'prefix' or 'suffix', not {condition.match_type!r}")
            conditions.append(condition._replace(path=read_namespace(condition.path)))
        return op._replace(match_conditions=tuple(conditions))
    raise InvalidInputError(f"unknown operation {op!r}; known: GetOp, SearchOp, PutOp, ListNamespacesOp")


def _read_op(op: GetOp | SearchOp | ListNamespacesOp, questions: Mapping[str, Vectors | None]) -> ItemOp:
    if isinstance(op, GetOp):
        return GetItem(op.namespace, op.key, op.refresh_ttl)
    if isinstance(op, SearchOp):
        return SearchItems(
            prefix=op.namespace_prefix,
            filter=op.filter,
            limit=op.limit,
            offset=op.offset,
            terms=terms(op.query) if op.query else (),
            vector=questions.get(op.query) if op.query else None,
            refresh=op.refresh_ttl,
        )
    conditions = tuple((condition.match_type, condition.path) for condition in op.match_conditions or ())
    return ListNamespaces(conditions, op.max_depth, op.limit, op.offset)


def _result(answer: ItemAnswer) -> Result:
    if isinstance(answer, StoredItem):
        return Item(
            value=answer.value,
            key=answer.key,
            namespace=answer.namespace,
            created_at=answer.created_at,
            updated_at=answer.updated_at,
        )
    if answer is None:
        return None
    found = [
        SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, item.score)
        for item in answer
        if isinstance(item, StoredItem)
    ]
    return found or [namespace for namespace in answer if isinstance(namespace, tuple)]


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
