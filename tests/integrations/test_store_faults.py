"""Faults reported of LangGraph's own stores, by the number of their issue: ours has none of them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from integrations.conftest import Open, count_words
from langgraph.store.base import GetOp, InvalidNamespaceError, PutOp, SearchOp

from agentmem.clock import ManualClock
from agentmem.errors import InvalidInputError

DOCS = ("docs",)


def keys(found: list[Any]) -> list[str]:
    return [item.key for item in found]


def test_8478_a_prefix_ends_where_a_label_ends(store: Any) -> None:
    store.put(("tenant", "acme"), "note", {})
    store.put(("tenant", "acme-corp"), "secret", {})

    assert keys(store.search(("tenant", "acme"))) == ["note"]


def test_7684_numbers_are_not_compared_as_texts(store: Any) -> None:
    for n in (2, 9, 10, 11):
        store.put(DOCS, str(n), {"score": n})

    assert keys(store.search(DOCS, filter={"score": {"$gte": 10}})) == ["10", "11"]


def test_7880_an_item_without_the_field_or_with_another_type_spoils_no_search(store: Any) -> None:
    store.put(DOCS, "ten", {"score": 10})
    store.put(DOCS, "none", {"title": "no score"})
    store.put(DOCS, "word", {"score": "high"})

    assert keys(store.search(DOCS, filter={"score": {"$gt": 5}})) == ["ten"]


def test_8786_an_object_in_a_filter_is_no_map_of_operators(store: Any) -> None:
    store.put(DOCS, "one", {"owner": {"id": 1, "team": "a"}})
    store.put(DOCS, "two", {"owner": {"id": 2, "team": "a"}})

    assert keys(store.search(DOCS, filter={"owner": {"id": 2}})) == ["two"]


def test_8759_lists_and_objects_are_compared_by_operators_too(store: Any) -> None:
    store.put(DOCS, "one", {"tags": ["a"], "owner": {"id": 1}})
    store.put(DOCS, "two", {"tags": ["b"], "owner": {"id": 2}})

    assert keys(store.search(DOCS, filter={"tags": {"$eq": ["a"]}})) == ["one"]
    assert keys(store.search(DOCS, filter={"owner": {"$ne": {"id": 1}}})) == ["two"]


def test_7795_a_dotted_name_looks_inside(store: Any) -> None:
    store.put(DOCS, "one", {"user": {"access-level": "nested"}})

    assert keys(store.search(DOCS, filter={"user.access-level": "nested"})) == ["one"]


def test_8829_combinators_are_refused_instead_of_finding_nothing(store: Any) -> None:
    store.put(DOCS, "one", {"n": 3})

    with pytest.raises(InvalidInputError):
        store.search(DOCS, filter={"n": {"$and": [{"$gt": 2}]}})
    with pytest.raises(InvalidInputError, match=r"\$or"):
        store.search(DOCS, filter={"$or": [{"n": 3}]})


def test_8340_putting_again_keeps_created_at(store: Any, clock: ManualClock) -> None:
    store.put(DOCS, "one", {"n": 1})
    created = store.get(DOCS, "one").created_at
    clock.advance(timedelta(hours=1))

    store.put(DOCS, "one", {"n": 2})

    assert store.get(DOCS, "one").created_at == created


def test_8835_what_was_read_is_a_copy(store: Any) -> None:
    store.put(DOCS, "one", {"tags": ["a"]})

    store.get(DOCS, "one").value["tags"].append("b")

    assert store.get(DOCS, "one").value == {"tags": ["a"]}


def test_8734_reading_makes_no_namespace(store: Any) -> None:
    store.get(("ghost",), "none")
    store.search(("ghost", "deeper"), query="none")
    store.delete(("ghost",), "none")

    assert store.list_namespaces() == []


def test_8831_items_come_in_the_order_of_their_first_putting(store: Any) -> None:
    for key in "abca":
        store.put(DOCS, key, {})

    assert keys(store.search(DOCS)) == ["a", "b", "c"]


def test_no_row_is_lost_between_pages_of_items_put_at_one_time(store: Any) -> None:
    store.batch([PutOp(DOCS, f"{n:02}", {}) for n in range(23)])

    pages = [keys(store.search(DOCS, limit=5, offset=offset)) for offset in range(0, 25, 5)]

    assert [key for page in pages for key in page] == [f"{n:02}" for n in range(23)]


def test_8832_a_raw_batch_is_checked_as_put_is(store: Any) -> None:
    for namespace in (), ("langgraph", "x"), ("a.b",), ("",):
        with pytest.raises(InvalidNamespaceError):
            store.batch([PutOp(("good",), "key", {}), PutOp(namespace, "key", {})])

    assert store.search(()) == []


def test_8696_a_negative_limit_or_offset_is_an_error(store: Any) -> None:
    with pytest.raises(InvalidInputError, match="limit"):
        store.search(DOCS, limit=-1)
    with pytest.raises(InvalidInputError, match="offset"):
        store.list_namespaces(offset=-1)


def test_8590_a_batch_that_fails_leaves_nothing_behind_not_even_a_refreshed_ttl(
    store: Any, clock: ManualClock
) -> None:
    store.put(DOCS, "short", {}, ttl=1)
    clock.advance(timedelta(seconds=50))

    with pytest.raises(InvalidInputError):
        store.batch([GetOp(DOCS, "short", True), PutOp(DOCS, "bad", {"x": object()})])

    clock.advance(timedelta(seconds=20))
    assert store.get(DOCS, "short") is None


def test_8806_each_read_of_a_batch_refreshes_by_its_own_word(store: Any, clock: ManualClock) -> None:
    store.put(DOCS, "kept", {}, ttl=1)
    store.put(DOCS, "left", {}, ttl=1)
    clock.advance(timedelta(seconds=50))

    store.batch([GetOp(DOCS, "kept", True), GetOp(DOCS, "left", False)])

    clock.advance(timedelta(seconds=20))
    assert keys(store.search(DOCS)) == ["kept"]


def test_8902_what_has_expired_is_hidden_before_it_is_swept(store: Any, clock: ManualClock) -> None:
    store.put(DOCS, "one", {}, ttl=5)
    clock.advance(timedelta(minutes=6))

    assert store.get(DOCS, "one") is None
    assert store.search(DOCS) == []
    assert store.list_namespaces() == []
    assert store.sweep_ttl() == 1


def test_8921_a_ttl_is_kept_on_every_way_in(store: Any, clock: ManualClock) -> None:
    store.put(DOCS, "put", {}, ttl=1)
    store.batch([PutOp(DOCS, "batch", {}, ttl=1)])
    clock.advance(timedelta(minutes=2))

    assert store.search(DOCS) == []


def test_8757_a_key_used_again_is_not_found_by_what_was_deleted(indexed: Any) -> None:
    indexed.put(DOCS, "old", {"text": "red"})
    indexed.put(DOCS, "other", {"text": "red sky"})
    indexed.delete(DOCS, "old")

    indexed.put(DOCS, "old", {"text": "green"}, index=False)

    first, last = indexed.search(DOCS, query="red")
    assert (first.key, last.key, last.score) == ("other", "old", None)


def test_8757_a_list_that_became_shorter_leaves_no_vector_of_its_end(indexed: Any) -> None:
    indexed.put(DOCS, "one", {"parts": ["sky", "red"]}, index=["parts[*]"])

    indexed.put(DOCS, "one", {"parts": ["sky"]}, index=["parts[*]"])

    assert indexed.search(DOCS, query="red")[0].score == 0.0


def test_8214_putting_again_without_an_index_forgets_the_vector(indexed: Any) -> None:
    indexed.put(DOCS, "one", {"text": "red"})

    indexed.put(DOCS, "one", {"text": "red"}, index=False)

    assert indexed.search(DOCS, query="red")[0].score is None


def test_8822_items_of_one_batch_may_have_the_same_text(indexed: Any) -> None:
    indexed.batch([PutOp(DOCS, "a", {"text": "red sky"}), PutOp(DOCS, "b", {"text": "red sky"})])

    found = indexed.search(DOCS, query="red sky")

    assert [(item.key, item.score) for item in found] == [("a", 1.0), ("b", 1.0)]


def test_8977_an_item_of_many_texts_pushes_no_other_out_of_the_page(indexed: Any) -> None:
    indexed.put(DOCS, "many", {"parts": [f"red {n}" for n in range(30)]}, index=["parts[*]"])
    indexed.put(DOCS, "other", {"text": "red sky"})

    assert keys(indexed.search(DOCS, query="red", limit=2)) == ["many", "other"]


def test_8871_pages_go_on_among_items_that_are_not_indexed(indexed: Any) -> None:
    indexed.put(DOCS, "scored", {"text": "red"})
    for key in "abc":
        indexed.put(DOCS, key, {"text": "red"}, index=False)

    pages = [keys(indexed.search(DOCS, query="red", limit=1, offset=offset)) for offset in range(5)]

    assert pages == [["scored"], ["a"], ["b"], ["c"], []]


def test_9033_no_fields_means_that_nothing_is_indexed_by_default(open_store: Open) -> None:
    store = open_store(index={"dims": 6, "embed": count_words, "fields": []})
    store.put(DOCS, "plain", {"text": "red"})
    store.put(DOCS, "chosen", {"text": "red"}, index=["text"])

    assert [(item.key, item.score) for item in store.search(DOCS, query="red")] == [
        ("chosen", 1.0),
        ("plain", None),
    ]


def test_9059_one_item_can_be_indexed_whole(indexed: Any) -> None:
    indexed.put(DOCS, "whole", {"text": "grass", "meta": {"topic": "red"}}, index=["$"])
    indexed.put(DOCS, "field", {"text": "grass", "meta": {"topic": "red"}})

    whole, field = indexed.search(DOCS, query="red")

    assert (whole.key, field.key, field.score) == ("whole", "field", 0.0)


def test_6240_a_label_that_is_none_is_refused_when_it_is_put(store: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.put((None, "form"), "key", {})


def test_5889_a_list_from_json_is_a_namespace(store: Any) -> None:
    store.put(["users", "1"], "key", {"n": 1})

    assert store.batch([GetOp(["users", "1"], "key")])[0].value == {"n": 1}  # type: ignore[arg-type]


def test_5503_a_cancelled_call_stops_no_other(open_store: Open) -> None:
    store = open_store()
    plain = getattr(store, "_store", store)

    async def use() -> Any:
        cancelled = asyncio.create_task(plain.aput(DOCS, "one", {"n": 1}))
        await asyncio.sleep(0)
        cancelled.cancel()
        await plain.aput(DOCS, "one", {"n": 2})
        return (await plain.aget(DOCS, "one")).value

    assert asyncio.run(asyncio.wait_for(use(), 60)) == {"n": 2}


def test_one_question_asked_twice_in_a_batch_is_embedded_once(open_store: Open) -> None:
    asked: list[str] = []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.extend(texts)
        return count_words(texts)

    store = open_store(index={"dims": 6, "embed": embed, "fields": ["text"]})
    store.batch([SearchOp(DOCS, query="red"), SearchOp(("other",), query="red"), SearchOp(DOCS, query="sky")])

    assert asked == ["red", "sky"]
