"""What each part of recall is worth, with the embedder that needs no weights."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from agentmem.evals import locomo
from agentmem.evals.ablation import ablation

from agentmem.errors import InvalidInputError

pytest.importorskip("scipy", reason="fitting needs agentmem[evals]")


@pytest.fixture(scope="module")
def parts(two: Path) -> dict[str, dict[str, Any]]:
    """What is printed of each part, by its label."""
    said = StringIO()
    with redirect_stdout(said):
        ablation(two, "hash", 1, as_json=True)
    return {part["without"]: part for part in json.loads(said.getvalue())["parts"]}


def test_every_channel_and_stage_is_left_out_in_turn(parts: dict[str, dict[str, Any]]) -> None:
    assert list(parts) == [
        "nothing",
        "weights: channels' scores added",
        "weights: reciprocal ranks",
        "features: dense",
        "features: words",
        "features: people",
        "features: dates",
        "features: manner",
        "features: what is said beside",
        "packing: length",
        "packing: captions give way",
        "many sessions for lists",
        "channel dense",
        "channel lexical",
        "channel recent",
        "turns beside",
    ]


def test_a_change_is_told_against_recall_with_everything(parts: dict[str, dict[str, Any]]) -> None:
    whole, without = parts["nothing"], parts["weights: reciprocal ranks"]

    assert (whole["change"], whole["within"]) == (0.0, 0.0)
    assert without["change"] == pytest.approx(
        without["figures"]["recall@10"] - whole["figures"]["recall@10"], abs=2e-4
    )
    assert without["within"] > 0


def test_weights_find_more_than_ranks_added(parts: dict[str, dict[str, Any]]) -> None:
    assert parts["weights: reciprocal ranks"]["change"] < 0


def test_what_is_packed_changes_no_rank(parts: dict[str, dict[str, Any]]) -> None:
    assert parts["packing: length"]["change"] == parts["packing: captions give way"]["change"] == 0.0


def test_a_part_that_looks_for_evidence_is_timed(parts: dict[str, dict[str, Any]]) -> None:
    assert parts["channel dense"]["ms"] > 0
    assert parts["features: dense"]["ms"] is None


def test_one_conversation_leaves_nothing_to_hold_out() -> None:
    with pytest.raises(InvalidInputError, match="needs two or more"):
        ablation(locomo.sample_path(), "hash", 1, as_json=False)
