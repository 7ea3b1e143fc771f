"""What every store promises, over each that is registered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from agentmem.contracts import Passage, PreparedEvent, Selection, Store, Vectors
from agentmem.core import open_store
from agentmem.errors import DuplicateIdError, EmbedderMismatchError
from agentmem.registry import names
from agentmem.types import NewEvent

AT = datetime(2023, 5, 8, 12, tzinfo=UTC)
ME, OTHER = ("org", "me"), ("org", "other")


def sqlite_file(request: pytest.FixtureRequest) -> str:
    return f"sqlite:///{request.getfixturevalue('tmp_path')}/store.db"


def sqlite_memory(_request: pytest.FixtureRequest) -> str:
    return "sqlite://"


def postgresql(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgres_url"))


def postgresql_without_pgvector(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("new_database")(empty=True, pgvector="off"))


PLACES = {"sqlite": [sqlite_file, sqlite_memory], "postgresql": [postgresql, postgresql_without_pgvector]}


@pytest.fixture(params=[place for name in names("stores") for place in PLACES.get(name, [])])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    opened = open_store(request.param(request))
    opened.bind_embedder("toy", 2)
    yield opened
    opened.close()


def event(
    id_: str, word: str, vector: tuple[float, float] | None = (1.0, 0.0), digest: str = ""
) -> PreparedEvent:
    rows = None if vector is None else np.array([vector], dtype=np.float32)
    passage = Passage(0, len(word), (word,), word)
    return PreparedEvent(
        NewEvent(id_, "s1", "user", None, word, AT), digest or f"hash of {word}", 1, AT, AT, (passage,), rows
    )


def owners(store: Store, keys: list[int]) -> list[str]:
    passages = store.passages(ME, keys)
    return [passages[key].owner_id for key in keys if key in passages]


def test_what_is_appended_is_read_back_in_order(store: Store) -> None:
    outcome = store.append(ME, [event("b", "banana"), event("a", "apple")])

    assert outcome == [("b", True), ("a", True)]
    assert [(found.id, found.seq) for found in store.events(ME)] == [("b", 0), ("a", 1)]


def test_metadata_comes_back_as_it_was_given(store: Store) -> None:
    given = {"tags": ["a", None, 1.5], "ключ": {"x": True}, "quoted": 'a "b" \\ %s ? :c'}
    new = event("a", "apple")

    store.append(ME, [replace(new, event=replace(new.event, metadata=given)), event("b", "banana")])

    assert [found.metadata for found in store.events(ME)] == [given, {}]


def test_each_of_many_events_has_its_own_passage_where_namespaces_take_turns(store: Store) -> None:
    words = [f"word{number}" for number in range(600)]
    store.append(ME, [event(word, word) for word in words[:300]])
    store.append(OTHER, [event(word, word) for word in words])

    store.append(ME, [event(word, word) for word in words[300:]])

    assert owners(store, [hit.passage for hit in store.recent(ME, 600)]) == words[::-1]
    assert owners(store, [hit.passage for hit in store.match(ME, ("word450",), 1)]) == ["word450"]


def test_what_is_known_is_told_and_not_stored_again(store: Store) -> None:
    store.append(ME, [event("a", "apple")])

    assert store.known(ME, [("a", "hash of apple"), ("b", "x"), (None, "x")]) == ["a", None, None]
    assert store.append(ME, [event("a", "apple")]) == [("a", False)]


def test_what_came_without_an_id_is_known_by_its_hash(store: Store) -> None:
    new = event("", "apple")
    new = replace(new, event=replace(new.event, id=None))

    ((id_, fresh),) = store.append(ME, [new])

    assert fresh
    assert store.known(ME, [(None, "hash of apple"), (None, "hash of pear")]) == [id_, None]
    assert store.append(ME, [new]) == [(id_, False)]


def test_an_append_is_all_or_nothing(store: Store) -> None:
    store.append(ME, [event("a", "apple")])

    with pytest.raises(DuplicateIdError):
        store.append(ME, [event("b", "banana"), event("a", "apricot")])

    assert [found.id for found in store.events(ME)] == ["a"]


def test_the_newest_events_come_in_their_order(store: Store) -> None:
    store.append(ME, [event(str(number), f"word{number}") for number in range(5)])

    assert [found.id for found in store.events(ME, limit=2, newest=True)] == ["3", "4"]


def test_the_nearest_come_first_with_their_cosine(store: Store) -> None:
    store.append(
        ME, [event("a", "apple", (0.6, 0.8)), event("b", "banana", (1.0, 0.0)), event("c", "cherry", None)]
    )
    store.append(OTHER, [event("x", "apple", (1.0, 0.0))])

    hits = store.nearest(ME, np.array([1.0, 0.0], dtype=np.float32), 5)

    assert owners(store, [hit.passage for hit in hits]) == ["b", "a"]
    assert [hit.score for hit in hits] == pytest.approx([1.0, 0.6])


def test_matching_finds_the_rarer_word_first_and_only_here(store: Store) -> None:
    store.append(ME, [event("a", "apple"), event("b", "banana"), event("b2", "banana", digest="second")])
    store.append(OTHER, [event("x", "apple")])

    hits = store.match(ME, ("apple", "banana"), 5)

    assert owners(store, [hit.passage for hit in hits]) == ["a", "b", "b2"]
    assert store.match(ME, ("grape",), 5) == []
    assert store.match(ME, (), 5) == []


def test_the_recent_come_newest_first(store: Store) -> None:
    store.append(ME, [event(str(number), f"word{number}") for number in range(5)])

    assert owners(store, [hit.passage for hit in store.recent(ME, 3)]) == ["4", "3", "2"]


def test_a_passage_of_another_namespace_is_absent(store: Store) -> None:
    store.append(ME, [event("a", "apple")])
    (hit,) = store.recent(ME, 1)

    assert store.passages(OTHER, [hit.passage]) == {}


def test_passages_without_a_vector_wait_for_one(store: Store) -> None:
    store.append(ME, [event("a", "apple", None), event("b", "banana")])
    ((key, text),) = store.unembedded(ME, 10)

    store.add_vectors([key], np.array([[0.0, 1.0]], dtype=np.float32))

    assert text == "apple"
    assert store.unembedded(None, 10) == []
    assert owners(
        store, [hit.passage for hit in store.nearest(ME, np.array([0.0, 1.0], dtype=np.float32), 1)]
    ) == ["a"]


EAST = np.array([1.0, 0.0], dtype=np.float32)
WEST = -EAST


def with_pieces(id_: str, *rows: Vectors) -> PreparedEvent:
    return replace(event(id_, id_), pieces=(np.stack(rows),))


def keys_of(store: Store) -> dict[str, int]:
    found = store.passages(ME, [hit.passage for hit in store.recent(ME, 10)])
    return {passage.owner_id: key for key, passage in found.items()}


def test_the_nearest_piece_of_a_passage_counts_for_each_of_the_question(store: Store) -> None:
    store.append(ME, [with_pieces("both", EAST, WEST), with_pieces("east", EAST)])
    keys = keys_of(store)

    near = store.near_pieces(ME, list(keys.values()), np.stack([WEST, EAST]))

    assert near[keys["both"]] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert near[keys["east"]] == pytest.approx([-1.0, 1.0], abs=1e-5)


def test_pieces_of_another_namespace_or_of_none_are_absent(store: Store) -> None:
    store.append(ME, [with_pieces("mine", EAST), event("without", "without")])
    keys = keys_of(store)

    assert store.near_pieces(OTHER, list(keys.values()), EAST[None]) == {}
    assert list(store.near_pieces(ME, list(keys.values()), EAST[None])) == [keys["mine"]]


def test_pieces_are_made_later_once_and_go_with_their_words(store: Store) -> None:
    store.append(ME, [event("a", "apple"), with_pieces("b", EAST)])
    keys = keys_of(store)
    missing = store.without_pieces(-1, 10)

    store.add_pieces([*keys.values(), 10**6], [WEST[None]] * 3, embedder="toy")
    near = store.near_pieces(ME, list(keys.values()), WEST[None])
    store.forget(ME, Selection(ids=("a",)), at=AT, dry_run=False)

    assert [key for key, _ in missing] == [keys["a"]]
    assert near[keys["a"]] == pytest.approx([1.0], abs=1e-5)
    assert near[keys["b"]] == pytest.approx([-1.0], abs=1e-5)
    assert store.without_pieces(-1, 10) == []
    assert list(store.near_pieces(ME, list(keys.values()), WEST[None])) == [keys["b"]]


def test_another_embedder_is_refused(store: Store) -> None:
    store.bind_embedder("toy", 2)

    with pytest.raises(EmbedderMismatchError):
        store.bind_embedder("toy", 3)
    with pytest.raises(EmbedderMismatchError):
        store.bind_embedder("other", 2)


def test_forgetting_removes_words_vectors_and_terms_here_alone(store: Store) -> None:
    store.append(ME, [event("a", "apple"), event("b", "banana")])
    store.append(OTHER, [event("a", "apple")])

    report = store.forget(ME, Selection(ids=("a",)), at=AT, dry_run=False)

    assert report.event_ids == ("a",)
    assert store.match(ME, ("apple",), 5) == []
    assert len(store.nearest(ME, np.array([1.0, 0.0], dtype=np.float32), 5)) == 1
    assert len(store.match(OTHER, ("apple",), 5)) == 1
    assert [entry.action for entry in store.history(ME, "a")] == ["remembered", "forgotten"]


def test_an_unknown_namespace_is_empty(store: Store) -> None:
    assert store.events(OTHER) == []
    assert store.notes(OTHER) == []
    assert store.recent(OTHER, 5) == []
    assert store.nearest(OTHER, np.array([1.0, 0.0], dtype=np.float32), 5) == []
    assert store.namespaces() == []


def test_closing_twice_does_nothing(store: Store) -> None:
    store.close()
    store.close()
