"""Filters: numbers as numbers, nested and missing fields, nothing compared as text that is none."""

from __future__ import annotations

from typing import Any

import pytest

from agentmem.errors import InvalidInputError

DOCS = ("docs",)


@pytest.fixture
def docs(store: Any) -> Any:
    store.put(
        DOCS, "two", {"n": 2, "kind": "note", "meta": {"stars": 5, "by": {"name": "Ann"}}, "tags": ["a", "b"]}
    )
    store.put(DOCS, "ten", {"n": 10, "kind": "note", "meta": {"stars": 3.5}, "flag": True})
    store.put(DOCS, "half", {"n": 9.5, "kind": "mail", "meta": {"stars": None}, "flag": 1})
    store.put(DOCS, "word", {"n": "high", "kind": "mail", "at": "2024-05-01"})
    store.put(DOCS, "bare", {"a.b": 1, "at": "2023-01-31", "the kind": "note"})
    return store


@pytest.mark.parametrize(
    ("wanted", "keys"),
    [
        ({"n": 2}, ["two"]),
        ({"n": 2.0}, ["two"]),
        ({"n": "2"}, []),
        ({"kind": "note"}, ["two", "ten"]),
        ({"kind": "note", "n": 10}, ["ten"]),
        ({"n": {"$eq": 10}}, ["ten"]),
        ({"n": {"$ne": 10}}, ["two", "half", "word", "bare"]),
        ({"kind": {"$ne": "note"}}, ["half", "word", "bare"]),
        ({"n": {"$gt": 9}}, ["ten", "half"]),
        ({"n": {"$gt": 9.5}}, ["ten"]),
        ({"n": {"$gte": 9.5}}, ["ten", "half"]),
        ({"n": {"$lt": 9.5}}, ["two"]),
        ({"n": {"$lte": 9.5}}, ["two", "half"]),
        ({"n": {"$gte": 2, "$lt": 10}}, ["two", "half"]),
        ({"n": {"$gt": -1e9}}, ["two", "ten", "half"]),
        ({"at": {"$gte": "2024-01-01"}}, ["word"]),
        ({"at": {"$lt": "2024-01-01"}}, ["bare"]),
        ({"at": {"$gt": 2000}}, []),
        ({"missing": {"$gt": 0}}, []),
        ({"missing": {"$lt": 0}}, []),
        ({"missing": {"$ne": 0}}, ["two", "ten", "half", "word", "bare"]),
        ({"missing": 0}, []),
        ({"flag": True}, ["ten"]),
        ({"flag": 1}, ["half"]),
        ({"flag": {"$gt": 0}}, ["half"]),
        ({"meta": {"stars": 5}}, ["two"]),
        ({"meta": {"stars": {"$gt": 3}}}, ["two", "ten"]),
        ({"meta": {"by": {"name": "Ann"}}}, ["two"]),
        ({"meta": {"by": {"name": {"$ne": "Ann"}}}}, []),
        ({"meta": {"$eq": {"stars": 3.5}}}, ["ten"]),
        ({"meta": {"$eq": {"stars": 5}}}, []),
        ({"meta.stars": {"$gte": 3.5}}, ["two", "ten"]),
        ({"meta.by.name": "Ann"}, ["two"]),
        ({"a.b": 1}, ["bare"]),
        ({"kind.deeper": "note"}, []),
        ({"kind' OR '1'='1": "note"}, []),
        ({"kind": "note' OR '1'='1"}, []),
        ({"the kind": "note"}, ["bare"]),
        ({"tags": ["a", "b"]}, ["two"]),
        ({"tags": ("a", "b")}, ["two"]),
        ({"tags": ["b", "a"]}, []),
        ({"tags": ["a"]}, []),
        ({"tags": {"$ne": ["a", "b"]}}, ["ten", "half", "word", "bare"]),
        ({}, ["two", "ten", "half", "word", "bare"]),
        (None, ["two", "ten", "half", "word", "bare"]),
    ],
    ids=repr,
)
def test_a_filter_finds_just_what_passes(docs: Any, wanted: dict[str, Any] | None, keys: list[str]) -> None:
    assert [item.key for item in docs.search(DOCS, filter=wanted)] == keys


@pytest.mark.parametrize(
    "wanted",
    [
        {"n": {"$near": 1}},
        {"n": {"$gt": 1, "plain": 2}},
        {"meta": {"stars": {"$in": [1]}}},
        "n = 2",
        {"": 1},
        {"meta.": 5},
        {"meta": {".stars": 5}},
        {1: "one"},
        {None: "none"},
        {"kind') = 'note' OR '1'='1' OR json_extract(value, '$.": "mail"},
    ],
    ids=repr,
)
def test_a_filter_that_makes_no_sense_is_refused_even_where_there_is_nothing_to_filter(
    store: Any, wanted: Any
) -> None:
    with pytest.raises(InvalidInputError):
        store.search(DOCS, filter=wanted)


def test_a_filter_and_a_question_work_together(docs: Any) -> None:
    found = docs.search(DOCS, query="mail high", filter={"kind": "mail"})

    assert [item.key for item in found] == ["word", "half"]


def test_pages_of_filtered_items_are_together_complete(store: Any) -> None:
    for n in range(200):
        store.put(DOCS, f"{n:03}", {"n": n, "even": n % 2 == 0})

    pages = [store.search(DOCS, filter={"even": True}, limit=7, offset=offset) for offset in range(0, 105, 7)]

    assert [item.value["n"] for page in pages for item in page] == list(range(0, 200, 2))


@pytest.mark.parametrize(("limit", "offset"), [(-1, 0), (1, -1), (1.5, 0), ("3", 0), (True, 0)])
def test_a_limit_or_offset_that_is_no_count_is_refused(store: Any, limit: Any, offset: Any) -> None:
    with pytest.raises(InvalidInputError, match="whole number"):
        store.search(DOCS, limit=limit, offset=offset)
