"""The lines that the gate is fitted on, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from agentmem.evals.need import judge, lines

from agentmem.read import need

QUESTIONS = ["Where did Ann move in May?", "What is the name of Bob's dog?"]


def test_there_are_many_lines_of_each_kind_and_none_twice() -> None:
    of = lines()

    every = [line.casefold() for group in of.values() for line in group]
    assert [len(of[group]) >= 60 for group in ("small_talk", "memory")] == [True, True]
    assert len(set(every)) == len(every)


def test_the_packaged_weights_are_those_that_the_command_fits() -> None:
    packaged = json.loads(Path(need.__file__).with_name("need.json").read_text(encoding="utf-8"))

    fitted, _ = judge(QUESTIONS)

    assert packaged["weights"] == pytest.approx(fitted["weights"], abs=1e-3)
    assert packaged["bias"] == pytest.approx(fitted["bias"], abs=1e-3)


def test_on_lines_not_seen_small_talk_is_told_and_need_is_kept() -> None:
    _, figures = judge(QUESTIONS)

    assert figures["auroc"] > 0.97
    assert figures["small_talk_gated"] > 0.9
    assert (figures["needed_gated"], figures["questions_gated"]) == (0.0, 0.0)
