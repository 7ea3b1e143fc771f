"""Vector search by pgvector: the planner reads HNSW, finds what exact search finds, and falls back to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import pytest
from postgres_server import NewDatabase, Server, name_of
from sqlalchemy import text

from agentmem import Memory
from agentmem.contracts import Passage, PreparedEvent, Store, Vectors
from agentmem.core import open_store
from agentmem.errors import InvalidInputError
from agentmem.types import NewEvent

AT = datetime(2023, 5, 8, tzinfo=UTC)
ME, OTHER = ("me",), ("other",)
DIMS, MANY = 16, 3_000


def unit_rows(n: int, seed: int) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((n, DIMS)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def fill(store: Store, namespace: tuple[str, ...], rows: Vectors) -> None:
    passage = Passage(0, 1, (), "x")
    store.append(
        namespace,
        [
            PreparedEvent(
                NewEvent(str(place), "s", "user", None, "x", AT),
                f"hash {place}",
                1,
                AT,
                AT,
                (passage,),
                rows[place : place + 1],
            )
            for place in range(len(rows))
        ],
    )


@pytest.fixture(scope="module")
def url(postgres: Server) -> Iterator[str]:
    """A store with one large namespace and a small one beside it."""
    postgres.sql("CREATE DATABASE vectors TEMPLATE ready")
    place = postgres.url("vectors", partitions=2)
    store = open_store(place)
    store.bind_embedder("toy", DIMS)
    fill(store, ME, unit_rows(MANY, 1))
    fill(store, OTHER, unit_rows(20, 2))
    store.close()
    postgres.sql("ANALYZE", database="vectors")
    yield place
    postgres.sql("DROP DATABASE vectors WITH (FORCE)")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = open_store(url)
    opened.bind_embedder("toy", DIMS)
    yield opened
    opened.close()


def plan(store: Store, namespace: tuple[str, ...]) -> str:
    """How the server answers the very statement the store asks."""
    with store._in(namespace) as (connection, row):  # type: ignore[attr-defined]
        search = store._indexes  # type: ignore[attr-defined]
        statement, parameters = search.question(row, store._embedder, unit_rows(1, 3)[0], 40)  # type: ignore[attr-defined]
        lines = connection.execute(text(f"EXPLAIN {statement}"), parameters).scalars()
        return "\n".join(lines)


def test_the_planner_answers_a_large_namespace_through_hnsw(store: Store) -> None:
    assert "Index Scan using vector_index_p" in (found := plan(store, ME))
    assert "Order By: ((embedding)::halfvec(16) <#>" in found.replace("agentmem.", "")
    assert "Sort" not in found


def test_the_planner_reads_a_small_namespace_through_its_own_rows(store: Store) -> None:
    found = plan(store, OTHER)

    assert "Sort" in found
    assert "Index Cond: ((namespace_pk = " in found


def test_only_the_partition_of_the_namespace_is_read(store: Store) -> None:
    assert "Append" not in plan(store, ME)


def test_what_hnsw_finds_is_what_exact_search_finds(store: Store) -> None:
    rows, queries = unit_rows(MANY, 1), unit_rows(50, 4)

    hits = [store.nearest(ME, query, 10) for query in queries]

    exact = [set(np.argsort(-(rows @ query))[:10]) for query in queries]
    keys = {hit.passage for found in hits for hit in found}
    place = {key: int(passage.owner_id) for key, passage in store.passages(ME, list(keys)).items()}
    shared = sum(
        len(wanted & {place[hit.passage] for hit in found}) for wanted, found in zip(exact, hits, strict=True)
    )
    assert shared / 500 >= 0.95


def test_scores_are_cosines_in_full_precision(store: Store) -> None:
    rows, query = unit_rows(MANY, 1), unit_rows(1, 5)[0]

    best = store.nearest(ME, query, 1)[0]

    assert best.score == pytest.approx(float((rows @ query).max()), abs=1e-6)


def test_more_than_hnsw_looks_through_are_found_all_the_same(store: Store) -> None:
    assert len(store.nearest(ME, unit_rows(1, 6)[0], MANY)) == MANY


def test_a_small_namespace_beside_a_large_one_is_found_whole(store: Store) -> None:
    assert len(store.nearest(OTHER, unit_rows(1, 7)[0], 100)) == 20


def test_vectors_stored_before_the_extension_came_are_copied(
    postgres: Server, new_database: NewDatabase
) -> None:
    url = new_database(empty=True, pgvector="off")
    with Memory(url, embedder="hash-16") as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})
        assert not memory._core.store.has_vector_index  # type: ignore[attr-defined]

    with Memory(url.replace("pgvector=off", "pgvector=on")) as memory:
        assert memory._core.store.has_vector_index  # type: ignore[attr-defined]
        assert memory.recall("cat").items[0].channels["dense"] == 1


def test_one_that_opened_before_the_table_of_copies_was_made_fills_it_too(new_database: NewDatabase) -> None:
    url = new_database(empty=True, pgvector="off")
    with Memory(url, embedder="hash-16") as early:
        Memory(url.replace("pgvector=off", "pgvector=on")).close()

        early.remember({"id": "e1", "content": "I adopted a cat."})

    with Memory(url) as memory:
        assert memory.recall("cat").items[0].channels["dense"] == 1


def test_after_a_reindex_only_the_new_embedder_has_copies_and_an_index(
    postgres: Server, new_database: NewDatabase
) -> None:
    url = new_database()
    with Memory(url, embedder="hash-16") as memory:
        memory.remember([f"I adopted cat number {number}." for number in range(5)])

        memory.reindex(embedder="hash-32")

        assert memory.recall("cat number 3").items[0].text == "I adopted cat number 3."
    name = name_of(url)
    kept = postgres.sql(
        "SELECT DISTINCT embedder_pk, vector_dims(embedding) FROM agentmem.vector_index",
        database=name,
    )
    indexes = postgres.sql(
        "SELECT indexname FROM pg_indexes WHERE tablename = 'vector_index' AND indexdef LIKE '%hnsw%'",
        database=name,
    )
    assert kept == [(2, 32)]
    assert indexes == [("vector_index_hnsw_2",)]


def test_forgetting_takes_the_copies_along(postgres: Server, new_database: NewDatabase) -> None:
    url = new_database()
    with Memory(url, embedder="hash-16") as memory:
        memory.remember([{"id": "e1", "content": "cat"}, {"id": "e2", "content": "dog"}])

        memory.forget(ids=["e1"])

    name = name_of(url)
    assert postgres.sql("SELECT count(*) FROM agentmem.vector_index", database=name) == [(1,)]
    assert postgres.sql("SELECT count(*) FROM agentmem.postings WHERE term = 'cat'", database=name) == [(0,)]


def test_more_dims_than_hnsw_takes_are_searched_exactly(new_database: NewDatabase) -> None:
    store = open_store(new_database())
    store.bind_embedder("wide", 5_000)
    rows = np.zeros((2, 5_000), dtype=np.float32)
    rows[0, 0], rows[1, 4_999] = 1.0, 1.0
    passage = Passage(0, 1, (), "x")
    for place in range(2):
        event = NewEvent(str(place), "s", "user", None, "x", AT)
        store.append(ME, [PreparedEvent(event, str(place), 1, AT, AT, (passage,), rows[place : place + 1])])

    hits = store.nearest(ME, rows[1], 1)

    assert [hit.score for hit in hits] == [1.0]
    store.close()


def test_more_dims_than_pgvector_holds_are_refused_at_once(new_database: NewDatabase) -> None:
    store = open_store(new_database())

    with pytest.raises(InvalidInputError, match="at most 16000 dims"):
        store.bind_embedder("wider", 20_000)

    store.close()


def test_a_store_of_another_role_is_searched_without_an_index_and_says_so(
    postgres: Server, new_database: NewDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    url = new_database()
    name = name_of(url)
    if not postgres.sql("SELECT 1 FROM pg_roles WHERE rolname = 'guest'"):
        postgres.sql("CREATE ROLE guest LOGIN")
    postgres.sql("GRANT USAGE ON SCHEMA agentmem TO guest", database=name)
    postgres.sql("GRANT ALL ON ALL TABLES IN SCHEMA agentmem TO guest", database=name)
    postgres.sql("GRANT ALL ON ALL SEQUENCES IN SCHEMA agentmem TO guest", database=name)

    with Memory(url.replace("postgres@", "guest@"), embedder="hash-16") as memory:
        memory.remember({"id": "e1", "content": "I adopted a cat."})

        assert memory.recall("cat").items[0].channels["dense"] == 1
    assert "open the store once as its owner" in caplog.text


def test_a_deep_check_finds_postings_that_are_missing_or_too_many(
    postgres: Server, new_database: NewDatabase
) -> None:
    url = new_database()
    with Memory(url, embedder="hash-16") as memory:
        memory.remember({"id": "e1", "content": "A black cat."})
        sound = memory.check(deep=True)
        postgres.sql("DELETE FROM agentmem.postings WHERE term = 'cat'", database=name_of(url))
        postgres.sql("INSERT INTO agentmem.postings VALUES (1, 'dog', 99, 1, 1)", database=name_of(url))

        faults = memory.check(deep=True)

    assert sound == []
    assert len(faults) == 2
    assert faults[0] == "terms are indexed of passage 99, which is gone"
    assert faults[1].startswith("passage 1 counts ")
