"""The vector index answers as the table would, whatever happened to it."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.embed.hashing import HashEmbedder
from agentmem.faults import handled

faiss_index = import_module("agentmem.stores.faiss_index")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 6)),
        st.tuples(st.just("forget"), st.integers(0, 40)),
        st.tuples(st.just("search"), st.integers(0, 40)),
    ),
    max_size=12,
)


def nearest(memory: Memory, text: str, k: int) -> list[tuple[str, float]]:
    store = memory._core.store
    vector = HashEmbedder(32).embed([text], "query")[0]
    hits = store.nearest(memory.current_namespace, vector, k)
    passages = store.passages(memory.current_namespace, [hit.passage for hit in hits])
    return [(passages[hit.passage].owner_id, hit.score) for hit in hits]


def by_hand(memory: Memory, text: str) -> dict[str, float]:
    """Cosine with every event, from the words alone."""
    embedder = HashEmbedder(32)
    query = embedder.embed([text])[0]
    return {
        event.id: float(query @ embedder.embed([f"user (Monday 8 May 2023): {event.content}"])[0])
        for event in memory.events()
    }


@given(steps=steps)
def test_the_index_equals_brute_force_after_any_adds_and_removals(steps: list[tuple[str, int]]) -> None:
    words = ["cat", "dog", "bird", "fish", "tree", "house", "river", "stone"]
    with Memory("sqlite://", embedder="hash-32") as memory:
        count = 0
        for step, number in steps:
            if step == "add":
                memory.remember(
                    [
                        {
                            "id": str(count + n),
                            "content": f"{words[(count + n) % 8]} {count + n}",
                            "at": "2023-05-08",
                        }
                        for n in range(number)
                    ]
                )
                count += number
            elif step == "forget":
                memory.forget(ids=[str(number)])
            else:
                nearest(memory, words[number % 8], 3)

        found = nearest(memory, "cat and river", 100)
        expected = by_hand(memory, "cat and river")

    assert {id_ for id_, _ in found} == set(expected)
    assert [score for _, score in found] == pytest.approx(sorted(expected.values(), reverse=True), abs=1e-5)
    assert dict(found) == pytest.approx(expected, abs=1e-5)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """An index is approximate from 300 vectors on, and kept on disk from 100."""
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", 300)
    monkeypatch.setattr(faiss_index, "PERSIST_FROM", 100)


def fill(memory: Memory, count: int, start: int = 0) -> None:
    memory.remember(
        [
            {"id": str(n), "content": f"thing {n} of kind {n % 7}", "at": "2023-05-08"}
            for n in range(start, start + count)
        ]
    )


def index_file(database: Path) -> Path:
    (found,) = database.with_name(database.name + ".index").glob("*.faiss")
    return found


@pytest.mark.usefixtures("small_limits")
def test_an_index_is_read_from_disk_when_opened_again(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
        expected = nearest(memory, "thing 42", 5)
    read: list[int] = []
    after = faiss_index.vectors.after
    monkeypatch.setattr(
        faiss_index.vectors,
        "after",
        lambda *given: read.extend(len(batch.keys) for batch in after(*given)) or after(*given),
    )

    with Memory(database, embedder="hash-32") as memory:
        found = nearest(memory, "thing 42", 5)

    assert found == expected
    assert sum(read) == 0


@pytest.mark.usefixtures("small_limits")
def test_an_index_on_disk_takes_in_what_was_added_since(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
    kept = index_file(database).read_bytes()
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 60, start=150)
    index_file(database).write_bytes(kept)

    with Memory(database, embedder="hash-32") as memory:
        found = nearest(memory, "thing 200 of kind 4", 1)

    assert found[0][0] == "200"


@pytest.mark.usefixtures("small_limits")
def test_a_stale_index_on_disk_does_not_bring_back_what_was_forgotten(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
    kept = index_file(database).read_bytes()
    with Memory(database, embedder="hash-32") as memory:
        memory.forget(ids=["42"])
    database.with_name(database.name + ".index").joinpath("1-1.faiss").write_bytes(kept)

    with Memory(database, embedder="hash-32") as memory:
        found = nearest(memory, "thing 42 of kind 0", 150)

    assert len(found) == 149
    assert "42" not in dict(found)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-100], id="cut short"),
        pytest.param(lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:], id="one bit flipped"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: b"not an index\n" + data, id="not an index"),
        pytest.param(lambda data: data.split(b"\n")[0] + b"\n[]\n", id="no header"),
        pytest.param(lambda data: data[:17] + b"{}\n", id="empty header"),
    ],
)
def test_a_damaged_index_is_rebuilt_from_the_database(
    database: Path, damage: Callable[[bytes], bytes]
) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
        expected = nearest(memory, "thing 42", 5)
    index_file(database).write_bytes(damage(index_file(database).read_bytes()))

    with Memory(database, embedder="hash-32") as memory:
        assert nearest(memory, "thing 42", 5) == expected


@pytest.mark.usefixtures("small_limits")
def test_another_databases_index_is_not_believed(tmp_path: Path) -> None:
    with Memory(tmp_path / "a.db", embedder="hash-32") as memory:
        fill(memory, 150)
    with Memory(tmp_path / "b.db", embedder="hash-32") as memory:
        fill(memory, 150, start=1000)
        expected = nearest(memory, "thing 1042", 5)
    index_file(tmp_path / "b.db").write_bytes(index_file(tmp_path / "a.db").read_bytes())

    with Memory(tmp_path / "b.db", embedder="hash-32") as memory:
        assert nearest(memory, "thing 1042", 5) == expected


@pytest.mark.usefixtures("small_limits")
def test_a_database_put_back_from_a_copy_does_not_trust_the_newer_index(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 120)
    copy = database.read_bytes()
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 100, start=120)
    database.write_bytes(copy)

    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 50, start=500)
        found = nearest(memory, "thing 501 of kind 4", 1)

    assert found[0][0] == "501"


@pytest.mark.usefixtures("small_limits")
def test_a_large_namespace_finds_nearly_all_of_the_true_neighbours(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 1000)
        found = {id_ for id_, _ in nearest(memory, "thing 500 of kind 3", 10)}
        scores = by_hand(memory, "thing 500 of kind 3")

    tenth = sorted(scores.values(), reverse=True)[9]
    assert sum(scores[id_] >= tenth - 1e-3 for id_ in found) >= 8


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the samples that were read to train an index on."""
    sizes: list[int] = []
    sample = faiss_index.vectors.sample
    monkeypatch.setattr(
        faiss_index.vectors, "sample", lambda *given: sizes.append(given[-1]) or sample(*given)
    )
    return sizes


@pytest.mark.usefixtures("small_limits")
def test_a_large_namespace_takes_in_one_more_without_being_trained_again(
    database: Path, trained: list[int]
) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 400)
        nearest(memory, "thing 42", 1)
        first = len(trained)
        fill(memory, 1, start=400)

        found = nearest(memory, "thing 400 of kind 1", 1)

    assert found[0][0] == "400"
    assert (first, len(trained)) == (1, 1)


@pytest.mark.usefixtures("small_limits")
def test_a_large_index_is_not_trained_again_when_it_is_opened(database: Path, trained: list[int]) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 400)
        nearest(memory, "thing 42", 1)
    trained.clear()

    with Memory(database, embedder="hash-32") as memory:
        nearest(memory, "thing 42", 1)

    assert trained == []


@pytest.mark.usefixtures("small_limits")
def test_a_large_namespace_drops_what_is_forgotten(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 400)
        nearest(memory, "thing 42 of kind 0", 400)
        other = Memory(database, embedder="hash-32")
        other.forget(ids=["42"])
        other.close()

        found = dict(nearest(memory, "thing 42 of kind 0", 400))

    assert "42" not in found


def test_what_another_instance_forgot_is_not_found(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory, Memory(database, embedder="hash-32") as other:
        fill(memory, 20)
        nearest(memory, "thing 7", 5)

        other.forget(ids=["7"])

        assert "7" not in dict(nearest(memory, "thing 7", 20))


def test_what_another_instance_stored_is_found(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory, Memory(database, embedder="hash-32") as other:
        fill(memory, 20)
        nearest(memory, "thing 7", 5)

        fill(other, 1, start=500)

        assert nearest(memory, "thing 500 of kind 3", 1)[0][0] == "500"


def test_what_another_process_forgot_is_not_recalled(database: Path, run_python: Callable[..., str]) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 20)
        memory.recall("thing 7")

        run_python(
            "import sys; from agentmem import Memory\n"
            "with Memory(sys.argv[1], embedder='hash-32') as memory: memory.forget(ids=['7'])",
            database,
        )

        assert "7" not in memory.recall("thing 7").source_ids


def test_vectors_of_one_namespace_are_not_another_ones_neighbours(memory: Memory) -> None:
    memory.namespace("bob").remember("the very same words")
    memory.remember({"id": "mine", "content": "unrelated"})

    hits = memory._core.store.nearest(
        memory.current_namespace, HashEmbedder().embed(["the very same words"])[0].astype(np.float32), 10
    )

    assert len(hits) == 1


@pytest.mark.usefixtures("small_limits")
def test_the_old_embedders_index_goes_with_its_vectors(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
    old = index_file(database)

    with Memory(database) as memory:
        memory.reindex(embedder="hash-64")

        assert not old.exists()
        memory.recall("thing 42")

    assert index_file(database) != old


@pytest.mark.usefixtures("small_limits")
def test_an_index_written_while_another_instance_forgets_is_not_kept(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory, Memory(database, embedder="hash-32") as other:
        fill(memory, 150)

        def forget(step: str) -> None:
            if step == "index.part_written" and other.get("7"):
                other.forget(ids=["7"])

        with handled(forget):
            memory.recall("thing 42")

        assert list(database.with_name(database.name + ".index").iterdir()) == []


@pytest.mark.usefixtures("small_limits")
def test_a_half_written_index_goes_with_what_is_forgotten(database: Path) -> None:
    with Memory(database, embedder="hash-32") as memory:
        fill(memory, 150)
        memory.recall("thing 42")
        half = index_file(database).with_name("1-1.faiss.123-456.part")
        half.write_bytes(b"vectors of a process that was killed")

        memory.forget(ids=["7"])

        assert not half.exists()
