"""Fitting the weights of retrieval, with the embedder that needs no weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentmem.evals import locomo
from agentmem.evals.fit import fit

from agentmem.errors import InvalidInputError

pytest.importorskip("scipy", reason="fitting needs agentmem[evals]")
pytest.importorskip("matplotlib", reason="the plot needs agentmem[evals]")


@pytest.fixture(scope="module")
def result(two: Path) -> dict[str, Any]:
    """What a fit on both writes."""
    out = two.with_name("weights.json")
    fit(two, out, "hash", 1, False, two.with_name("plot.svg"))
    loaded: dict[str, Any] = json.loads(out.read_text())
    return loaded


def test_the_weights_say_where_they_come_from(result: dict[str, Any]) -> None:
    provenance = result["provenance"]

    assert (provenance["data"], provenance["ridge"]) == ("two", 10.0)
    assert len(provenance["sha256"]) == 64
    assert provenance["command"].startswith("agentmem eval fit --data two.json")


def test_each_set_has_weights_and_figures_on_what_it_did_not_see(result: dict[str, Any]) -> None:
    fitted = result["sets"]["hashed"]

    assert fitted["embedder"] == "hash-512"
    assert fitted["weights"]["covered_around"] > 0
    assert 0 < fitted["cross_validated"]["1-4"]["recall@10"] <= 1


def test_chats_with_an_assistant_are_learned_from_and_told_apart(result: dict[str, Any]) -> None:
    chats = result["sets"]["hashed"]["cross_validated"]["assistant chats"]

    assert 0.3 < chats["recall@10"] < 1
    assert result["provenance"]["also"] == "assistant_chats.json"


def test_each_set_has_a_gate_judged_on_what_it_did_not_see(result: dict[str, Any]) -> None:
    gate = result["sets"]["hashed"]["gate"]

    assert 0 <= gate["floor"] < 0.5
    assert 0.5 < gate["held_out"]["auroc_strangers"] <= 1
    assert sum(row["questions"] for row in gate["held_out"]["reliability"]) > 30


def test_the_reliability_is_drawn(two: Path, result: dict[str, Any]) -> None:
    assert "<svg" in two.with_name("plot.svg").read_text()


def test_one_conversation_leaves_nothing_to_hold_out() -> None:
    with pytest.raises(InvalidInputError, match="needs two or more"):
        fit(locomo.sample_path(), None, "hash", 1, False)
