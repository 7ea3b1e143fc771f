"""Searching by a question: vectors, words, paths, pages, and what an update or a delete leaves behind."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from agentmem.integrations.langgraph import AgentMemStore
from hypothesis import given
from hypothesis import strategies as st
from integrations.conftest import VOCABULARY, Open, count_words
from langgraph.store.base import GetOp, PutOp, SearchOp

from agentmem import Memory
from agentmem.errors import EmbedderError, EmbedderMismatchError, InvalidInputError

DOCS = ("docs",)


def keys(found: list[Any]) -> list[str]:
    return [item.key for item in found]


def test_the_nearest_item_comes_first_and_scores_fall(indexed: Any) -> None:
    indexed.put(DOCS, "sky", {"text": "the blue sky"})
    indexed.put(DOCS, "grass", {"text": "green grass, green apple"})
    indexed.put(DOCS, "apple", {"text": "a red apple"})

    found = indexed.search(DOCS, query="red apple")

    assert keys(found) == ["apple", "grass", "sky"]
    assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)


def test_without_a_shared_word_the_score_is_the_cosine(open_store: Open) -> None:
    store = open_store(
        index={"dims": 2, "embed": lambda texts: [[3.0, 4.0] if t == "a1" else [1.0, 0.0] for t in texts]}
    )
    store.put(DOCS, "one", {"text": "b2"})

    assert store.search(DOCS, query="a1")[0].score == pytest.approx(0.6, abs=1e-5)


def test_a_shared_word_raises_the_score_but_never_over_one(indexed: Any) -> None:
    indexed.put(DOCS, "plain", {"text": "red sky"})
    indexed.put(DOCS, "named", {"text": "red sky Zanzibar"})

    named, plain = indexed.search(DOCS, query="red Zanzibar")

    assert (named.key, plain.key) == ("named", "plain")
    assert 0.7 < plain.score < named.score <= 1


@pytest.mark.parametrize("query", [None, "", "   "])
def test_without_a_question_nothing_is_scored(indexed: Any, query: str | None) -> None:
    indexed.put(DOCS, "one", {"text": "red"})

    assert [item.score for item in indexed.search(DOCS, query=query)] == [None]


def test_without_an_index_words_alone_rank(place: Any) -> None:
    with AgentMemStore(place) as store:
        store.put(DOCS, "dog", {"text": "Bob walks his dog"})
        store.put(DOCS, "cat", {"text": "Alice adopted two cats", "deep": {"name": ["Mittens"]}})

        assert keys(store.search(DOCS, query="cat")) == ["cat", "dog"]
        assert keys(store.search(DOCS, query="mittens")) == ["cat", "dog"]
        assert [item.score is None for item in store.search(DOCS, query="cat")] == [False, True]


def test_the_names_of_fields_are_no_words_of_an_item(place: Any) -> None:
    with AgentMemStore(place) as store:
        store.put(DOCS, "one", {"color": "red"})

        assert store.search(DOCS, query="color")[0].score is None


def test_on_a_memory_its_own_embedder_ranks(database: Path) -> None:
    class Synonyms:
        name, dims = "synonyms", 2

        def embed(self, texts: list[str], kind: str = "document") -> Any:
            import numpy as np

            return np.array(
                [[1.0, 0.0] if "feline" in t or "cat" in t else [0.0, 1.0] for t in texts], np.float32
            )

    with Memory(database, embedder=Synonyms()) as memory, AgentMemStore(memory) as store:
        store.put(DOCS, "dog", {"text": "a dog"})
        store.put(DOCS, "cat", {"text": "a cat"})

        assert keys(store.search(DOCS, query="feline")) == ["cat", "dog"]


def test_what_is_not_indexed_is_stored_and_comes_last_without_a_score(indexed: Any) -> None:
    indexed.put(DOCS, "hidden", {"text": "red apple"}, index=False)
    indexed.put(DOCS, "seen", {"text": "blue sky"})

    found = indexed.search(DOCS, query="red apple")

    assert [(item.key, item.score is None) for item in found] == [("seen", False), ("hidden", True)]
    assert indexed.get(DOCS, "hidden").value == {"text": "red apple"}


@pytest.mark.parametrize(
    ("paths", "query", "finds"),
    [
        (["title"], "red", True),
        (["title"], "blue", False),
        (["meta.color"], "blue", True),
        (["parts[*].text"], "grass", True),
        (["parts[0].text"], "sky", True),
        (["parts[0].text"], "grass", False),
        (["parts[-1].text"], "grass", True),
        (["tags[*]"], "apple", True),
        (["parts[7].text", "nothing.here"], "grass", False),
        (["title", "meta.color"], "blue", True),
        (["$"], "grass", True),
    ],
    ids=repr,
)
def test_an_item_is_found_by_the_paths_it_was_indexed_by(
    indexed: Any, paths: list[str], query: str, finds: bool
) -> None:
    value = {
        "title": "red",
        "meta": {"color": "blue"},
        "parts": [{"text": "sky"}, {"text": "grass"}],
        "tags": ["green", "apple"],
    }

    indexed.put(DOCS, "item", value, index=paths)

    score = indexed.search(DOCS, query=query)[0].score
    assert (score is not None and score > 0) == finds


def test_an_item_scores_by_the_best_of_its_texts_and_is_found_once(indexed: Any) -> None:
    indexed.put(DOCS, "many", {"tags": ["red", "sky", "grass"]}, index=["tags[*]"])
    indexed.put(DOCS, "one", {"tags": ["red sky grass"]}, index=["tags[*]"])

    found = indexed.search(DOCS, query="sky")

    assert keys(found) == ["many", "one"]
    assert found[0].score == 1.0


def test_the_same_text_in_two_fields_and_two_items_is_embedded_once(open_store: Open) -> None:
    asked: list[list[str]] = []

    def embed(texts: list[str]) -> list[list[float]]:
        asked.append(list(texts))
        return count_words(texts)

    store = open_store(index={"dims": 6, "embed": embed, "fields": ["a", "b"]})
    store.batch([PutOp(DOCS, "1", {"a": "red", "b": "red"}), PutOp(DOCS, "2", {"a": "red", "b": "sky"})])

    assert asked == [["red", "sky"]]
    assert keys(store.search(DOCS, query="red")) == ["1", "2"]


def test_putting_again_leaves_no_old_vector_or_word_behind(indexed: Any) -> None:
    indexed.put(DOCS, "item", {"text": "red apple Zanzibar"})
    indexed.search(DOCS, query="warm up the index")

    indexed.put(DOCS, "item", {"text": "blue sky"})

    assert indexed.search(DOCS, query="red apple Zanzibar")[0].score == 0.0
    assert indexed.search(DOCS, query="blue sky")[0].score == 1.0


def test_putting_again_without_an_index_leaves_no_vector_behind(indexed: Any) -> None:
    indexed.put(DOCS, "item", {"text": "red"})

    indexed.put(DOCS, "item", {"text": "red"}, index=False)

    assert indexed.search(DOCS, query="red")[0].score is None


def test_a_deleted_item_is_found_no_more(indexed: Any) -> None:
    indexed.put(DOCS, "item", {"text": "red apple"})
    indexed.search(DOCS, query="warm up the index")

    indexed.delete(DOCS, "item")

    assert indexed.search(DOCS, query="red apple") == []


def test_a_deleted_item_leaves_no_row_of_its_texts(database: Path) -> None:
    with AgentMemStore(database, index={"dims": 6, "embed": count_words}) as store:
        store.put(DOCS, "item", {"text": "red apple"})
        store.delete(DOCS, "item")

    connection = sqlite3.connect(database)
    assert connection.execute("SELECT count(*) FROM item_texts").fetchone() == (0,)
    connection.close()


def test_what_a_batch_puts_beside_a_question_is_found_by_the_next(indexed: Any) -> None:
    indexed.put(DOCS, "old", {"text": "red"})

    before, _ = indexed.batch([SearchOp(DOCS, query="sky"), PutOp(DOCS, "new", {"text": "sky"})])

    assert keys(before) == ["old"]
    assert keys(indexed.search(DOCS, query="sky")) == ["new", "old"]


def test_a_question_in_a_batch_that_was_undone_hides_nothing_that_follows(
    indexed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = import_module("agentmem.stores.item_rows")

    def fail(*_: Any) -> None:
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(rows, "put", fail)
        with pytest.raises(RuntimeError):
            indexed.batch([SearchOp(DOCS, query="sky"), PutOp(DOCS, "lost", {"text": "sky"})])
    indexed.put(DOCS, "kept", {"text": "sky"})

    assert keys(indexed.search(DOCS, query="sky")) == ["kept"]


@pytest.mark.parametrize("query", [None, "red"])
def test_pages_are_stable_and_together_complete(indexed: Any, query: str | None) -> None:
    # equal texts, equal times: nothing but the order of putting can break the ties
    indexed.batch([PutOp(DOCS, f"{n:02}", {"text": "red"}) for n in range(20)])
    indexed.batch([PutOp(DOCS, f"u{n}", {"text": "red"}, index=False) for n in range(3)])

    pages = [indexed.search(DOCS, query=query, limit=5, offset=offset) for offset in range(0, 25, 5)]

    assert [item.key for page in pages for item in page] == [
        *(f"{n:02}" for n in range(20)),
        "u0",
        "u1",
        "u2",
    ]


def test_updating_an_item_between_pages_loses_no_other(store: Any) -> None:
    for n in range(6):
        store.put(DOCS, str(n), {"n": n})
    first = store.search(DOCS, limit=3)

    store.put(DOCS, "5", {"n": 55})

    assert keys(first + store.search(DOCS, limit=3, offset=3)) == ["0", "1", "2", "3", "4", "5"]


def test_a_question_is_answered_within_its_namespace_alone(indexed: Any) -> None:
    indexed.put(("users", "1"), "mine", {"text": "blue"})
    indexed.put(("users", "11"), "other", {"text": "red"})

    assert keys(indexed.search(("users", "1"), query="red")) == ["mine"]
    assert keys(indexed.search(("users",), query="red")) == ["other", "mine"]


def test_what_others_store_changes_no_score(indexed: Any) -> None:
    indexed.put(("users", "1"), "mine", {"text": "red Zanzibar coast"})
    before = indexed.search(("users", "1"), query="Zanzibar apple")[0].score

    for n in range(30):
        indexed.put(("users", "2"), str(n), {"text": "Zanzibar " * n + "apple"})

    assert indexed.search(("users", "1"), query="Zanzibar apple")[0].score == before


def test_several_questions_of_one_batch_have_their_own_answers(indexed: Any) -> None:
    indexed.put(DOCS, "red", {"text": "red"})
    indexed.put(DOCS, "sky", {"text": "sky"})

    first, none, second = indexed.batch(
        [SearchOp(DOCS, query="sky", limit=1), GetOp(DOCS, "no"), SearchOp(DOCS, query="red", limit=1)]
    )

    assert (keys(first), none, keys(second)) == (["sky"], None, ["red"])


def test_a_limit_of_zero_finds_nothing(indexed: Any) -> None:
    indexed.put(DOCS, "red", {"text": "red"})

    assert indexed.search(DOCS, query="red", limit=0) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda texts: (_ for _ in ()).throw(OSError("no network")),
        lambda texts: [],
        lambda texts: [[1.0]] * len(texts),
        lambda texts: [[float("nan")] * 6] * len(texts),
        lambda texts: [["x"] * 6] * len(texts),
        lambda texts: [[1e300] * 6] * len(texts),
        lambda texts: [[1.0] * (5 + n) for n in range(len(texts))],
    ],
    ids=["fails", "too few", "too short", "not a number", "no number at all", "too large", "ragged"],
)
def test_where_the_embedder_fails_the_whole_batch_is_undone_and_the_error_told(
    open_store: Open, answer: Callable[[list[str]], Any]
) -> None:
    working: list[bool] = [True]
    store = open_store(
        index={"dims": 6, "embed": lambda texts: count_words(texts) if working else answer(texts)}
    )
    store.put(DOCS, "item", {"text": "red"})
    working.clear()

    with pytest.raises((OSError, EmbedderError)):
        store.batch([PutOp(DOCS, "other", {"text": "green"}), PutOp(DOCS, "item", {"text": "sky"})])

    assert [(item.key, item.value["text"]) for item in store.search(DOCS)] == [("item", "red")]


def test_an_asynchronous_embedder_is_awaited(place: Any) -> None:
    async def embed(texts: list[str]) -> list[list[float]]:
        await asyncio.sleep(0)
        return count_words(texts)

    async def use() -> list[str]:
        async with AgentMemStore(place, index={"dims": 6, "embed": embed, "fields": ["text"]}) as store:
            await store.aput(DOCS, "sky", {"text": "sky"})
            await store.aput(DOCS, "red", {"text": "red"})
            return keys(await store.asearch(DOCS, query="red"))

    assert asyncio.run(use()) == ["red", "sky"]


def test_others_read_and_write_while_the_embedder_works(place: Any) -> None:
    seen: list[Any] = []

    def embed(texts: list[str]) -> list[list[float]]:
        with AgentMemStore(place) as other:
            other.put(DOCS, "meanwhile", {"n": 1}, index=False)
            seen.append(other.get(DOCS, "meanwhile").value)
        return count_words(texts)

    with AgentMemStore(place, index={"dims": 6, "embed": embed, "fields": ["text"]}) as store:
        store.put(DOCS, "item", {"text": "red"})

    assert seen == [{"n": 1}]


def test_another_length_of_vectors_is_an_error_that_names_the_way_out(place: Any) -> None:
    with AgentMemStore(place, index={"dims": 6, "embed": count_words}) as store:
        store.put(DOCS, "item", {"text": "red"})

    with pytest.raises(EmbedderMismatchError, match=r"copy_items\(old, new\)"):
        AgentMemStore(place, index={"dims": 3, "embed": lambda texts: [[1.0, 0, 0]] * len(texts)})


@pytest.mark.parametrize(
    "index",
    [
        {"dims": 6},
        {"dims": 0, "embed": count_words},
        {"dims": 6, "embed": count_words, "fields": "text"},
        {"dims": 6, "embed": count_words, "field": ["text"]},
        {"dims": 6, "embed": count_words, "distance_type": "l2"},
    ],
)
def test_an_index_that_makes_no_sense_is_refused(database: Path, index: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        AgentMemStore(database, index=index)


def test_an_agentmem_embedder_is_named_in_the_index(place: Any) -> None:
    with AgentMemStore(place, index={"embed": "hash-64"}) as store:
        store.put(DOCS, "cat", {"text": "a cat"})

        assert store.search(DOCS, query="cats")[0].score > 0


def test_what_another_store_on_the_same_file_writes_is_found(indexed: Any, open_store: Open) -> None:
    other = open_store(index={"dims": len(VOCABULARY), "embed": count_words, "fields": ["text"]})
    indexed.put(DOCS, "old", {"text": "sky"})
    indexed.put(DOCS, "gone", {"text": "red"})
    indexed.search(DOCS, query="red")

    other.put(DOCS, "new", {"text": "red"})
    other.put(DOCS, "old", {"text": "red apple"})
    other.delete(DOCS, "gone")

    assert keys(indexed.search(DOCS, query="red")) == ["new", "old"]


WORDS = st.lists(st.sampled_from([*VOCABULARY, "zanzibar", "coast"]), min_size=1, max_size=4).map(" ".join)
WRITES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.none() | WORDS), max_size=25)


@given(writes=WRITES, query=WORDS, prefix=st.sampled_from([(), ("a",), ("b",)]))
def test_an_index_that_followed_every_write_answers_as_one_built_at_the_end(
    empty_database: Path, writes: list[tuple[str, str, str | None]], query: str, prefix: tuple[str, ...]
) -> None:
    index = {"dims": 6, "embed": count_words, "fields": ["text"]}
    with (
        TemporaryDirectory() as folder,
        Memory(shutil.copy(empty_database, folder), embedder="hash-16") as memory,
    ):
        store = AgentMemStore(memory, index=index)
        for label, key, text in writes:
            store.batch([PutOp((label,), key, None if text is None else {"text": text})])
            store.search((), query=query, limit=1)

        followed = store.search(prefix, query=query, limit=100)

        assert followed == AgentMemStore(memory, index=index).search(prefix, query=query, limit=100)
        assert keys(followed[:3]) == keys(store.search(prefix, query=query, limit=3))
