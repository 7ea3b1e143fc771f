"""Copies items from any LangGraph store into another: how a project moves over."""

from __future__ import annotations

from langgraph.store.base import BaseStore, PutOp, SearchOp

_PAGE = 200


def copy_items(source: BaseStore, target: BaseStore, prefix: tuple[str, ...] = ()) -> int:
    """Put every item at and below `prefix` of `source` into `target`; returns how many.

    Values, namespaces and keys are kept; times and vectors are made anew. Run again, it brings the copy up to
    date, but removes nothing. Every call to `target` is whole or absent, so it can be interrupted.
    """
    done = 0
    for namespace in _namespaces(source, prefix):
        offset = 0
        while True:
            # one namespace at a time, since few stores page stably over many
            page = source.batch([SearchOp(namespace, None, _PAGE, offset, None, False)])[0]
            assert isinstance(page, list)
            items = [item for item in page if not isinstance(item, tuple)]
            own = [item for item in items if item.namespace == namespace]
            target.batch([PutOp(item.namespace, item.key, item.value) for item in own])
            done += len(own)
            offset += len(items)
            if len(items) < _PAGE:
                break
    return done


def _namespaces(source: BaseStore, prefix: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    while True:
        page = source.list_namespaces(prefix=prefix or None, limit=_PAGE, offset=len(found))
        found.extend(page)
        if len(page) < _PAGE:
            return found
