"""The measure of episodes against sessions: what is hidden stays so, and nothing is fitted to what it is scored on."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from agentmem.evals import locomo, segmentation, segmenters
from agentmem.evals.task import Conversation, Dataset, Defects, Turn

from agentmem.write.segment import Settings

DEV = Path(__file__).parents[3] / "shared" / "data" / "locomo" / "locomo_dev.json"


def conversation(name: str, sessions: list[int], opening: str = "Hey, long time no see!") -> Conversation:
    """Sessions of so many turns, each with words of its own."""
    start = datetime(2023, 1, 1, tzinfo=UTC)
    turns = [
        Turn(f"{day}:{place}", f"s{day}", "Ann", start + timedelta(days=day), "", words)
        for day, size in enumerate(sessions)
        for place, words in enumerate([opening, *[f"topic{day} word{day}"] * (size - 1)])
    ]
    return Conversation(name, tuple(turns), ())


def dataset(*conversations: Conversation) -> Dataset:
    return Dataset("made up", "here", conversations, Defects())


def test_a_script_hides_sessions_and_times() -> None:
    given = segmenters.script(conversation("a", [3, 4]), with_times=False)

    assert {(turn.session, turn.at.year) for turn in given.turns} == {("", 2000)}
    assert given.true == {3}


def test_times_give_sessions_away() -> None:
    given = segmenters.script(conversation("a", [7, 9], opening="word"), with_times=True)

    assert given.score(segmenters.ours(given, Settings())) == (0.0, 0.0, 1.0)


def test_each_method_chooses_on_the_other_conversations() -> None:
    made = dataset(conversation("fives", [5] * 6), conversation("tens", [10] * 6))

    rows = {row["method"]: row for row in segmentation.measure(made)["without_times"]}

    fixed = rows["fixed length, fitted on the others"]
    assert [entry["settings"] for entry in fixed["chosen"]] == ["10", "5"]
    # fives cut by tens: 2 of 5 boundaries; tens cut by fives: 5 of 11 are right
    assert fixed["f1"] == pytest.approx((2 * 2 / (5 + 2) + 2 * 5 / (5 + 11)) / 2)


def test_one_conversation_fits_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert segmentation.segmentation(None, True, sample=True) == 0

    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in result["without_times"]] == [
        "agentmem, as shipped",
        "TextTiling, as published",
    ]
    assert (result["boundaries"], result["with_times"][0]["f1"]) == (13, 1.0)


def test_the_tables_name_every_method(capsys: pytest.CaptureFixture[str]) -> None:
    segmentation.segmentation(None, False, sample=True)

    printed = capsys.readouterr().out
    assert "13 boundaries in 288 turns, sessions and times hidden" in printed
    assert "TextTiling, as published" in printed


@pytest.mark.skipif(not DEV.exists(), reason="LoCoMo is not here; see docs/evals.md")
def test_episodes_match_sessions_as_well_as_the_results_say() -> None:
    scripts = [segmenters.script(one, with_times=False) for one in locomo.load(DEV).conversations]

    scores = [given.score(segmenters.ours(given, Settings())) for given in scripts]

    assert max(score.pk for score in scores) < 0.12
    assert min(score.f1 for score in scores) > 0.9
