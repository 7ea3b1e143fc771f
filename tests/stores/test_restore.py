"""A memory moves between stores with everything it knows, and answers there as it did."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from postgres_server import NewDatabase, Server, name_of
from sqlalchemy import select, update

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.contracts import TextKind
from agentmem.embed.hashing import HashEmbedder
from agentmem.embed.late import Embedded
from agentmem.errors import ArchiveError, StoreError
from agentmem.faults import handled
from agentmem.items import GetItem, IndexedText, PutItem, SearchItems

items_of = import_module("agentmem.stores.items").items_of
schema = import_module("agentmem.stores.schema")
precision = import_module("agentmem.stores.precision")
V = schema.vectors.c
AT = datetime(2023, 5, 8, 12, tzinfo=UTC)
ME = ("default",)
NAMES = ("Alice", "Bob", "Dr. Weiss", "Mira")
TOPICS = (
    "I adopted a grey cat called Miso",
    "the piano teacher moved to Lisbon",
    "we hiked up the volcano before sunrise",
    "my sister starts her residency in July",
    "the bakery on Elm Street burned down",
    "I am allergic to walnuts, not to almonds",
    "our flight to Oslo was cancelled twice",
)
QUESTIONS = (
    "Who adopted a cat?",
    "Where did the piano teacher move?",
    "walnuts",
    "What happened on Elm Street in May?",
    "Oslo flight",
    "What does Mira's sister do?",
    "volcano at sunrise with Bob",
)
KEYS = {"k": np.arange(6, dtype=np.float32).reshape(2, 3)}
KIND = {"fingerprint": "model-a", "layout": "pages-1"}
Place = Callable[[pytest.FixtureRequest, str], str]


def sqlite(request: pytest.FixtureRequest, name: str) -> str:
    return f"sqlite:///{request.getfixturevalue('tmp_path')}/{name}.db"


def postgresql(request: pytest.FixtureRequest, name: str) -> str:
    return str(request.getfixturevalue("new_database")())


def plain_postgresql(request: pytest.FixtureRequest, name: str) -> str:
    return str(request.getfixturevalue("new_database")(empty=True, pgvector="off"))


MOVES: list[tuple[Place, Place]] = [
    (sqlite, sqlite),
    (sqlite, postgresql),
    (sqlite, plain_postgresql),
    (postgresql, sqlite),
    (plain_postgresql, postgresql),
]


@pytest.fixture(params=MOVES, ids=lambda move: f"{move[0].__name__}-{move[1].__name__}")
def move(request: pytest.FixtureRequest) -> tuple[str, str]:
    old, new = request.param
    return old(request, "old"), new(request, "new")


def live(memory: Memory) -> None:
    """A few sessions, one long message, notes that rest on them, and something forgotten in the middle."""
    memory.remember(
        [
            {
                "id": f"e{number}",
                "content": f"{TOPICS[number % 7]}, for the {number // 7 + 1}. time.",
                "name": NAMES[number % 4],
                "session": f"s{number // 12}",
                "at": AT + timedelta(minutes=number, days=number // 12),
            }
            for number in range(60)
        ]
    )
    memory.note("Miso is a cat", id="n1", sources=["e0", "e7"])
    memory.remember({"id": "long", "content": "The volcano was loud. " * 200, "session": "s5"})
    memory.note("Bob lives in Porto", id="n2", subject="Bob", predicate="lives in", valid_from=AT)
    memory.note("Bob lives in Faro", id="n3", subject="Bob", predicate="lives in", valid_from=AT)
    memory.forget(ids=["e20", "e21", "e59"])


def answers(memory: Memory) -> list[Any]:
    """What is recalled; a database may add up the last digit of a score in another order."""
    return [
        (found.text, [(item.id, item.tier, pytest.approx(item.score, rel=1e-5)) for item in found.items])
        for found in (memory.recall(question, k=10) for question in QUESTIONS)
    ]


def everything(memory: Memory) -> list[Any]:
    events = memory.events()
    return [
        events,
        memory.notes(),
        memory.episodes(),
        memory.entities(),
        [memory.history(id_) for id_ in ("e1", "e20", "n1", "n2")],
        memory.stats().vectors,
    ]


def test_a_memory_that_moved_recalls_the_same(move: tuple[str, str], tmp_path: Path) -> None:
    with Memory(move[0], embedder="hash-64", clock=ManualClock(AT + timedelta(days=30))) as memory:
        live(memory)
        memory.export(tmp_path / "out.zip")
        told = answers(memory)
        held = everything(memory)

    moved = Memory.restore(tmp_path / "out.zip", move[1], clock=ManualClock(AT + timedelta(days=30)))

    with moved:
        assert answers(moved) == told
        assert everything(moved) == held
        assert moved.check(deep=True) == []


def test_it_goes_on_as_it_would_have(move: tuple[str, str], tmp_path: Path) -> None:
    """What comes after the move is cut into the same episodes, at the same positions."""
    more = [{"id": f"m{number}", "content": TOPICS[number % 7], "session": "s9"} for number in range(40)]
    with Memory(move[0], embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.export(tmp_path / "out.zip")
        memory.remember(more)
        memory.rebuild()
        expected = everything(memory)

    with Memory.restore(tmp_path / "out.zip", move[1], clock=ManualClock(AT)) as moved:
        moved.remember(more)
        moved.rebuild()

        assert everything(moved) == expected


def test_episodes_keep_their_lives_and_the_words_of_a_model(tmp_path: Path) -> None:
    with Memory(tmp_path / "old.db", embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.rebuild()
        episode = memory.episodes()[0]
        with memory.core.store.database.write() as connection:  # type: ignore[attr-defined]
            connection.execute(
                update(schema.episodes)
                .where(schema.episodes.c.id == episode.id)
                .values(title="Cats and pianos", refined_by="a model", recalls=3, stability_days=4.5)
            )
        memory.export(tmp_path / "out.zip")

    with Memory.restore(tmp_path / "out.zip", tmp_path / "new.db") as moved:
        found = moved.episodes()[0]

    assert (found.id, found.title, found.refined_by) == (episode.id, "Cats and pianos", "a model")
    assert (found.recalls, found.stability_days) == (3, 4.5)


def test_what_recalls_made_of_events_moves_along(move: tuple[str, str], tmp_path: Path) -> None:
    with Memory(move[0], embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.core.store.recalled(ME, {f"e{number}": [AT + timedelta(days=2)] for number in range(9)})
        memory.export(tmp_path / "out.zip")
        expected = strengths(memory)

    with Memory.restore(tmp_path / "out.zip", move[1]) as moved:
        assert strengths(moved) == expected
        assert [id_ for id_, *_ in expected] == [f"e{number}" for number in range(9)]


def strengths(memory: Memory) -> list[tuple[str, float, int, int]]:
    made, events = schema.recalls.c, schema.events.c
    columns = (events.id, made.stability_days, made.recalls, made.last_recalled_at)
    with memory.core.store.database.read() as connection:  # type: ignore[attr-defined]
        joined = select(*columns).join(schema.events, events.pk == made.event_pk).order_by(events.seq)
        return [tuple(row) for row in connection.execute(joined)]


def test_vectors_in_few_bits_stay_as_they_are(move: tuple[str, str], tmp_path: Path) -> None:
    with Memory(move[0], embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        lower(memory)
        memory.export(tmp_path / "out.zip")
        expected = stored_vectors(memory)

    with Memory.restore(tmp_path / "out.zip", move[1]) as moved:
        assert stored_vectors(moved) == expected
        assert {name for name, _ in expected} == {"float32", "int8", "int4", "binary"}


def lower(memory: Memory) -> None:
    """Store the vectors in all precisions by turns."""
    with memory.core.store.database.write() as connection:  # type: ignore[attr-defined]
        codec = precision.Codec(64, 0)
        rows = connection.execute(select(V.pk, V.data).order_by(V.pk)).all()
        for place, row in enumerate(rows):
            name = precision.PRECISIONS[(place + 1) % 4]
            data = codec.encode(np.frombuffer(row.data, dtype=np.float32).reshape(1, -1), name).tobytes()
            connection.execute(update(schema.vectors).where(V.pk == row.pk).values(precision=name, data=data))


def stored_vectors(memory: Memory) -> list[tuple[str, bytes]]:
    with memory.core.store.database.read() as connection:  # type: ignore[attr-defined]
        rows = connection.execute(select(V.precision, V.data).order_by(V.passage_pk)).all()
    return [(row.precision, bytes(row.data)) for row in rows]


class Piecewise(HashEmbedder):
    """Gives a piece for each word, and none for a text that shouts."""

    def embed_pieces(self, texts: Sequence[str], kind: TextKind = "document") -> Embedded:
        rows = [self.embed([] if text.isupper() else text.split()) for text in texts]
        return Embedded(self.embed(texts, kind), [found.reshape(-1, self.dims) for found in rows])


def test_word_pieces_move_along(move: tuple[str, str], tmp_path: Path) -> None:
    with Memory(move[0], embedder=Piecewise(16), clock=ManualClock(AT)) as memory:
        live(memory)
        memory.remember({"id": "loud", "content": "HELLO"})
        memory.export(tmp_path / "out.zip")
        told, expected = answers(memory), stored_pieces(memory)

    moved = Memory.restore(tmp_path / "out.zip", move[1], embedder=Piecewise(16), clock=ManualClock(AT))

    with moved:
        assert stored_pieces(moved) == expected
        assert answers(moved) == told
        assert len(expected) == moved.stats().passages


def stored_pieces(memory: Memory) -> list[bytes]:
    held = schema.pieces.c
    with memory.core.store.database.read() as connection:  # type: ignore[attr-defined]
        found = connection.execute(select(held.data).order_by(held.passage_pk)).scalars()
        return [bytes(data) for data in found]


def test_items_move_with_their_times_and_what_they_are_found_by(
    move: tuple[str, str], tmp_path: Path
) -> None:
    cat = IndexedText(("cat",), np.array([1, 0], dtype=np.float32))
    dog = IndexedText(("dog",), np.array([0, 1], dtype=np.float32))
    with Memory(move[0], embedder="hash-64") as memory:
        items = items_of(memory.core.store)
        items.bind(2, "toy")
        items.run([PutItem(("u", "1"), "a", json.dumps({"pet": "cat"}), (cat,))], AT)
        items.run([PutItem(("u", "2"), "b", json.dumps({"pet": "dog"}), (dog,), ttl_s=3e9)], AT)
        items.run([PutItem(("u", "2"), "gone", json.dumps({"pet": "fish"}), ttl_s=1.0)], AT)
        report = memory.export(tmp_path / "out.zip", everything=True)

    with Memory.restore(tmp_path / "out.zip", move[1]) as moved:
        items = items_of(moved.core.store)
        near = SearchItems(("u",), vector=np.array([0, 1], dtype=np.float32), limit=1)
        asked = [GetItem(("u", "1"), "a"), near, SearchItems(("u",), terms=("cat",), limit=1)]
        one, by_vector, by_word = items.run(asked, AT + timedelta(days=1))

    assert (one.value, one.created_at) == ({"pet": "cat"}, AT)
    assert [item.key for item in by_vector] == ["b"]
    assert [item.key for item in by_word] == ["a"]
    assert report.items == 2


def test_items_of_another_index_are_refused(tmp_path: Path) -> None:
    vector = IndexedText(("cat",), np.array([1, 0], dtype=np.float32))
    with Memory(tmp_path / "old.db", embedder="hash-64") as memory:
        items_of(memory.core.store).bind(2, "toy")
        items_of(memory.core.store).run([PutItem(("u",), "a", "{}", (vector,))], AT)
        memory.export(tmp_path / "out.zip", everything=True)

    with Memory(tmp_path / "new.db", embedder="hash-64") as other:
        items_of(other.core.store).bind(3, "another")
        with pytest.raises(ArchiveError, match="indexed by toy with 2 dims"):
            other.import_(tmp_path / "out.zip")


def test_an_export_of_a_namespace_holds_the_items_below_it_only(tmp_path: Path) -> None:
    with Memory(tmp_path / "old.db", namespace=("u",), embedder="hash-64") as memory:
        items = items_of(memory.core.store)
        items.run([PutItem(("u", "1"), "a", "{}"), PutItem(("ux",), "b", '{"not": "mine"}')], AT)

        report = memory.export(tmp_path / "out.zip")

    assert report.items == 1
    with zipfile.ZipFile(tmp_path / "out.zip") as file:
        assert b"not" not in file.read("records.jsonl")


def test_latents_move_along(move: tuple[str, str], tmp_path: Path) -> None:
    with Memory(move[0], embedder="hash-64") as memory:
        memory.remember({"id": "e1", "content": "the cat"})
        memory.latents(str(tmp_path / "old")).put(ME, "ep1", KEYS, **KIND, sources=["e1"])
        memory.latents().put(ME, "ep2", KEYS, **KIND)
        assert memory.export(tmp_path / "out.zip").latents == 2

    with Memory.restore(tmp_path / "out.zip", move[1], latents=str(tmp_path / "new")) as moved:
        found = moved.latents().get(ME, "ep1", fingerprint="model-a")
        moved.forget(ids=["e1"])
        left = moved.latents().find(ME)

    assert found.tensors["k"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert [ref.owner_id for ref in left] == ["ep2"]


def test_a_damaged_latent_stays_behind_and_is_told_of(tmp_path: Path) -> None:
    with Memory(tmp_path / "old.db", embedder="hash-64") as memory:
        memory.remember({"id": "e1", "content": "the cat"})
        memory.latents().put(ME, "ep1", KEYS, **KIND)
        (path,) = (tmp_path / "old.db.latents").rglob("*.safetensors")
        path.write_bytes(b"torn")

        report = memory.export(tmp_path / "out.zip")

    assert (report.events, report.latents) == (1, 0)
    assert "the latent of 'ep1' is damaged" in report.left_out[0]


def test_latents_with_nowhere_to_go_are_left_out_and_told_of(tmp_path: Path, postgres_url: str) -> None:
    with Memory(tmp_path / "old.db", embedder="hash-64") as memory:
        memory.latents().put(ME, "ep1", KEYS, **KIND)
        memory.export(tmp_path / "out.zip")

    with Memory(postgres_url, embedder="hash-64") as moved:
        report = moved.import_(tmp_path / "out.zip")

    assert report.latents == 0
    assert report.left_out == ("1 latent: say where they go, latents=..., a folder or a URL",)


def test_a_report_says_what_came_and_what_was_here(tmp_path: Path) -> None:
    with Memory(tmp_path / "old.db", embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.rebuild()
        written = memory.export(tmp_path / "out.zip")

    with Memory.restore(tmp_path / "out.zip", tmp_path / "new.db") as moved:
        first, again = moved.restored, moved.import_(tmp_path / "out.zip")

    assert first is not None
    assert (first.events, first.memories, first.known) == (58, 3, 0)
    assert (first.episodes, first.vectors) == (written.episodes, written.vectors)
    assert (again.events, again.memories, again.vectors, again.known) == (0, 0, 0, 61)


def test_progress_ends_with_all_of_it(tmp_path: Path) -> None:
    out: list[tuple[int, int]] = []
    back: list[tuple[int, int]] = []
    with Memory(tmp_path / "old.db", embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        vectors = memory.stats().vectors
        memory.export(tmp_path / "out.zip", progress=lambda done, total: out.append((done, total)))

    def note(done: int, total: int) -> None:
        back.append((done, total))

    Memory.restore(tmp_path / "out.zip", tmp_path / "new.db", progress=note).close()

    assert out[-1] == (61 + vectors, 61 + vectors)
    assert back[-1] == (61, 61)


def test_episodes_of_a_merged_export_take_up_their_lives(tmp_path: Path) -> None:
    with Memory(tmp_path / "old.db", embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.rebuild()
        with memory.core.store.database.write() as connection:  # type: ignore[attr-defined]
            connection.execute(update(schema.episodes).values(recalls=7))
        memory.export(tmp_path / "out.zip")

    with Memory(tmp_path / "new.db", embedder="hash-64") as other:
        other.remember({"id": "mine", "content": "Hello.", "session": "mine"})
        other.import_(tmp_path / "out.zip")
        other.close()
    with Memory(tmp_path / "new.db") as other:
        assert {episode.recalls for episode in other.episodes(session="s0")} == {7}


def stop_at(name: str) -> Callable[[str], None]:
    def handler(point: str) -> None:
        if point == name:
            raise KeyboardInterrupt

    return handler


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    with Memory(tmp_path / "old.db", embedder="hash-64", clock=ManualClock(AT)) as memory:
        live(memory)
        memory.latents().put(ME, "ep1", KEYS, **KIND)
        memory.export(tmp_path / "out.zip")
    return tmp_path / "out.zip"


@pytest.mark.parametrize("name", ["restore.events_taken", "restore.episodes_taken", "restore.taken"])
def test_a_restore_that_fails_leaves_no_database_behind(archive: Path, tmp_path: Path, name: str) -> None:
    with handled(stop_at(name)), pytest.raises(KeyboardInterrupt):
        Memory.restore(archive, tmp_path / "new.db")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("new")] == []


def test_a_restore_that_fails_leaves_no_tables_on_a_server(
    archive: Path, postgres: Server, new_database: NewDatabase, tmp_path: Path
) -> None:
    url = new_database(empty=True)
    latents = tmp_path / "latents"

    with handled(stop_at("restore.taken")), pytest.raises(KeyboardInterrupt):
        Memory.restore(archive, url, latents=str(latents))

    schemas = "SELECT nspname FROM pg_namespace WHERE nspname = 'agentmem'"
    assert postgres.sql(schemas, database=name_of(url)) == []
    assert [path for path in latents.rglob("*") if path.is_file()] == []
    Memory.restore(archive, url).close()


def test_a_restore_that_fails_leaves_what_was_there(archive: Path, tmp_path: Path) -> None:
    with Memory(tmp_path / "new.db", embedder="hash-64") as memory:
        memory.remember({"id": "mine", "content": "Hello."})

    with handled(stop_at("restore.taken")), pytest.raises(KeyboardInterrupt):
        Memory.restore(archive, tmp_path / "new.db")

    with Memory(tmp_path / "new.db") as memory:
        assert [event.id for event in memory.events()] == ["mine"]


def test_a_database_that_another_has_open_is_not_removed(archive: Path, tmp_path: Path) -> None:
    others: list[Memory] = []

    def open_and_stop(point: str) -> None:
        if point == "restore.checked":
            others.append(Memory(tmp_path / "new.db", embedder="hash-64"))
            raise KeyboardInterrupt

    with handled(open_and_stop), pytest.raises(KeyboardInterrupt):
        Memory.restore(archive, tmp_path / "new.db")

    others[0].remember({"id": "kept", "content": "Hello."})
    others[0].close()
    with Memory(tmp_path / "new.db") as memory:
        assert [event.id for event in memory.events()] == ["kept"]


def test_an_export_whose_members_are_not_its_manifests_is_refused(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("extra.txt", "who is this?")

    with pytest.raises(StoreError, match="does not hold what its manifest names"):
        Memory.restore(archive, tmp_path / "new.db")


@given(
    texts=st.lists(st.sampled_from(TOPICS), min_size=1, max_size=12),
    gone=st.sets(st.integers(0, 11), max_size=6),
)
def test_positions_and_neighbours_survive_what_was_forgotten(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], gone: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("move")
    with Memory("sqlite://", embedder="hash-16", clock=ManualClock(AT)) as memory:
        memory.remember([{"id": f"e{place}", "content": text} for place, text in enumerate(texts)])
        memory.forget(ids=[f"e{place}" for place in gone])
        memory.export(folder / "out.zip")

        with Memory.restore(folder / "out.zip", folder / "new.db") as moved:
            assert moved.events() == memory.events()
            next_id = moved.remember("one more").event_ids[0]
            assert moved.get(next_id).seq == memory.get(memory.remember("one more").event_ids[0]).seq  # type: ignore[union-attr]
