"""Listing namespaces, and searching below one."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.store.base import ListNamespacesOp, MatchCondition

from agentmem.errors import InvalidInputError


@pytest.fixture
def tree(store: Any) -> Any:
    for namespace in [
        ("a", "b", "c"),
        ("a", "b", "d", "e"),
        ("a", "b", "d", "i"),
        ("a", "b", "f"),
        ("a", "c", "f"),
        ("ab", "c"),
        ("z",),
    ]:
        store.put(namespace, "key", {"n": len(namespace)})
    return store


def test_all_namespaces_come_sorted(tree: Any) -> None:
    assert tree.list_namespaces() == [
        ("a", "b", "c"),
        ("a", "b", "d", "e"),
        ("a", "b", "d", "i"),
        ("a", "b", "f"),
        ("a", "c", "f"),
        ("ab", "c"),
        ("z",),
    ]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"prefix": ("a", "b"), "max_depth": 3}, [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "f")]),
        ({"prefix": ("a", "*", "f")}, [("a", "b", "f"), ("a", "c", "f")]),
        ({"prefix": ("*", "c")}, [("a", "c", "f"), ("ab", "c")]),
        ({"prefix": ("*",), "max_depth": 1}, [("a",), ("ab",), ("z",)]),
        ({"prefix": ("a", "b", "c", "*")}, []),
        ({"suffix": ("f",)}, [("a", "b", "f"), ("a", "c", "f")]),
        ({"suffix": ("d", "*")}, [("a", "b", "d", "e"), ("a", "b", "d", "i")]),
        ({"suffix": ("*", "b", "*", "e")}, [("a", "b", "d", "e")]),
        ({"suffix": ("b", "*", "f")}, []),
        ({"prefix": ("a",), "suffix": ("c",)}, [("a", "b", "c")]),
        ({"prefix": ("ab",)}, [("ab", "c")]),
        ({"prefix": ("none",)}, []),
        ({"max_depth": 1, "limit": 2, "offset": 1}, [("ab",), ("z",)]),
        ({"limit": 0}, []),
        ({"offset": 99}, []),
    ],
    ids=repr,
)
def test_namespaces_are_found_by_conditions(
    tree: Any, asked: dict[str, Any], expected: list[tuple[str, ...]]
) -> None:
    assert tree.list_namespaces(**asked) == expected


def test_all_conditions_of_a_raw_operation_hold(tree: Any) -> None:
    conditions = (
        MatchCondition("prefix", ("a",)),
        MatchCondition("prefix", ("*", "b")),
        MatchCondition("suffix", ("f",)),
    )

    assert tree.batch([ListNamespacesOp(conditions)]) == [[("a", "b", "f")]]


def test_an_unknown_kind_of_match_is_refused(tree: Any) -> None:
    with pytest.raises(InvalidInputError, match="match_type is 'prefix' or 'suffix'"):
        tree.batch([ListNamespacesOp((MatchCondition("middle", ("a",)),))])  # type: ignore[arg-type]


def test_a_single_label_may_be_given_bare(tree: Any) -> None:
    assert tree.batch([ListNamespacesOp((MatchCondition("suffix", "e"),))]) == [[("a", "b", "d", "e")]]  # type: ignore[arg-type]


@pytest.mark.parametrize("max_depth", [-1, 1.5, "1"])
def test_a_depth_that_is_no_count_is_refused(tree: Any, max_depth: Any) -> None:
    with pytest.raises(InvalidInputError, match="max_depth"):
        tree.list_namespaces(max_depth=max_depth)


def test_pages_of_namespaces_are_together_complete(store: Any) -> None:
    for n in range(23):
        store.put(("n", f"{n:02}"), "key", {})

    pages = [store.list_namespaces(limit=5, offset=offset) for offset in range(0, 25, 5)]

    assert [namespace[1] for page in pages for namespace in page] == [f"{n:02}" for n in range(23)]


def test_a_namespace_without_items_is_not_listed(tree: Any) -> None:
    tree.delete(("z",), "key")

    assert ("z",) not in tree.list_namespaces()


@pytest.mark.parametrize(
    ("prefix", "count"),
    [((), 7), (("a",), 5), (("a", "b"), 4), (("a", "b", "d"), 2), (("z",), 1), (("z", "y"), 0)],
)
def test_a_search_covers_a_namespace_and_all_below_but_no_sibling(
    tree: Any, prefix: tuple[str, ...], count: int
) -> None:
    found = tree.search(prefix, limit=100)

    assert len(found) == count
    assert all(item.namespace[: len(prefix)] == prefix for item in found)


def test_a_star_in_a_search_is_a_label_like_any_other(store: Any) -> None:
    store.put(("a", "*"), "key", {"n": 1})
    store.put(("a", "b"), "key", {"n": 2})

    assert [item.value["n"] for item in store.search(("a", "*"))] == [1]
