"""Copies items from any LangGraph store into another: how a project moves over."""

from __future__ import annotations

from langgraph.store.base import BaseStore, Item, PutOp, SearchOp

_PAGE = 200
_GROWTH = 8
Place = tuple[tuple[str, ...], str]


def copy_items(source: BaseStore, target: BaseStore, prefix: tuple[str, ...] = ()) -> int:
    """Put every item at and below `prefix` of `source` into `target`; returns how many.

    Values, namespaces and keys are kept; times and vectors are made anew. Run again, it brings the copy up to
    date, but removes nothing. Every call to `target` is whole or absent, so it can be interrupted.
    """
    done = 0
    for namespace in _namespaces(source, prefix):
        items = _items(source, namespace)
        for start in range(0, len(items), _PAGE):
            page = items[start : start + _PAGE]
            target.batch([PutOp(item.namespace, item.key, item.value) for item in page])
        done += len(items)
    return done


def _items(source: BaseStore, namespace: tuple[str, ...]) -> list[Item]:
    """All items of this very namespace, in one answer: a store that orders by time alone loses some between pages."""
    limit = _PAGE
    found = _search(source, namespace, limit, 0)
    while len(found) == limit:
        limit *= _GROWTH
        found = _search(source, namespace, limit, 0)
    # one that never gives so many at once is paged after all
    while more := _search(source, namespace, _PAGE, len(found)).items() - found.items():
        found.update(more)
    return [item for (where, _), item in found.items() if where == namespace]


def _search(source: BaseStore, namespace: tuple[str, ...], limit: int, offset: int) -> dict[Place, Item]:
    answer = source.batch([SearchOp(namespace, None, limit, offset, None, False)])[0]
    assert isinstance(answer, list)
    return {(item.namespace, item.key): item for item in answer if not isinstance(item, tuple)}


def _namespaces(source: BaseStore, prefix: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    while more := source.list_namespaces(prefix=prefix or None, limit=_PAGE, offset=len(found)):
        found.extend(more)
    return found
