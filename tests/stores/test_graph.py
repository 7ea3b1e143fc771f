"""The graph of entities: one name is one entity, and what is forgotten leaves no trace in it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import Progress, Store

START = datetime(2023, 5, 8, 12, tzinfo=UTC)
NAMES = ["Anna Karenina", "Anna", "Bob Ross", "Bob", "Paris", "Zoë", "ZOE", "@carol", "2023-05-01", "Levin"]
MESSAGES = st.lists(
    st.tuples(st.sampled_from(["Anna", "Levin", "Kitty"]), st.lists(st.sampled_from(NAMES), max_size=12)),
    min_size=1,
    max_size=12,
)


def told(
    messages: list[tuple[str, list[str]]], left_out: frozenset[int] = frozenset()
) -> list[dict[str, Any]]:
    return [
        {
            "id": f"e{place}",
            "name": speaker,
            "content": "we saw " + " and ".join(["it", *names]),
            "at": START + timedelta(hours=place % 5),
        }
        for place, (speaker, names) in enumerate(messages)
        if place not in left_out
    ]


def graph(memory: Memory) -> tuple[Any, ...]:
    """The whole graph by name, whatever the keys."""
    entities = memory.entities()
    store, namespace = memory._core.store, memory.current_namespace
    name = {entity.node: entity.name for entity in entities}
    weak = {
        (mention.kind, mention.event_id, name[mention.node])
        for mention in store.mentions_of(namespace, list(name))
    }
    edges = {
        (
            tuple(sorted((name[edge.source], name[edge.target]))),
            edge.kind,
            edge.weight,
            edge.first_at,
            edge.last_at,
        )
        for edge in store.edges(namespace)
    }
    return {(e.name, e.kind, e.mentions, e.aliases) for e in entities}, weak, edges


_fresh = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store_of_all(request: pytest.FixtureRequest) -> Iterator[Memory]:
    """One store for all examples: each has a namespace of its own, and opening is slow."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("shared_database"))
    with Memory(url, embedder="hash-16", clock=ManualClock(START)) as opened:
        yield opened


def view(memory: Memory, messages: list[dict[str, Any]]) -> Memory:
    """A fresh namespace that remembers these."""
    fresh = memory.namespace("graph", str(next(_fresh)))
    fresh.remember(messages)
    return fresh


@settings(max_examples=15)
@given(messages=MESSAGES, data=st.data())
def test_a_graph_after_forgetting_is_one_that_never_knew(
    store_of_all: Memory, messages: list[tuple[str, list[str]]], data: st.DataObject
) -> None:
    gone = frozenset(data.draw(st.sets(st.integers(0, len(messages) - 1))))
    forgetful = view(store_of_all, told(messages))
    innocent = view(store_of_all, told(messages, gone))
    forgetful.entities()

    forgetful.forget(ids=[f"e{place}" for place in gone])

    assert graph(forgetful) == graph(innocent)


@settings(max_examples=15)
@given(messages=MESSAGES)
def test_a_graph_grown_by_steps_is_one_grown_at_once(
    store_of_all: Memory, messages: list[tuple[str, list[str]]]
) -> None:
    at_once, by_steps = view(store_of_all, told(messages)), view(store_of_all, [])

    grown = [(by_steps.remember(message), by_steps.entities()) for message in told(messages)]

    assert len(grown) == len(messages)
    assert graph(by_steps) == graph(at_once)


def test_all_spellings_of_a_name_are_one_entity(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Zoë"]), ("Kitty", ["ZOE"]), ("Kitty", ["zoe"])]))
    (entity,) = memory.entities("Zoe\u0308")

    assert (entity.name, entity.kind, entity.mentions) == ("Zoë", "name", 2)


def test_a_first_name_is_an_alias_of_the_only_full_name_with_its_evidence(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Anna", []), ("Kitty", ["Anna Karenina"])]))
    (entity,) = memory.entities("anna")

    assert (entity.name, entity.kind, entity.mentions) == ("Anna Karenina", "speaker", 2)
    assert [(alias.name, alias.evidence) for alias in entity.aliases] == [
        ("Anna", "Anna Karenina is the only full name here that begins with Anna; Anna speaks here")
    ]


def test_a_first_name_that_fits_two_is_nobodys_alias(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Anna", []), ("Kitty", ["Anna Karenina", "Anna Ivanova"])]))
    assert [(entity.name, entity.aliases) for entity in memory.entities("Anna")] == [("Anna", ())]


def test_edges_say_who_speaks_of_whom_who_is_named_together_and_when(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Paris", "Levin", "2023-05-01"]), ("Kitty", ["Paris"])]))
    name = {entity.node: entity.name for entity in memory.entities()}
    edges = memory._core.store.edges(memory.current_namespace)

    assert {
        (edge.kind, frozenset((name[edge.source], name[edge.target])), edge.weight) for edge in edges
    } == {
        ("speaks_of", frozenset(("Kitty", "Paris")), 2),
        ("speaks_of", frozenset(("Kitty", "Levin")), 1),
        ("with", frozenset(("Paris", "Levin")), 1),
        ("on", frozenset(("Kitty", "2023-05-01")), 1),
        ("on", frozenset(("Paris", "2023-05-01")), 1),
        ("on", frozenset(("Levin", "2023-05-01")), 1),
    }


def test_edges_of_an_entity_are_those_that_touch_it(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Paris"]), ("Levin", ["Bob"])]))
    (paris,) = memory.entities("Paris")
    store: Store = memory._core.store

    (edge,) = store.edges(memory.current_namespace, [paris.node])

    assert (edge.target, edge.kind) == (paris.node, "speaks_of")


def test_a_mention_leads_to_the_passage_of_a_long_event_that_names_it() -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember({"id": "long", "content": "so it went on. " * 100 + "Then we met Levin again."})
        (levin,) = memory.entities("Levin")
        store: Store = memory._core.store

        (mention,) = store.mentions_of(memory.current_namespace, [levin.node])
        passage = store.passages(memory.current_namespace, [mention.passage])[mention.passage]

        assert passage.text.endswith("we met Levin again.")
        assert store.mentions_in(memory.current_namespace, [mention.passage]) == [mention]


def test_another_namespace_has_another_graph(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Paris"])]))
    other = memory.namespace("other")
    other.remember({"content": "we saw Rome", "name": "Bob"})
    nodes = [entity.node for entity in memory.entities()]
    store: Store = memory._core.store

    assert [entity.name for entity in other.entities()] == ["Bob", "Rome"]
    assert store.mentions_of(("other",), nodes) == []
    assert store.edges(("other",), nodes) == []


def test_forgetting_everything_empties_the_graph(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Paris"]), ("Levin", ["Bob"])]))
    memory.entities()

    memory.forget(everything=True)

    assert graph(memory) == (set(), set(), set())


def test_what_another_process_has_derived_meanwhile_is_not_counted_twice(store_of_all: Memory) -> None:
    memory = view(store_of_all, told([("Kitty", ["Paris"])]))
    before = graph(memory)
    store: Store = memory._core.store

    done = store.advance(memory.current_namespace, [], [], since=Progress(0, 0, 1), until=Progress(1, 1, 1))

    assert not done
    assert graph(memory) == before
