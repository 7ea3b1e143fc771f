"""PostgreSQL finds what SQLite finds, in the same order: by terms, by vectors, and in a recall."""

from __future__ import annotations

from pathlib import Path

import pytest
import ranking
from postgres_server import NewDatabase

SAMPLE = Path(__file__).parents[2] / "evals" / "data" / "sample_conversation.json"


@pytest.mark.parametrize("pgvector", ["on", "off"])
def test_the_best_ten_of_both_stores_agree(new_database: NewDatabase, tmp_path: Path, pgvector: str) -> None:
    url = new_database(empty=pgvector == "off", pgvector=pgvector)

    found = ranking.compare(SAMPLE, "hash-64", url, tmp_path, every=4)

    assert [row.ranking for row in found] == ["BM25", "vectors", "recall"]
    assert [row.questions for row in found] == [24, 24, 24]
    assert min(row.overlap for row in found) >= 0.99
    assert found[0].same_order == 1
