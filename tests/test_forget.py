"""Forgetting removes what was chosen with every trace of it, and nothing else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.errors import InvalidInputError, RecordNotFoundError
from agentmem.faults import handled
from agentmem.terms import _terms_again


@pytest.fixture
def filled(memory_on_each: Memory) -> Memory:
    """Five events in two sessions, with a note on one and a note on two of them, and one on none."""
    memory = memory_on_each
    memory.remember(
        [
            {"id": "a1", "name": "Alice", "content": "I adopted a cat.", "at": "2021-01-01", "session": "s1"},
            {
                "id": "b1",
                "name": "Bob",
                "content": "What is the cat called?",
                "at": "2021-01-02",
                "session": "s1",
            },
            {"id": "a2", "name": "Alice", "content": "Miso!", "at": "2021-01-03", "session": "s1"},
            {
                "id": "b2",
                "name": "Bob",
                "content": "I am planning a trip to Kraków.",
                "at": "2022-01-01",
                "session": "s2",
            },
            {
                "id": "a3",
                "name": "Alice",
                "content": "Take ÉMILE with you.",
                "at": "2022-01-02",
                "session": "s2",
            },
        ]
    )
    memory.note("Alice has a cat", id="n1", sources=["a1"], valid_from="2021-01-01")
    memory.note("The cat is called Miso", id="n2", sources=["a2", "b2"], valid_from="2021-01-03")
    memory.note("Bob is tall", id="n3", valid_from="2022-06-01")
    return memory


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Memory]:
    """A store in which each example has namespaces of its own."""
    url = "sqlite://" if request.param == "sqlite" else str(request.getfixturevalue("shared_database"))
    with Memory(url, embedder="hash-16") as memory:
        yield memory


def left(memory: Memory) -> set[str]:
    return {event.id for event in memory.events()} | {note.id for note in memory.notes()}


ALL = {"a1", "b1", "a2", "b2", "a3", "n1", "n2", "n3"}


@pytest.mark.parametrize(
    ("chosen", "gone"),
    [
        ({"ids": ["a1"]}, "a1 n1"),
        ({"ids": ["a2"]}, "a2"),
        ({"ids": ["a2", "b2"]}, "a2 b2 n2"),
        ({"ids": ["n2"]}, "n2"),
        ({"ids": ["nothing"]}, ""),
        ({"ids": []}, ""),
        ({"session": "s1"}, "a1 b1 a2 n1"),
        ({"session": "s"}, ""),
        ({"session": "%"}, ""),
        ({"before": "2021-01-02"}, "a1 n1"),
        ({"before": datetime(2022, 1, 2, tzinfo=UTC)}, "a1 b1 a2 b2 n1 n2"),
        ({"about": "cat"}, "a1 b1 n1 n2"),
        ({"about": "CAT"}, "a1 b1 n1 n2"),
        ({"about": "alice"}, "a1 a2 a3 n1"),
        ({"about": "émile"}, "a3"),
        ({"about": "E\u0301mile"}, "a3"),
        ({"about": "ann"}, ""),
        ({"about": "%"}, ""),
        ({"about": "_at"}, ""),
        ({"about": "trip  to\nkraków"}, "b2"),
        ({"about": "bob", "session": "s2"}, "b2"),
        ({"ids": ["a1", "b2"], "session": "s2"}, "b2"),
        ({"ids": ["a1", "n3"], "before": "2021-06-01"}, "a1 n1"),
        ({"session": "s1", "before": "2021-01-02", "about": "cat"}, "a1 n1"),
        ({"everything": True}, "a1 b1 a2 b2 a3 n1 n2 n3"),
    ],
    ids=ascii,
)
def test_exactly_what_was_chosen_is_gone(filled: Memory, chosen: dict[str, Any], gone: str) -> None:
    report = filled.forget(**chosen)

    assert {*report.event_ids, *report.memory_ids} == set(gone.split())
    assert left(filled) == ALL - set(gone.split())


@pytest.fixture
def alices(memory_on_each: Memory) -> Memory:
    """A person under her full and her first name."""
    memory_on_each.remember(
        [
            {"id": "a1", "name": "Alice", "content": "I moved to Lisbon."},
            {"id": "b1", "name": "Bob", "content": "Alice Marsh moved to Lisbon."},
            {"id": "b2", "name": "Bob", "content": "What does alice do there?"},
            {"id": "b3", "name": "Bob", "content": "Malice is not a name."},
        ]
    )
    memory_on_each.note("She likes the sea", id="n1", subject="Alice")
    return memory_on_each


@pytest.mark.parametrize("about", ["Alice Marsh", "ALICE"])
def test_a_person_is_forgotten_under_every_name_known_to_be_hers(alices: Memory, about: str) -> None:
    told = alices.forget(about=about, dry_run=True)
    done = alices.forget(about=about)

    assert (set(done.event_ids), done.memory_ids) == ({"a1", "b1", "b2"}, ("n1",))
    assert (told.event_ids, told.memory_ids) == (done.event_ids, done.memory_ids)
    assert left(alices) == {"b3"}
    assert alices.entities("Alice", "Alice Marsh") == []


def test_a_first_name_that_two_people_share_stands_for_neither(alices: Memory) -> None:
    alices.remember({"id": "b4", "name": "Bob", "content": "Alice Byrne stayed in Dublin."})

    assert alices.forget(about="Alice Marsh").event_ids == ("b1",)


@pytest.mark.parametrize("phrase", ["猫", "カフェ", "Ann"])
def test_a_name_is_found_among_words_written_without_spaces(memory: Memory, phrase: str) -> None:
    memory.remember({"id": "e1", "content": "私の黒猫はAnnというカフェにいる"})

    assert memory.forget(about=phrase).event_ids == ("e1",)


def test_a_dry_run_only_tells(filled: Memory) -> None:
    report = filled.forget(session="s1", dry_run=True)

    assert (report.event_ids, report.memory_ids, report.dry_run) == (("a1", "b1", "a2"), ("n1",), True)
    assert left(filled) == ALL


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"everything": True, "session": "s1"},
        {"everything": True, "ids": []},
        {"everything": False},
        {"session": ""},
        {"session": " "},
        {"session": 5},
        {"about": ""},
        {"about": "\n"},
        {"about": 7},
        {"ids": "a1"},
        {"ids": 5},
        {"ids": [5]},
        {"ids": [None]},
        {"before": "whenever"},
        {"before": ""},
    ],
    ids=ascii,
)
def test_a_choice_that_is_not_clear_forgets_nothing(filled: Memory, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        filled.forget(**wrong)

    assert left(filled) == ALL


events = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from(["s1", "s2", "s3"]),
        st.integers(0, 9),
        st.sampled_from(["cat", "dog"]),
    ),
    max_size=12,
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "ids": st.lists(st.integers(0, 14).map(str), max_size=6),
        "session": st.sampled_from(["s1", "s2", "s9"]),
        "before": st.integers(0, 10),
        "about": st.sampled_from(["cat", "bird"]),
    },
).filter(bool)


@given(mine=events, chosen=choices)
def test_a_scoped_forget_never_widens(
    store: Memory, mine: list[tuple[str, str, int, str]], chosen: dict[str, Any]
) -> None:
    name = uuid4().hex
    memory, others = store.namespace(name), [store.namespace(name, "below"), store.namespace(f"{name}x")]
    turns = [
        {"id": str(place), "name": name, "session": session, "at": at, "content": f"the {word} {place}"}
        for place, (name, session, at, word) in enumerate(mine)
    ]
    for view in (memory, *others):
        view.remember(turns)
    expected = {
        str(place)
        for place, (_, session, at, word) in enumerate(mine)
        if ("ids" not in chosen or str(place) in chosen["ids"])
        and ("session" not in chosen or session == chosen["session"])
        and ("before" not in chosen or at < chosen["before"])
        and ("about" not in chosen or word == chosen["about"])
    }

    report = memory.forget(**chosen)

    assert set(report.event_ids) == expected
    assert {event.id for event in memory.events()} == {str(place) for place in range(len(mine))} - expected
    assert [len(other.events()) for other in others] == [len(mine), len(mine)]


def test_what_is_forgotten_is_found_by_no_road(filled: Memory) -> None:
    filled.forget(ids=["a1"])

    found = filled.recall("I adopted a cat", budget_tokens=4000)

    assert "adopted" not in found.text
    assert {"a1", "n1"}.isdisjoint(found.source_ids)
    with pytest.raises(RecordNotFoundError):
        filled.get("a1")


def test_what_rests_on_other_events_too_keeps_them_as_its_sources(filled: Memory) -> None:
    filled.forget(ids=["a2"])

    assert filled.get("n2").source_ids == ("b2",)  # type: ignore[union-attr]


def vector_of(database: Path, event_id: str) -> bytes:
    """The bytes of an event's vector, read from the file by hand."""
    with closing(sqlite3.connect(database)) as connection:
        (data,) = connection.execute(
            "SELECT data FROM vectors JOIN passages ON passages.pk = passage_pk "
            "JOIN events ON events.pk = event_pk WHERE events.id = ?",
            (event_id,),
        ).fetchone()
    return bytes(data)


@pytest.mark.parametrize("everything", [False, True])
def test_no_byte_of_what_is_forgotten_stays_in_the_files(tmp_path: Path, everything: bool) -> None:
    database = tmp_path / "agent.db"
    secret = "xylophonist Zimmermann keeps marzipan"
    with Memory(database, embedder="hash-64") as memory:
        memory.remember([{"content": f"ordinary words {number}"} for number in range(300)])
        memory.remember(
            {
                "id": "secret",
                "name": "Quackenbush",
                "content": secret,
                "at": "2023-05-08",
                "session": "rendezvous",
                "metadata": {"where": "Wolkenkuckucksheim"},
            }
        )
        memory.note("Zimmermann hoards marzipan", sources=["secret"], subject="Zimmermann")
        memory.remember([{"content": f"more ordinary words {number}"} for number in range(300)])
        memory.recall("marzipan")
        vector = vector_of(database, "secret")
        assert vector in b"".join(path.read_bytes() for path in tmp_path.iterdir())

        memory.forget(**({"everything": True} if everything else {"ids": ["secret"]}))  # type: ignore[arg-type]

        held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        traces = [
            b"xylophon",
            b"immermann",
            b"marzipan",
            b"uackenbush",
            b"rendezvous",
            b"Wolkenkuckuck",
            vector,
        ]
        assert [trace for trace in traces if trace.lower() in held.lower()] == []

    held = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert [trace for trace in traces if trace.lower() in held.lower()] == []


def test_no_byte_of_what_was_derived_from_it_stays_in_the_files(tmp_path: Path) -> None:
    """Neither in titles and summaries, a model's among them, nor as names and what they are related to."""
    with Memory(tmp_path / "a.db", embedder="hash-16") as memory:
        memory.remember(
            [
                {"content": "Zimmermann hides marzipan under the bridge.", "at": "2023-05-01T10:00"},
                {"content": "Zimmermann told me of his marzipan.", "at": "2023-05-01T10:01"},
                {"content": "I walked to the lake.", "at": "2023-05-01T10:02"},
                {"content": "A day without words begins a new episode.", "at": "2023-05-03T10:00"},
            ]
        )
        (episode,) = memory.episodes()
        assert "Zimmermann" in episode.title
        refined = replace(episode, title="A quackish hoard", summary="Of marzipan.", refined_by="a model")
        assert memory._core.store.replace_episodes(episode.namespace, [episode], [refined])  # type: ignore[attr-defined]
        assert memory.entities("Zimmermann") != []

        memory.forget(about="Zimmermann")

        assert words_in(tmp_path, b"immermann", b"marzipan", b"quackish") == []
        (left,) = memory.episodes()
        assert (left.title, left.refined_by) == ("I walked to the lake.", None)


def test_no_analysed_text_stays_in_the_process(filled: Memory) -> None:
    filled.recall("What must not stay behind?")
    assert _terms_again.cache_info().currsize > 0

    filled.forget(session="s1")

    assert _terms_again.cache_info().currsize == 0


def test_forgetting_twice_is_no_error(filled: Memory) -> None:
    filled.forget(ids=["a1"])

    report = filled.forget(ids=["a1"])

    assert (report.event_ids, report.memory_ids) == ((), ())


def test_many_ids_are_forgotten_at_once(memory: Memory) -> None:
    memory.remember([{"id": str(number), "content": f"turn {number}"} for number in range(2500)])

    memory.forget(ids=[str(number) for number in range(1, 2500)])

    assert [event.id for event in memory.events()] == ["0"]
    assert memory.stats().passages == 1


def words_in(folder: Path, *words: bytes) -> list[bytes]:
    held = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    return [word for word in words if word in held]


@pytest.mark.parametrize("step", ["forget.committed", "scrub.step_committed", "checkpoint.done"])
def test_a_scrubbing_that_was_interrupted_is_done_by_the_next_close(tmp_path: Path, step: str) -> None:
    def interrupt(name: str) -> None:
        if name == step:
            raise KeyboardInterrupt

    with Memory(tmp_path / "a.db", embedder="hash-16") as memory:
        memory.remember([{"content": f"ordinary words {number}"} for number in range(50)])
        memory.remember({"id": "secret", "content": "marzipan"})
        with handled(interrupt), pytest.raises(KeyboardInterrupt):
            memory.forget(ids=["secret"])
        assert "secret" not in {event.id for event in memory.events()}

    assert words_in(tmp_path, b"marzipan") == []


def test_vacuuming_gives_the_room_back(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db", embedder="hash-64") as memory:
        memory.remember([{"content": f"ordinary words {number} " * 20} for number in range(500)])
        memory.forget(everything=True)
        before = memory.stats().store_bytes

        memory.forget(ids=[], vacuum=True)

        assert memory.stats().store_bytes < before / 2
        assert memory.check(deep=True) == []


@settings(max_examples=15)
@given(mine=events, chosen=choices)
def test_a_dry_run_lists_exactly_what_the_real_run_removes(
    store: Memory, mine: list[tuple[str, str, int, str]], chosen: dict[str, Any]
) -> None:
    memory = store.namespace(uuid4().hex)
    for place, (name, session, at, word) in enumerate(mine):
        message = {"id": str(place), "name": name, "session": session, "at": at, "content": f"the {word}"}
        memory.remember(message)
        memory.note(f"a {word}", id=f"n{place}", sources=[str(place)], valid_from=at)

    told = memory.forget(**chosen, dry_run=True)
    done = memory.forget(**chosen)

    assert (told.event_ids, told.memory_ids) == (done.event_ids, done.memory_ids)
