"""Indexes on disk come back as they were, and a file that cannot be written changes nothing."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

index_file = import_module("agentmem.stores.index_file")
kinds = import_module("agentmem.stores.faiss_kinds")


def test_indexes_of_two_grades_come_back_from_one_file(tmp_path: Path) -> None:
    rows = np.eye(4, dtype=np.float32)
    fine, coarse = kinds.exact(4), kinds.exact(4)
    fine.add_with_ids(rows[:1], np.array([10]))
    coarse.add_with_ids(rows[1:], np.array([11, 12, 13]))

    index_file.write(tmp_path / "x" / "1-1.faiss", {"fine": fine, "coarse": coarse}, {"epoch": 3})
    header, found = index_file.read(tmp_path / "x" / "1-1.faiss", lambda _header: None)

    assert header["epoch"] == 3
    assert found["fine"].search(rows[:1], 1)[1].tolist() == [[10]]
    assert found["coarse"].search(rows[3:], 1)[1].tolist() == [[13]]


def test_what_the_caller_refuses_is_not_read(tmp_path: Path) -> None:
    index_file.write(tmp_path / "1-1.faiss", {"fine": kinds.exact(4)}, {"epoch": 3})

    def refuse(_header: object) -> None:
        raise ValueError("another database's")

    with pytest.raises(ValueError, match="another"):
        index_file.read(tmp_path / "1-1.faiss", refuse)


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    index_file.write(tmp_path / "1-1.faiss", {"fine": kinds.exact(4)}, {"epoch": 3})

    class Damaged:
        """No index: FAISS refuses to write it."""

    with pytest.raises(TypeError):
        index_file.write(tmp_path / "1-1.faiss", {"fine": Damaged()}, {"epoch": 4})

    assert index_file.read(tmp_path / "1-1.faiss", lambda _header: None)[0]["epoch"] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["1-1.faiss"]
