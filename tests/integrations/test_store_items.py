"""Putting, getting, deleting: what `BaseStore` documents, on our store."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from integrations.conftest import Open
from langgraph.store.base import (
    GetOp,
    InvalidNamespaceError,
    ListNamespacesOp,
    MatchCondition,
    PutOp,
    SearchOp,
)

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.errors import ClosedError, InvalidInputError, StoreError

USER = ("users", "42")


def test_what_was_put_is_got_with_its_place_and_times(store: Any, clock: ManualClock) -> None:
    store.put(USER, "diet", {"text": "vegetarian"})

    item = store.get(USER, "diet")

    assert (item.namespace, item.key, item.value) == (USER, "diet", {"text": "vegetarian"})
    assert item.created_at == item.updated_at == clock.now()


def test_an_unknown_key_and_an_unknown_namespace_give_none(store: Any) -> None:
    store.put(USER, "diet", {})

    assert store.get(USER, "car") is None
    assert store.get(("users",), "diet") is None


def test_putting_again_replaces_the_value_keeps_created_at_and_moves_updated_at(
    store: Any, clock: ManualClock
) -> None:
    store.put(USER, "diet", {"text": "vegetarian", "since": 2020})
    first = store.get(USER, "diet")
    clock.advance(timedelta(hours=1))

    store.put(USER, "diet", {"text": "vegan"})

    item = store.get(USER, "diet")
    assert item.value == {"text": "vegan"}
    assert item.created_at == first.created_at
    assert item.updated_at - first.updated_at == timedelta(hours=1)


def test_updated_at_moves_even_where_the_clock_stands(store: Any) -> None:
    store.put(USER, "diet", {"n": 1})
    before = store.get(USER, "diet").updated_at

    store.put(USER, "diet", {"n": 2})

    assert store.get(USER, "diet").updated_at > before


def test_a_deleted_item_is_gone_and_deleting_again_is_no_error(store: Any) -> None:
    store.put(USER, "diet", {})

    store.delete(USER, "diet")
    store.delete(USER, "diet")

    assert store.get(USER, "diet") is None
    assert store.list_namespaces() == []


def test_an_item_put_after_its_deletion_is_created_anew(store: Any, clock: ManualClock) -> None:
    store.put(USER, "diet", {})
    store.delete(USER, "diet")
    clock.advance(timedelta(hours=1))

    store.put(USER, "diet", {})

    assert store.get(USER, "diet").created_at == clock.now()


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"text": "Zoë 🐈 你好"},
        {"nested": {"list": [1, 2.5, None, True, "x", {"deep": []}]}},
        {"nul": "a\0b", "lone": "\ud800", "line": "a\nb"},
        {"big": 2**80, "small": -1e-300},
        {"a.b": 1, "$gt": 2, "": 3},
    ],
    ids=repr,
)
def test_a_json_value_comes_back_as_it_was(store: Any, value: dict[str, Any]) -> None:
    store.put(USER, "value", value)

    assert store.get(USER, "value").value == value


def test_a_tuple_comes_back_as_a_list(store: Any) -> None:
    store.put(USER, "value", {"pair": (1, 2)})

    assert store.get(USER, "value").value == {"pair": [1, 2]}


@pytest.mark.parametrize(
    "key", ["", " ", "a.b", "a/b", "ключ", "%", "_", "'; DROP TABLE items; --", "x" * 5_000]
)
def test_any_text_is_a_key(store: Any, key: str) -> None:
    store.put(USER, key, {"n": 1})
    store.put(USER, key + "x", {"n": 2})

    assert store.get(USER, key).value == {"n": 1}


def test_a_key_that_is_no_text_is_its_text(store: Any) -> None:
    store.batch([PutOp(USER, 7, {"n": 1})])  # type: ignore[arg-type]

    assert store.get(USER, "7").key == "7"


def test_changing_what_was_put_or_got_changes_nothing_stored(store: Any) -> None:
    value = {"list": [1]}
    store.put(USER, "value", value)
    value["list"].append(2)
    store.get(USER, "value").value["list"].append(3)
    store.search(USER)[0].value["list"].append(4)

    assert store.get(USER, "value").value == {"list": [1]}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"at": timedelta(1)}, "value.at is a timedelta"),
        ({"list": [{"x": {1, 2}}]}, r"value.list\[0\].x is a set"),
        ({"x": float("nan")}, "value.x is nan"),
        ({"x": float("inf")}, "value.x is inf"),
        ({1: "x"}, "has the key 1; keys are strings"),
        ({"x": b"bytes"}, "value.x is a bytes"),
        ([1], "a value is a dict"),
        ("text", "a value is a dict"),
    ],
    ids=repr,
)
def test_a_value_that_is_no_json_is_refused_by_name_and_the_old_one_stays(
    store: Any, value: Any, says: str
) -> None:
    store.put(USER, "value", {"old": True})

    with pytest.raises(InvalidInputError, match=says):
        store.put(USER, "value", value)

    assert store.get(USER, "value").value == {"old": True}


def test_a_value_that_holds_itself_is_refused(store: Any) -> None:
    value: dict[str, Any] = {}
    value["self"] = value

    with pytest.raises(InvalidInputError, match="holds itself"):
        store.put(USER, "value", value)


def test_results_come_in_the_order_of_the_operations(store: Any) -> None:
    store.put(USER, "a", {"n": 1})
    store.put(USER, "b", {"n": 2})

    got = store.batch(
        [
            GetOp(USER, "b"),
            PutOp(USER, "c", {"n": 3}),
            SearchOp(USER),
            GetOp(USER, "a"),
            ListNamespacesOp(),
            GetOp(USER, "no"),
        ]
    )

    assert got[0].key == "b"
    assert got[1] is None
    assert [item.key for item in got[2]] == ["a", "b"]
    assert got[3].key == "a"
    assert got[4:] == [[USER], None]


def test_an_empty_batch_answers_nothing(store: Any) -> None:
    assert store.batch([]) == []


def test_reads_of_a_batch_come_before_its_writes(store: Any) -> None:
    store.put(USER, "a", {"n": 1})

    got = store.batch(
        [PutOp(USER, "a", {"n": 2}), PutOp(USER, "b", {}), GetOp(USER, "a"), GetOp(USER, "b"), SearchOp(USER)]
    )

    assert got[2].value == {"n": 1}
    assert got[3] is None
    assert [item.key for item in got[4]] == ["a"]


def test_the_last_put_of_a_key_in_a_batch_wins(store: Any) -> None:
    store.batch([PutOp(USER, "a", {"n": 1}), PutOp(USER, "a", None), PutOp(USER, "a", {"n": 3})])
    store.batch([PutOp(USER, "b", {"n": 1}), PutOp(USER, "b", None)])

    assert store.get(USER, "a").value == {"n": 3}
    assert store.get(USER, "b") is None


def test_a_put_over_a_delete_in_one_batch_keeps_created_at(store: Any, clock: ManualClock) -> None:
    store.put(USER, "a", {"n": 1})
    created = clock.now()
    clock.advance(timedelta(hours=1))

    store.batch([PutOp(USER, "a", None), PutOp(USER, "a", {"n": 2})])

    assert store.get(USER, "a").created_at == created


def test_a_batch_may_be_any_iterable(store: Any) -> None:
    store.batch(PutOp(USER, str(n), {"n": n}) for n in range(3))

    assert [item.key for item in store.search(USER)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    "bad",
    [
        PutOp(USER, "bad", {"x": 1j}),
        PutOp((), "bad", {}),
        PutOp(("a.b",), "bad", {}),
        GetOp(("",), "bad"),
        SearchOp(USER, filter={"n": {"$near": 1}}),
        SearchOp(USER, limit=-1),
        PutOp(USER, "bad", {}, index="text"),  # type: ignore[arg-type]
        PutOp(USER, "bad", {}, ttl=float("nan")),
        "no operation",
    ],
    ids=repr,
)
def test_one_bad_operation_stops_the_whole_batch(store: Any, bad: Any) -> None:
    store.put(USER, "kept", {})

    with pytest.raises((InvalidInputError, InvalidNamespaceError)):
        store.batch([PutOp(USER, "good", {}), PutOp(USER, "kept", None), bad])

    assert [item.key for item in store.search(())] == ["kept"]


def test_a_failure_inside_the_database_undoes_the_whole_batch(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import import_module

    rows = import_module("agentmem.stores.item_rows")
    store.put(USER, "kept", {"n": 1})

    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "_insert_texts", fail)
        with pytest.raises(RuntimeError, match="the disk is gone"):
            store.batch([PutOp(USER, "kept", {"n": 2}), PutOp(USER, "new", {})])

    assert [(item.key, item.value) for item in store.search(())] == [("kept", {"n": 1})]


@pytest.mark.parametrize(
    "namespace", [(), ("",), ("a.b",), ("a\0",), (1,), (["a"],), ("langgraph",), ("langgraph", "x"), "text"]
)
def test_a_bad_namespace_cannot_be_written_by_put_or_by_a_raw_operation(store: Any, namespace: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.put(namespace, "key", {})
    with pytest.raises(InvalidNamespaceError):
        store.batch([PutOp(namespace, "key", {})])


@pytest.mark.parametrize(
    "op",
    [
        GetOp(("a.b",), "key"),
        PutOp(("a.b",), "key", None),
        SearchOp(("a.b",)),
        ListNamespacesOp((MatchCondition("prefix", ("a.b",)),)),
        ListNamespacesOp((MatchCondition("suffix", ("",)),)),
    ],
    ids=repr,
)
def test_a_bad_label_is_refused_in_every_raw_operation(store: Any, op: Any) -> None:
    with pytest.raises(InvalidNamespaceError):
        store.batch([op])


def test_a_list_is_taken_for_a_namespace_everywhere(store: Any) -> None:
    store.put(["users", "42"], "a", {"n": 1})
    store.batch([PutOp(["users", "42"], "b", {"n": 2})])  # type: ignore[arg-type]

    assert store.get(["users", "42"], "a").namespace == USER
    assert [item.key for item in store.search(["users"])] == ["a", "b"]
    assert store.list_namespaces(prefix=["users"]) == [USER]
    store.delete(["users", "42"], "a")
    assert store.get(USER, "a") is None


def test_labels_are_told_apart_by_every_character(store: Any) -> None:
    for n, label in enumerate(["a", "A", "a ", "á", "a\u0301", "a%", "a_", "a*", '"a"', "a,b", "a]"]):
        store.put((label,), "key", {"n": n})

    assert len(store.list_namespaces()) == 11
    assert [item.value["n"] for item in store.search(("a",))] == [0]
    assert store.get(("A",), "key").value == {"n": 1}


def test_items_outlive_the_process_that_put_them(place: Any) -> None:
    with AgentMemStore(place) as store:
        store.put(USER, "diet", {"text": "vegetarian"})

    with AgentMemStore(place) as store:
        assert store.get(USER, "diet").value == {"text": "vegetarian"}


def test_a_store_on_a_memory_shares_its_file_and_leaves_it_open(place: Any) -> None:
    with Memory(place, embedder="hash") as memory:
        with AgentMemStore(memory) as store:
            store.put(USER, "diet", {"text": "vegetarian"})
        memory.remember("still open")

    with AgentMemStore(place) as store:
        assert store.get(USER, "diet").value == {"text": "vegetarian"}


def test_a_closed_store_says_so(place: Any) -> None:
    store = AgentMemStore(place)
    store.close()
    store.close()

    with pytest.raises(ClosedError, match="this store is closed"):
        store.get(USER, "diet")


def test_an_asynchronous_block_closes_the_store(place: Any) -> None:
    async def use() -> AgentMemStore:
        async with AgentMemStore(place) as store:
            await store.aput(USER, "diet", {})
            return store

    store = asyncio.run(use())

    with pytest.raises(ClosedError):
        store.get(USER, "diet")


def test_a_store_opens_and_closes_as_langgraphs_own_do(database: Path) -> None:
    with AgentMemStore.from_conn_string(f"sqlite:///{database}", ttl={"default_ttl": 5}) as store:
        store.setup()
        store.put(USER, "diet", {"n": 1})

    async def use() -> Any:
        async with AgentMemStore.from_conn_string(f"sqlite:///{database}") as store:
            await store.asetup()
            return await store.aget(USER, "diet")

    assert asyncio.run(use()).value == {"n": 1}


def test_postgres_is_another_name_for_postgresql_in_a_url(emptied_database: str) -> None:
    with AgentMemStore("postgres:" + emptied_database.partition(":")[2]) as store:
        store.put(USER, "diet", {"n": 1})

        assert store.url.startswith("postgresql")

    with AgentMemStore(emptied_database) as again:
        assert again.get(USER, "diet").value == {"n": 1}


def test_many_asynchronous_calls_may_run_at_once(store: Any, open_store: Open) -> None:
    plain = open_store()
    plain = getattr(plain, "_store", plain)

    async def use() -> list[Any]:
        await asyncio.gather(*(plain.aput(USER, str(n), {"n": n}) for n in range(40)))
        return await asyncio.gather(*(plain.aget(USER, str(n)) for n in range(40)))

    assert [item.value["n"] for item in asyncio.run(use())] == list(range(40))


def test_a_key_that_postgresql_cannot_index_is_an_error_that_says_what_to_do(emptied_database: str) -> None:
    key = "".join(sha256(str(n).encode()).hexdigest() for n in range(100))

    with AgentMemStore(emptied_database) as store:
        with pytest.raises(StoreError, match="shorten it, or put its digest"):
            store.batch([PutOp(USER, "short", {}), PutOp(USER, key, {})])

        assert store.search(()) == []
