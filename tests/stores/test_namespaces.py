"""Nothing crosses a namespace, whatever its name."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.errors import InvalidInputError, NamespaceError, RecordNotFoundError

HARD = [
    "foo",
    "foobar",
    "foo.bar",
    "foo%",
    "foo_",
    "%",
    'a"b',
    "a','b",
    "a]",
    "[",
    "ключ",
    "名前",
    "\n",
    " ",
    "\\",
]
parts = st.one_of(
    st.sampled_from(HARD), st.text(min_size=1, max_size=6).filter(lambda text: "\0" not in text)
).filter(lambda text: not any("\ud800" <= char <= "\udfff" for char in text))
paths = st.lists(parts, min_size=1, max_size=3).map(tuple)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Memory]:
    """A store in which each example has a namespace to begin its names with."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("shared_database"))
    with Memory(url, embedder="hash-16") as opened:
        yield opened


@pytest.fixture
def two(memory_of_its_own: Memory) -> tuple[Memory, Memory]:
    """Alice's and Bob's views of one store, each with one event of the same id."""
    memory = memory_of_its_own
    alice, bob = memory.namespace("org", "alice"), memory.namespace("org", "bob")
    alice.remember({"id": "e1", "content": "Alice keeps a red bicycle."}, session="s1")
    bob.remember({"id": "e1", "content": "Bob keeps a blue bicycle."}, session="s1")
    return alice, bob


@settings(max_examples=15)
@given(names=st.lists(paths, min_size=2, max_size=5, unique=True))
@example(names=[("foo",), ("foobar",), ("foo", "bar"), ("foo.bar",)])
def test_each_namespace_finds_its_own_event_and_no_other(store: Memory, names: list[tuple[str, ...]]) -> None:
    base = uuid4().hex
    for place, name in enumerate(names):
        store.namespace(base, *name).remember({"id": str(place), "content": f"the bicycle number {place}"})

    found = [store.namespace(base, *name).recall("which bicycle number?").source_ids for name in names]

    assert found == [(str(place),) for place in range(len(names))]


@settings(max_examples=15)
@given(names=st.lists(paths, min_size=1, max_size=6, unique=True), prefix=paths)
@example(names=[("foo",), ("foobar",), ("foo", "bar"), ("foo", "bar", "baz")], prefix=("foo",))
def test_a_prefix_lists_what_starts_with_its_parts(
    store: Memory, names: list[tuple[str, ...]], prefix: tuple[str, ...]
) -> None:
    base = uuid4().hex
    for name in names:
        store.namespace(base, *name).remember("hello")

    assert store.namespaces(base, *prefix) == sorted(
        (base, *name) for name in names if name[: len(prefix)] == prefix
    )


def test_a_view_recalls_only_its_own(two: tuple[Memory, Memory]) -> None:
    alice, _ = two

    assert "blue" not in alice.recall("What colour is the bicycle of Bob?").text


def test_an_id_belongs_to_its_namespace(two: tuple[Memory, Memory]) -> None:
    alice, bob = two

    assert alice.get("e1").content == "Alice keeps a red bicycle."
    assert bob.get("e1").content == "Bob keeps a blue bicycle."


def test_what_is_forgotten_in_one_stays_in_the_other(two: tuple[Memory, Memory]) -> None:
    alice, bob = two

    alice.forget(everything=True)

    assert alice.stats().events == 0
    assert bob.recall("bicycle").source_ids == ("e1",)


def test_forgetting_everything_above_leaves_what_is_below(memory: Memory) -> None:
    memory.namespace("org").remember("above")
    memory.namespace("org", "alice").remember("below")

    memory.namespace("org").forget(everything=True)

    assert memory.namespace("org", "alice").stats().events == 1


def test_counts_are_of_one_namespace(two: tuple[Memory, Memory]) -> None:
    alice, _ = two

    stats = alice.stats()

    assert (stats.namespace, stats.events, stats.sessions, stats.passages, stats.vectors) == (
        ("org", "alice"),
        1,
        1,
        1,
        1,
    )


def test_a_note_cannot_rest_on_another_namespaces_event(memory: Memory) -> None:
    memory.namespace("bob").remember({"id": "b1", "content": "mine"})

    with pytest.raises(InvalidInputError, match="unknown: \\['b1'\\]"):
        memory.namespace("alice").note("stolen", sources=["b1"])


def test_history_of_another_namespaces_record_is_not_found(two: tuple[Memory, Memory]) -> None:
    alice, bob = two
    bob.remember({"id": "secret", "content": "hidden"})

    with pytest.raises(RecordNotFoundError):
        alice.history("secret")


def test_an_error_names_no_other_namespaces_words(two: tuple[Memory, Memory]) -> None:
    alice, _ = two

    with pytest.raises(ValueError, match="e1") as caught:
        alice.remember({"id": "e1", "content": "something else"})

    assert "blue" not in str(caught.value)


@pytest.mark.parametrize(
    "namespace",
    [
        "alice",
        b"alice",
        (),
        ("",),
        ("a", 1),
        ("a", None),
        ("a", "b\0"),
        ("\ud800",),
        ("x" * 513,),
        ("x",) * 33,
        5,
        None,
        {"a": "b"},
    ],
    ids=repr,
)
def test_what_is_no_namespace_is_refused(namespace: object) -> None:
    with pytest.raises(NamespaceError):
        Memory("sqlite://", namespace=namespace, embedder="hash")  # type: ignore[arg-type]
