"""Old memory gets cheaper and stays findable; what is recalled gets finer again."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.clock import ManualClock

faiss_index = import_module("agentmem.stores.faiss_index")


def fill(memory: Memory, count: int) -> None:
    memory.remember(
        [{"id": f"e{n}", "content": f"thing number {n} is painted in colour {n}"} for n in range(count)]
    )


def precisions(memory: Memory) -> dict[str, int]:
    return dict(memory.lifecycle().precisions)


@pytest.mark.parametrize(
    ("after_days", "expected"), [(20, "float32"), (40, "int8"), (80, "int4"), (100, "binary")]
)
def test_vectors_of_what_nobody_recalls_fall_with_the_days(
    memory: Memory, clock: ManualClock, after_days: int, expected: str
) -> None:
    fill(memory, 20)
    clock.advance(timedelta(days=after_days))

    memory.maintain()

    assert precisions(memory) == {expected: 20}


def test_what_is_recalled_stays_fine_while_the_rest_falls(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 20)
    for _ in range(4):
        clock.advance(timedelta(days=25))
        memory.recall("thing number 7", k=1)

    memory.maintain()

    assert precisions(memory) == {"float32": 1, "binary": 19}


def test_a_recall_after_all_makes_the_vector_fine_again(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 20)
    clock.advance(timedelta(days=200))
    memory.maintain()
    memory.recall("thing number 7", k=1)

    report = memory.maintain()

    assert (report.raised, report.lowered) == (1, {})
    assert precisions(memory) == {"float32": 1, "binary": 19}


def test_maintaining_twice_changes_nothing(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 20)
    clock.advance(timedelta(days=80))
    first = memory.maintain()

    second = memory.maintain()

    assert first.lowered == {"int4": 20}
    assert (second.lowered, second.raised, second.bytes_after) == ({}, 0, first.bytes_after)


def keep_latent(memory: Memory, id: str, sources: tuple[str, ...] = ()) -> int:
    """A latent of an event's, or of an owner's with events as its sources; its size in bytes."""
    numbers = {"k": np.arange(64, dtype=np.float32)}
    kept = memory.latents().put(
        memory.current_namespace, id, numbers, fingerprint="a model", layout="kv", sources=sources
    )
    return kept.size_bytes


def latents(memory: Memory) -> list[str]:
    return [ref.owner_id for ref in memory.latents().find(memory.current_namespace)]


@pytest.mark.parametrize(("after_days", "left"), [(80, ["e1"]), (100, [])])
def test_latents_of_what_nobody_recalls_go_in_the_end(
    memory: Memory, clock: ManualClock, after_days: int, left: list[str]
) -> None:
    fill(memory, 3)
    size = keep_latent(memory, "e1")
    clock.advance(timedelta(days=after_days))

    report = memory.maintain()

    assert latents(memory) == left
    assert (report.latents, report.latent_bytes) == ((0, 0) if left else (1, size))
    assert memory.latents().stats().files == len(left)


def test_a_latent_stays_while_one_of_its_events_is_recalled(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 20)
    keep_latent(memory, "an episode", sources=("e6", "e7"))
    for _ in range(4):
        clock.advance(timedelta(days=25))
        memory.recall("thing number 7", k=1)

    memory.maintain()

    assert latents(memory) == ["an episode"]


def test_a_latent_that_comes_from_no_event_stays(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 3)
    keep_latent(memory, "how good a model is")
    clock.advance(timedelta(days=1000))

    memory.maintain()

    assert latents(memory) == ["how good a model is"]


def test_a_dry_run_drops_no_latent(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 3)
    keep_latent(memory, "e1")
    clock.advance(timedelta(days=1000))

    report = memory.maintain(dry_run=True)

    assert report.latents == 1
    assert latents(memory) == ["e1"]


def test_a_dry_run_tells_and_changes_nothing(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 20)
    clock.advance(timedelta(days=80))

    told = memory.maintain(dry_run=True)

    assert (told.lowered, told.dry_run) == ({"int4": 20}, True)
    assert precisions(memory) == {"float32": 20}


def test_a_stopped_run_is_taken_up_where_it_stopped(
    memory: Memory, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("agentmem.stores.lifecycle"), "BATCH", 6)
    fill(memory, 20)
    clock.advance(timedelta(days=80))

    def stop(done: int, _total: int) -> None:
        if done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        memory.maintain(progress=stop)
    between = precisions(memory)
    rest = memory.maintain()

    assert between == {"float32": 8, "int4": 12}
    assert rest.lowered == {"int4": 8}


@given(
    words=st.lists(st.text("abcdefghij", min_size=3, max_size=8), min_size=1, max_size=12, unique=True),
    ages=st.lists(st.integers(0, 120), min_size=1, max_size=4),
)
def test_every_event_is_found_by_its_own_words_at_every_age(words: list[str], ages: list[int]) -> None:
    clock = ManualClock("2023-05-08")  # type: ignore[arg-type]
    with Memory("sqlite://", embedder="hash-32", clock=clock) as memory:
        memory.remember([{"id": word, "content": f"the word was {word}"} for word in words])
        for age in ages:
            clock.advance(timedelta(days=age))
            memory.maintain()

        found = [
            word in memory.recall(f"the word was {word}", budget_tokens=4000).source_ids for word in words
        ]

    assert all(found)


def test_a_vector_search_alone_still_finds_what_has_fallen_to_binary(
    memory: Memory, clock: ManualClock
) -> None:
    fill(memory, 50)
    clock.advance(timedelta(days=300))
    memory.maintain()
    store, embedder = memory._core.store, memory._core.embedder

    query = embedder.embed(["user (Monday 8 May 2023): thing number 33 is painted in colour 33"])[0]
    hits = store.nearest(memory.current_namespace, query, 3)

    passages = store.passages(memory.current_namespace, [hit.passage for hit in hits])
    assert passages[hits[0].passage].owner_id == "e33"
    assert hits[0].score == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("limit", [10, 10_000], ids=["inverted file", "exact"])
def test_an_index_in_use_follows_what_another_instance_maintains(
    database: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(faiss_index, "EXACT_LIMIT", limit)
    with (
        Memory(database, embedder="hash", clock=clock) as memory,
        Memory(database, embedder="hash", clock=clock) as other,
    ):
        fill(memory, 60)
        query = memory._core.embedder.embed(["thing"])[0]
        before = memory._core.store.nearest(memory.current_namespace, query, 100)
        clock.advance(timedelta(days=300))
        other.maintain()

        after = memory._core.store.nearest(memory.current_namespace, query, 100)

    assert sorted(hit.passage for hit in before) == sorted(hit.passage for hit in after)
    assert len({hit.passage for hit in after}) == len(after)


def test_an_index_kept_on_disk_is_made_anew_without_alarm(
    database: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(faiss_index, "PERSIST_FROM", 10)
    with Memory(database, embedder="hash", clock=clock) as memory:
        fill(memory, 60)
        memory.recall("thing number 7")
    kept = database.with_name("agent.db.index") / "1-1.faiss"
    before = kept.read_bytes()
    clock.advance(timedelta(days=300))

    with Memory(database, embedder="hash", clock=clock) as memory:
        memory.maintain()

    assert kept.read_bytes() != before
    assert caplog.records == []


def test_evidence_keeps_an_event_finer(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 2)
    memory.note("things are painted", sources=["e1"])
    clock.advance(timedelta(days=35))

    memory.maintain()

    # the note's own vector, and the event it rests on
    assert precisions(memory) == {"float32": 2, "int8": 1}


def test_an_event_that_is_forgotten_takes_its_strength_along(
    memory: Memory, database: Path, clock: ManualClock
) -> None:
    fill(memory, 3)
    memory.recall("thing number 1", k=1)
    memory.maintain()

    memory.forget(ids=["e1"])

    with sqlite3.connect(database) as connection:
        left = connection.execute("SELECT count(*) FROM recalls").fetchone()
    connection.close()
    assert left == (0,)


def test_recalls_are_written_at_close_and_not_before(database: Path, clock: ManualClock) -> None:
    def written() -> int:
        connection = sqlite3.connect(database)
        (count,) = connection.execute("SELECT count(*) FROM recalls").fetchone()
        connection.close()
        return int(count)

    with Memory(database, embedder="hash", clock=clock) as memory:
        fill(memory, 3)
        memory.recall("thing number 1", k=1)
        before = written()

    assert (before, written()) == (0, 1)


def test_a_write_after_a_minute_writes_down_what_was_recalled(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 3)
    memory.recall("thing number 1", k=1)
    clock.advance(timedelta(minutes=2))

    memory.remember("something else")

    assert memory._core.recall_log._waiting == {}


def test_recalls_in_one_minute_are_noted_once(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 3)
    for _ in range(5):
        memory.recall("thing number 1", k=1)
        clock.advance(timedelta(seconds=10))

    assert [len(moments) for moments in memory._core.recall_log._waiting[("default",)].values()] == [1]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is read-only")
def test_recall_on_a_read_only_file_works_and_closes_quietly(database: Path) -> None:
    with Memory(database, embedder="hash") as memory:
        fill(memory, 3)
    database.chmod(0o444)

    with Memory(database, embedder="hash") as memory:
        found = memory.recall("thing number 1", k=1).source_ids

    assert found == ("e1",)


def test_what_a_reader_cannot_write_down_is_no_error(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentmem.errors import ReadOnlyStoreError

    fill(memory, 3)

    def refuse(*_given: object) -> None:
        raise ReadOnlyStoreError("read-only")

    monkeypatch.setattr(memory._core.store, "recalled", refuse)
    memory.recall("thing number 1", k=1)

    memory._core.recall_log.flush()


def test_a_fork_does_not_write_what_its_parent_recalled(
    database: Path, run_python: Callable[..., str]
) -> None:
    counted = run_python(
        "import os, sys, sqlite3\n"
        "from agentmem import Memory\n"
        "memory = Memory(sys.argv[1], embedder='hash')\n"
        "memory.remember([{'id': 'e1', 'content': 'one'}, {'id': 'e2', 'content': 'two'}])\n"
        "memory.recall('one', k=1)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    memory.recall('two', k=1)\n"
        "    memory.close()\n"
        "    os._exit(0)\n"
        "os.waitpid(child, 0)\n"
        "memory.close()\n"
        "rows = sqlite3.connect(sys.argv[1]).execute('SELECT recalls FROM recalls ORDER BY event_pk').fetchall()\n"
        "print(rows)",
        database,
    )

    assert counted == "[(1,), (1,)]"


def test_one_namespace_maintained_leaves_another_as_it_is(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 5)
    other = memory.namespace("other")
    fill(other, 5)
    clock.advance(timedelta(days=300))

    memory.maintain()

    assert precisions(memory) == {"binary": 5}
    assert precisions(other) == {"float32": 5}


def test_an_export_of_lowered_vectors_is_restored_with_the_same_scores(
    memory: Memory, clock: ManualClock, tmp_path: Path
) -> None:
    fill(memory, 30)
    clock.advance(timedelta(days=300))
    memory.maintain()
    memory.export(tmp_path / "out.zip")
    query = memory._core.embedder.embed(["thing number 4"])[0]

    with Memory.restore(tmp_path / "out.zip", tmp_path / "b.db", embedder="hash") as restored:
        found = restored._core.store.nearest(restored.current_namespace, query, 5)

    scores = [hit.score for hit in memory._core.store.nearest(memory.current_namespace, query, 5)]
    assert [hit.score for hit in found] == pytest.approx(scores, abs=1e-5)


def test_an_embedder_that_fails_leaves_the_coarser_vectors(
    memory: Memory, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(memory, 5)
    clock.advance(timedelta(days=300))
    memory.maintain()
    memory.recall("thing number 1", k=1)
    monkeypatch.setattr(import_module("agentmem.maintain"), "embed_or_none", lambda *_given: None)

    report = memory.maintain()

    assert report.raised == 0
    assert precisions(memory) == {"binary": 5}


def test_an_episode_is_held_as_well_as_its_best_event(memory: Memory, clock: ManualClock) -> None:
    fill(memory, 6)
    engine = memory._core.store._database  # type: ignore[attr-defined]
    with engine.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO episodes (namespace_pk, id, session, first_seq, last_seq, events, title, summary, reason,"
            " token_count, started_at, ended_at) VALUES (1, 'x', 'default', 1, 3, 3, '', '', '', 0, 0, 0)"
        )
    clock.advance(timedelta(days=200))
    memory.recall("thing number 2", k=1)

    memory.maintain()

    assert precisions(memory) == {"float32": 3, "binary": 3}
