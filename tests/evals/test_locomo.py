"""Reading LoCoMo's format: the packaged sample, the real file where it is, and files that are not it."""

from __future__ import annotations

import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from agentmem.evals import locomo
from agentmem.evals.task import Defects

from agentmem.errors import EvalDataError

REPOSITORY = Path(__file__).parents[2]
DEV = Path(
    os.environ.get("AGENTMEM_LOCOMO", REPOSITORY.parent / "shared" / "data" / "locomo" / "locomo_dev.json")
)


def _write(folder: Path, evidence: list[str] | str, *extra: dict[str, str]) -> Path:
    sample = {
        "sample_id": "tiny",
        "conversation": {
            "speaker_a": "Ann",
            "speaker_b": "Ben",
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ann", "dia_id": "D1:1", "text": "Look!", "blip_caption": "a red boat"},
                {"speaker": "Ben", "dia_id": "D1:2", "text": "Nice boat."},
                *extra,
            ],
        },
        "qa": [{"question": "What is red?", "answer": "The boat", "evidence": evidence, "category": 4}],
    }
    path = folder / "tiny.json"
    path.write_text(json.dumps([sample]))
    return path


def test_the_sample_is_large_enough_and_covers_every_category() -> None:
    (conversation,) = locomo.load(locomo.sample_path()).conversations

    categories = Counter(question.category for question in conversation.questions)

    assert len({turn.session for turn in conversation.turns}) >= 12
    assert len(conversation.turns) >= 250
    assert sum(categories.values()) >= 60
    assert set(categories) == {1, 2, 3, 4, 5}
    assert (conversation.turns[-1].at - conversation.turns[0].at).days >= 730


def test_the_sample_has_no_defects() -> None:
    defects = locomo.load(locomo.sample_path()).defects

    assert (defects.mended, defects.dangling, defects.without_evidence) == (0, (), 0)


def test_the_chats_with_an_assistant_have_long_answers_and_no_defects() -> None:
    chats = locomo.load(locomo.chats_path())
    answers = [
        len(turn.words.split())
        for c in chats.conversations
        for turn in c.turns
        if turn.speaker == "assistant"
    ]

    assert (len(chats.conversations), sum(len(c.questions) for c in chats.conversations)) == (2, 88)
    assert sum(answers) / len(answers) > 200
    assert chats.defects == Defects()


def test_a_turn_keeps_its_words_apart_from_the_caption_of_its_image(tmp_path: Path) -> None:
    (conversation,) = locomo.load(_write(tmp_path, ["D1:1"])).conversations

    assert conversation.turns[0].words == "Look!"
    assert conversation.turns[0].content == "Look!\n[image: a red boat]"


def test_a_session_date_is_read_as_utc(tmp_path: Path) -> None:
    (conversation,) = locomo.load(_write(tmp_path, ["D1:1"])).conversations

    assert conversation.turns[0].at == datetime(2023, 5, 8, 13, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (["D1:1; D1:2"], ("D1:1", "D1:2")),
        (["D1:1 D1:2"], ("D1:1", "D1:2")),
        (["D1:01"], ("D1:1",)),
        (["D1:1", "D1:1"], ("D1:1",)),
    ],
)
def test_malformed_evidence_is_mended(tmp_path: Path, raw: list[str], expected: tuple[str, ...]) -> None:
    (conversation,) = locomo.load(_write(tmp_path, raw)).conversations

    assert conversation.questions[0].evidence == expected


@pytest.mark.parametrize("raw", ["D", "D:11:26", "D4:36"])
def test_evidence_that_is_nowhere_is_counted_and_left_out(tmp_path: Path, raw: str) -> None:
    dataset = locomo.load(_write(tmp_path, [raw]))

    assert dataset.conversations[0].questions[0].evidence == ()
    assert dataset.defects.dangling == (f"tiny {raw!r}",)
    assert dataset.defects.without_evidence == 1


def test_evidence_given_as_one_text_is_read(tmp_path: Path) -> None:
    (conversation,) = locomo.load(_write(tmp_path, "D1:1")).conversations

    assert conversation.questions[0].evidence == ("D1:1",)


def test_a_turn_that_holds_nothing_or_repeats_an_id_is_counted_and_left_out(tmp_path: Path) -> None:
    empty = {"speaker": "Ann", "dia_id": "D1:3", "text": " "}
    repeated = {"speaker": "Ann", "dia_id": "D1:2", "text": "Again."}

    dataset = locomo.load(_write(tmp_path, ["D1:1"], empty, repeated))

    assert [turn.id for turn in dataset.conversations[0].turns] == ["D1:1", "D1:2"]
    assert dataset.defects.turns == ("tiny 'D1:3' empty", "tiny 'D1:2' repeated")


def test_an_image_without_words_is_known_by_its_caption(tmp_path: Path) -> None:
    image = {"speaker": "Ann", "dia_id": "D1:3", "text": "", "blip_caption": "a kite"}

    (conversation,) = locomo.load(_write(tmp_path, ["D1:1"], image)).conversations

    assert conversation.turns[2].words == "[image: a kite]"


def test_missing_data_is_told_with_its_source_and_licence() -> None:
    with pytest.raises(EvalDataError, match="CC BY-NC"):
        locomo.load(None)


@pytest.mark.parametrize("text", ["not json", "[]", '[{"a": 1}]', "7"])
def test_a_file_in_another_format_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)

    with pytest.raises(EvalDataError, match="locomo10"):
        locomo.load(path)


@pytest.mark.skipif(not DEV.is_file(), reason=f"LoCoMo is not at {DEV}; name it with AGENTMEM_LOCOMO")
def test_the_dev_split_of_locomo_is_read_whole() -> None:
    dataset = locomo.load(DEV)

    assert [len(conversation.turns) for conversation in dataset.conversations] == [419, 663, 680, 689, 509]
    assert sum(len(conversation.questions) for conversation in dataset.conversations) == 1020
    assert dataset.defects.without_evidence == 2
