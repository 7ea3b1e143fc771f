"""Reads a batch of LangGraph's operations, checks it whole, and puts the answers into LangGraph's form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from agentmem.terms import terms

from .langgraph_index import TextIndex
from .langgraph_values import read_count, read_key, read_namespace, read_ttl, write_value


class Plan:
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
        #: what it writes
        self.keys = {(op.namespace, op.key) for op in self._ops if isinstance(op, PutOp)}
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
            # a single label is often given bare
            given: Any = condition.path
            path = read_namespace((given,) if isinstance(given, str) else given)
            conditions.append(condition._replace(path=path))
        if op.max_depth is not None:
            read_count(op.max_depth, "max_depth")
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
