"""Reads a batch of LangGraph's operations, checks it whole, and puts the answers into LangGraph's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from langgraph.store.base import (
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
)

from agentmem.contracts import Vectors
from agentmem.errors import InvalidInputError
from agentmem.items import (
    GetItem,
    IndexedText,
    ItemAnswer,
    ItemOp,
    ListNamespaces,
    PutItem,
    SearchItems,
    StoredItem,
)
from agentmem.terms import terms, terms_once
from agentmem.types import Namespace

from .langgraph_index import TextIndex
from .langgraph_values import read_count, read_key, read_namespace, read_ttl, write_value


class Plan:
    """A batch, checked, with the texts that must be embedded before it can run."""

    def __init__(self, ops: Sequence[Op], index: TextIndex) -> None:
        namespaces: dict[Namespace, Namespace] = {}
        self._ops = [_read(op, namespaces) for op in ops]
        #: what it writes
        self.keys: set[tuple[Namespace, str]] = set()
        # per operation: what a put stores as JSON, and what it is found by
        self._written: list[tuple[str | None, list[tuple[str, str]]]] = []
        texts: dict[str, None] = {}
        for op in self._ops:
            value: str | None = None
            pairs: list[tuple[str, str]] = []
            if isinstance(op, PutOp):
                self.keys.add((op.namespace, op.key))
                if op.value is not None:
                    value, pairs = write_value(op.value), index.texts(op.value, op.index)
                    texts.update((text, None) for text, _ in pairs)
            self._written.append((value, pairs))
        self.texts = list(texts)
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
                tuple(IndexedText(terms_once(words), rows[text]) for text, words in pairs),
                read_ttl(op.ttl),
            )
            if isinstance(op, PutOp)
            else _read_op(op, questions)
            for op, (value, pairs) in zip(self._ops, self._written, strict=True)
        ]

    @staticmethod
    def results(answers: Sequence[ItemAnswer]) -> list[Result]:
        """The answers as LangGraph's."""
        return [_result(answer) for answer in answers]


def _read(op: Op, namespaces: dict[Namespace, Namespace]) -> Op:
    """The operation with tuples for namespaces; those a put may go to are kept. Raises where it cannot be one."""
    if isinstance(op, GetOp):
        return op._replace(namespace=read_namespace(op.namespace), key=read_key(op.key))
    if isinstance(op, SearchOp):
        read_count(op.limit, "limit"), read_count(op.offset, "offset")
        query = op.query.strip() if isinstance(op.query, str) else op.query
        return op._replace(namespace_prefix=read_namespace(op.namespace_prefix), query=query or None)
    if isinstance(op, PutOp):
        namespace = _read_target(op, namespaces)
        read_ttl(op.ttl)
        key = read_key(op.key)
        return (
            op if op.namespace is namespace and op.key is key else op._replace(namespace=namespace, key=key)
        )
    if isinstance(op, ListNamespacesOp):
        read_count(op.limit, "limit"), read_count(op.offset, "offset")
        conditions = []
        for condition in op.match_conditions or ():
            if condition.match_type not in ("prefix", "suffix"):
                raise InvalidInputError(f"match_type is 'prefix' or 'suffix', not {condition.match_type!r}")
            # a single label is often given bare
            given: Any = condition.path
            path = read_namespace((given,) if isinstance(given, str) else given)
            conditions.append(condition._replace(path=path))
        if op.max_depth is not None:
            read_count(op.max_depth, "max_depth")
        return op._replace(match_conditions=tuple(conditions))
    raise InvalidInputError(f"unknown operation {op!r}; known: GetOp, SearchOp, PutOp, ListNamespacesOp")


def _read_target(op: PutOp, namespaces: dict[Namespace, Namespace]) -> Namespace:
    # the items of a batch share few namespaces
    known = None
    with suppress(TypeError):
        known = namespaces.get(op.namespace)
    if known is not None:
        return known
    namespace = read_namespace(op.namespace, writing=op.value is not None)
    if op.value is not None:
        namespaces[namespace] = namespace
    return namespace


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
