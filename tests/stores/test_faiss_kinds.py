"""Exact and inverted indexes find, remove and hand over alike."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from agentmem.contracts import Vectors

kinds = import_module("agentmem.stores.faiss_kinds")


def unit_rows(count: int, seed: int = 0) -> Vectors:
    rows = np.random.default_rng(seed).standard_normal((count, 32), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("grade", kinds.GRADES)
def test_what_moves_to_an_inverted_file_is_found_there(grade: str) -> None:
    rows = unit_rows(500)
    exact = kinds.exact(32)
    exact.add_with_ids(rows, np.arange(500) + 1000)

    inverted = kinds.approximate(rows, 500, grade)
    kinds.move(exact, inverted)
    _, found = inverted.search(rows, 1)

    assert np.mean(found[:, 0] == np.arange(500) + 1000) > 0.97


@pytest.mark.parametrize("kind", ["exact", "fine", "coarse"])
def test_held_keys_are_those_added_and_not_removed(kind: str) -> None:
    rows = unit_rows(200)
    index = kinds.exact(32) if kind == "exact" else kinds.approximate(rows, 200, kind)
    index.add_with_ids(rows, np.arange(200) + 7)

    index.remove_ids(np.arange(50) + 7)

    assert sorted(kinds.held_keys(index)) == list(range(57, 207))


def test_a_coarse_file_takes_half_the_memory_of_a_fine_one() -> None:
    rows = unit_rows(200)
    fine, coarse = (kinds.approximate(rows, 200, grade) for grade in kinds.GRADES)

    fine.add_with_ids(rows, np.arange(200))
    coarse.add_with_ids(rows, np.arange(200))

    assert kinds.size_bytes(fine) == 200 * (32 + 8)
    assert kinds.size_bytes(coarse) == 200 * (16 + 8)


def test_lists_grow_with_the_square_root_and_no_further_than_training_can_bear() -> None:
    assert [kinds.lists_for(count) for count in (0, 10_000, 1_000_000)] == [1, 400, 2048]
