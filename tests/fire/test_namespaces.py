"""Whatever is done to one namespace, by whatever road, another one neither sees nor feels it.

A plain dictionary is the model: the store must hold what it holds, for namespaces whose names look alike.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from agentmem import Memory
from agentmem.errors import DuplicateIdError, InvalidInputError, RecordNotFoundError
from agentmem.types import Namespace

# alike by joining, by LIKE, by prefix, by case, by normalisation, by quoting
ALIKE: list[Namespace] = [
    ("foo",),
    ("foobar",),
    ("foo", "bar"),
    ("foo.bar",),
    ("a", "b"),
    ("a.b",),
    ("a", "b", "c"),
    ("a%",),
    ("a_b",),
    ("A", "B"),
    ('["a","b"]',),
    ('a","b',),
    ("a\\",),
    ("café",),
    ("cafe\u0301",),
    ("ann@example.org",),
    ("ann@example.org.uk",),
    (" a", "b"),
    ("0",),
    ("00",),
    ("\u202ea",),
    ("𝒜",),
]
WORDS = ["cat", "dog", "100%", "a_b", "naïve", "猫が好き", "O'Hara", '"quoted"', "a.b@c.org"]
SESSIONS = ["s1", "s%", "s_", "s.1", "s", "S1", "sé", "se\u0301", "'; DROP TABLE events; --"]
namespaces = st.sampled_from(ALIKE)
sessions = st.sampled_from(SESSIONS)
words = st.sampled_from(WORDS)
Held = dict[str, tuple[str, str, int]]


def speaker(space: Namespace) -> str:
    """Who speaks in a namespace, and nowhere else."""
    return f"Tenant{ALIKE.index(space)}"


class TwoTenants(RuleBasedStateMachine):
    """Stores, forgets, exports and reads in several namespaces of one store beside plain dictionaries."""

    ids = Bundle("ids")

    def __init__(self, url: str = "sqlite://") -> None:
        super().__init__()
        self.url = url

    @initialize()
    def open(self) -> None:
        self.memory = Memory(self.url, embedder="hash-16")
        for space in self.memory.namespaces():
            self.memory.namespace(*space).forget(everything=True)
        self.model: dict[Namespace, Held] = {}
        self.notes: dict[Namespace, dict[str, set[str]]] = {}
        self.count = 0

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.close()

    @rule(target=ids, space=namespaces, session=sessions, said=st.lists(words, min_size=1, max_size=3))
    def remember(self, space: Namespace, session: str, said: list[str]) -> Any:
        held = self.model.setdefault(space, {})
        fresh = {}
        for word in said:
            # the same ids in every namespace
            id_ = (
                f"e{len(held) + len(fresh)}-{self.count}" if self.count % 3 else f"e{len(held) + len(fresh)}"
            )
            if id_ not in held and id_ not in self.notes.get(space, {}):
                fresh[id_] = (session, f"{word} {id_} in {ALIKE.index(space)}", self.count)
        self.memory.namespace(*space).remember(
            [
                {"id": i, "session": s, "content": c, "at": t, "name": speaker(space)}
                for i, (s, c, t) in fresh.items()
            ]
        )
        held.update(fresh)
        self.count += 1
        return multiple(*fresh)

    @rule(space=namespaces, source=ids, text=words)
    def note(self, space: Namespace, source: str, text: str) -> None:
        id_ = f"n{self.count}"
        self.count += 1
        view = self.memory.namespace(*space)
        if source in self.model.get(space, {}):
            view.note(f"{text} noted", id=id_, sources=[source])
            self.notes.setdefault(space, {})[id_] = {source}
        else:
            with pytest.raises(InvalidInputError):
                view.note(f"{text} noted", id=id_, sources=[source])

    @rule(
        space=namespaces,
        id_=ids,
        session=sessions,
        before=st.integers(0, 30),
        about=words,
        which=st.integers(1, 15),
    )
    def forget(self, space: Namespace, id_: str, session: str, before: int, about: str, which: int) -> None:
        chosen: dict[str, Any] = {"ids": [id_], "session": session, "before": before, "about": about}
        chosen = {name: value for place, (name, value) in enumerate(chosen.items()) if which >> place & 1}
        view = self.memory.namespace(*space)

        told, done = view.forget(**chosen, dry_run=True), view.forget(**chosen)

        held, notes = self.model.get(space, {}), self.notes.get(space, {})
        gone = {
            i
            for i, (where, content, at) in held.items()
            if ("ids" not in chosen or i == id_)
            and ("session" not in chosen or where == session)
            and ("before" not in chosen or at < before)
            and ("about" not in chosen or content.startswith(f"{about} "))
        }
        assert (told.event_ids, told.memory_ids) == (done.event_ids, done.memory_ids)
        assert set(done.event_ids) == gone
        # a note that is about it, or rests on nothing else
        assert {n for n, sources in notes.items() if sources and sources <= gone} <= set(done.memory_ids)
        self.model[space] = {i: kept for i, kept in held.items() if i not in gone}
        self.notes[space] = {n: s - gone for n, s in notes.items() if n not in done.memory_ids}

    @rule(space=namespaces)
    def forget_everything(self, space: Namespace) -> None:
        done = self.memory.namespace(*space).forget(everything=True)

        assert set(done.event_ids) == set(self.model.pop(space, {}))
        assert set(done.memory_ids) == set(self.notes.pop(space, {}))

    @rule(space=namespaces, other=namespaces, id_=ids)
    def reach_across(self, space: Namespace, other: Namespace, id_: str) -> None:
        view, mine = self.memory.namespace(*space), self.model.get(space, {})

        if id_ in mine:
            assert view.get(id_).content == mine[id_][1]  # type: ignore[union-attr]
        else:
            with pytest.raises(RecordNotFoundError):
                view.get(id_)
        theirs = [content for _, content, _ in self.model.get(other, {}).values()]
        found = view.recall(theirs[0] if theirs else "cat", budget_tokens=4000)
        assert set(found.source_ids) <= set(mine)
        said = {content for _, content, _ in mine.values()}
        assert {item.text for item in found.items if item.kind == "event"} <= said

    @rule(space=namespaces, after=st.integers(-1, 40), session=sessions)
    def page(self, space: Namespace, after: int, session: str) -> None:
        view, mine = self.memory.namespace(*space), self.model.get(space, {})

        assert {event.id for event in view.events(after_seq=after)} <= set(mine)
        assert {event.id for event in view.events(session=session)} == {
            i for i, (where, _, _) in mine.items() if where == session
        }

    @rule(space=namespaces)
    def look_at_what_is_derived(self, space: Namespace) -> None:
        view, mine = self.memory.namespace(*space), self.model.get(space, {})

        tenants = {entity.name for entity in view.entities() if entity.name.startswith("Tenant")}
        assert tenants == ({speaker(space)} if mine else set())
        assert {id_ for episode in view.episodes() for id_ in episode.event_ids} <= set(mine)

    @rule(space=namespaces, other=namespaces, id_=ids)
    def read_a_history(self, space: Namespace, other: Namespace, id_: str) -> None:
        if id_ in self.model.get(space, {}):
            entries = self.memory.namespace(*space).history(id_)
            assert self.model[space][id_][0] in {entry.detail.get("session") for entry in entries}

    @rule(space=namespaces)
    def export(self, space: Namespace) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.memory.namespace(*space).export(Path(folder, "a.zip"))
            with Memory.restore(Path(folder, "a.zip"), "sqlite://", embedder="hash-16") as copy:
                exported = set(copy.namespaces())

        assert all(name[: len(space)] == space for name in exported)

    @rule(prefix=namespaces)
    def list_below(self, prefix: Namespace) -> None:
        listed = self.memory.namespaces(*prefix)

        assert all(name[: len(prefix)] == prefix for name in listed)
        assert {n for n, held in self.model.items() if held and n[: len(prefix)] == prefix} <= set(listed)

    @rule(space=namespaces, id_=ids)
    def take_an_id_again(self, space: Namespace, id_: str) -> None:
        if id_ in self.model.get(space, {}):
            with pytest.raises(DuplicateIdError):
                self.memory.namespace(*space).remember({"id": id_, "content": "something else"})

    @invariant()
    def every_namespace_holds_what_the_model_holds(self) -> None:
        for space, held in getattr(self, "model", {}).items():
            view = self.memory.namespace(*space)
            assert {e.id: (e.session, e.content) for e in view.events()} == {
                i: (session, content) for i, (session, content, _) in held.items()
            }
            assert {note.id for note in view.notes()} == set(self.notes.get(space, {}))
            assert view.stats().events == len(held)

    @invariant()
    def nothing_derived_is_wrong(self) -> None:
        if hasattr(self, "memory"):
            assert self.memory.check(deep=True) == []


TestTwoTenants = TwoTenants.TestCase
TestTwoTenants.settings = settings(max_examples=8, stateful_step_count=20, deadline=None, derandomize=True)


def test_two_tenants_of_a_postgresql(postgres_url: str) -> None:
    run_state_machine_as_test(
        lambda: TwoTenants(postgres_url), settings=settings(max_examples=2, stateful_step_count=12)
    )


def test_names_that_look_alike_are_different_names(memory_of_its_own: Memory) -> None:
    """Composed and decomposed letters are told apart, too: a name is its code points."""
    memory = memory_of_its_own
    for space in ALIKE:
        memory.namespace(*space).remember({"id": "e1", "content": f"I am {space}"})

    assert set(memory.namespaces()) == set(ALIKE)
    assert len({memory.namespace(*space).events()[0].content for space in ALIKE}) == len(ALIKE)


def test_an_event_of_another_namespace_is_not_a_neighbour(memory: Memory) -> None:
    """Turns lie side by side by their place in a namespace, and places are the same in every one."""
    memory.namespace("foobar").remember([{"id": f"x{n}", "content": f"foreign {n}"} for n in range(5)])
    memory.namespace("foo").remember([{"id": f"e{n}", "content": f"mine {n}"} for n in range(5)])

    found = memory.namespace("foo").recall("mine 2", budget_tokens=4000)

    assert "foreign" not in found.text
    assert set(found.source_ids) <= {"e0", "e1", "e2", "e3", "e4"}


def test_a_vector_kept_in_the_cache_opens_no_road_to_another_namespace(memory: Memory) -> None:
    memory.namespace("foo").remember({"id": "e1", "content": "the same words"})
    memory.namespace("foo").recall("the same words")

    assert memory.namespace("foobar").recall("the same words").items == ()
    memory.namespace("foobar").remember({"id": "x1", "content": "the same words"})
    assert {item.id for item in memory.namespace("foobar").recall("the same words").items} == {"x1"}
