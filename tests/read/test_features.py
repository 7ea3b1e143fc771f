"""What speaks for a passage being evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from agentmem.contracts import StoredPassage
from agentmem.read.features import Asked, Columns, features
from agentmem.read.pool import make_pool
from agentmem.read.query import analyse
from agentmem.read.views import Views
from agentmem.terms import terms

START = datetime(2023, 5, 8, 13, tzinfo=UTC)


def turn(seq: int, speaker: str, text: str, session: str = "s1", days: int = 0) -> StoredPassage:
    at = START + timedelta(days=days, minutes=seq)
    return StoredPassage(
        seq + 1, "event", f"e{seq}", session, seq, speaker, text, None, "event", at, (f"e{seq}",)
    )


def asked(text: str, vector: list[float] | None = None) -> Asked:
    found = None if vector is None else np.array(vector, dtype=np.float32)
    return Asked(text, analyse(text, START), terms(text), found)


TALK = (
    turn(0, "Bob", "What did you adopt?"),
    turn(1, "Alice", "A tabby called Miso, just yesterday."),
    turn(2, "Bob", "Lovely!"),
    turn(3, "Alice", "The weather was grey.", "s2", days=40),
)


@pytest.fixture
def columns() -> Columns:
    return features(asked("When did Alice adopt a cat in May 2023?"), make_pool(TALK, Views(), None))


def test_the_one_who_is_named_speaks(columns: Columns) -> None:
    assert columns["speaks"].tolist() == [0, 1, 0, 1]
    assert columns["other_speaks"].tolist() == [1, 0, 1, 0]


def test_an_answer_is_covered_by_the_words_of_its_question(columns: Columns) -> None:
    assert columns["covered"][1] == 0
    assert columns["covered_after_question"][1] == columns["covered"][0] > 0


def test_the_first_of_another_session_inherits_nothing(columns: Columns) -> None:
    assert columns["covered_after_question"][3] == 0
    assert columns["answers"].tolist() == [0, 1, 0, 0]


def test_what_was_said_in_the_time_asked_about_is_marked(columns: Columns) -> None:
    assert columns["in_time"].tolist() == [1, 1, 1, 0]
    assert columns["near_in_months"][3] == pytest.approx(np.exp(-16.543 / 30), abs=0.01)


def test_a_time_told_suits_a_question_for_a_time(columns: Columns) -> None:
    assert columns["when_times"].tolist() == [0, 2, 0, 0]


def test_without_an_embedder_there_is_no_dense_column(columns: Columns) -> None:
    assert [name for name in columns if name.startswith("dense")] == []


def test_a_turn_near_the_question_in_meaning_lifts_the_one_after_it() -> None:
    vectors = {
        1: np.array([1, 0], np.float32),
        2: np.array([0, 1], np.float32),
        3: np.array([0, 1], np.float32),
    }

    found = features(asked("cat?", [1.0, 0.0]), make_pool(TALK, Views(), vectors))

    assert found["dense"].argmax() == 0
    assert found["dense_after_question"][1] > found["dense_after_question"][2] == 0
    assert found["dense"][3] == 0


def test_every_column_has_a_finite_number_for_every_passage() -> None:
    found = features(asked("?"), make_pool(TALK[:1], Views(), None))

    assert {column.shape for column in found.values()} == {(1,)}
    assert all(np.isfinite(column).all() for column in found.values())


def test_a_passage_follows_the_one_before_it_in_its_event() -> None:
    whole = "First half. Second half."
    halves = tuple(
        StoredPassage(key, "event", "e0", "s1", 0, "Ann", whole, span, "event", START, ("e0",))
        for key, span in ((1, (0, 12)), (2, (12, 24)))
    )

    pool = make_pool((halves[1], halves[0], turn(1, "Bob", "Thanks!")), Views(), None)

    assert pool.before.tolist() == [1, -1, 0]
    assert pool.after.tolist() == [2, 0, -1]


def test_only_what_follows_a_question_inherits_from_it() -> None:
    near = {key: np.array([0.9 if key == 2 else 0.1], np.float32) for key in (1, 2, 3, 4)}

    found = features(asked("cat?"), make_pool(TALK, Views(), None, near))

    # the second turn asks nothing, so the third is no answer to it
    assert (
        found["late_after_question"][2] == found["late_after_question"][3] < found["late_after_question"][1]
    )


def test_a_piece_that_only_one_passage_comes_near_tells_more_than_one_that_all_do() -> None:
    near = {
        1: np.array([0.9, 0.8], np.float32),
        2: np.array([0.9, 0.1], np.float32),
        3: np.array([0.9, 0.1], np.float32),
        4: np.array([0.9, 0.1], np.float32),
    }

    found = features(asked("cat?"), make_pool(TALK, Views(), None, near))

    assert found["late_weighed"][0] - found["late_weighed"][1] > found["late"][0] - found["late"][1] > 0
    assert found["late_around"][1] == found["late_around"][0] > found["late_around"][3]


def test_what_the_talk_is_about_reaches_two_turns_on_but_not_another_session() -> None:
    near = {key: np.array([0.9 if key == 1 else 0.1], np.float32) for key in (1, 2, 3, 4)}

    found = features(asked("cat?"), make_pool(TALK, Views(), None, near))

    assert found["late_around"][2] == found["late_around"][3] < found["late_around"][1]
    assert found["late_around_two"][2] == found["late_around_two"][0] > found["late_around_two"][3]


def test_a_name_is_no_content_for_the_one_who_bears_it_speaks_half_of_everything() -> None:
    near = {
        1: np.array([0.1, 0.9], np.float32),
        2: np.array([0.9, 0.1], np.float32),
        3: np.array([0.1, 0.1], np.float32),
        4: np.array([0.9, 0.1], np.float32),
    }
    question = replace(asked("Alice's cat"), spans=((0, 5), (8, 11)))

    found = features(question, make_pool(TALK, Views(), None, near))

    assert found["late_content"].argmax() == found["late_above"].argmax() == 0
    assert found["late_content"][1] == found["late_content"][2]
    assert found["late"][1] == found["late"][0]


def test_an_embedder_that_cannot_tell_where_pieces_stand_has_all_of_them_compared() -> None:
    near = {key: np.array([0.9 if key == 2 else 0.1, 0.1], np.float32) for key in (1, 2, 3, 4)}

    found = features(asked("Alice's cat"), make_pool(TALK, Views(), None, near))

    assert found["late_content"].tolist() == found["late_weighed"].tolist()


def test_where_many_passages_have_no_pieces_none_count() -> None:
    near = {1: np.array([0.9], np.float32), 2: np.array([0.9], np.float32)}

    found = features(asked("cat?"), make_pool(TALK, Views(), None, near))

    assert [name for name in found if name.startswith("late")] == []


def test_of_two_equal_passages_the_later_speaks_of_the_present() -> None:
    found = features(asked("Where is Alice now?"), make_pool(TALK, Views(), None))

    assert found["newest_now"].tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert (
        features(asked("Where was Alice?"), make_pool(TALK, Views(), None))["newest_now"].tolist() == [0] * 4
    )


@pytest.mark.parametrize(
    ("text", "newest"),
    [("What is the name of Alice's cat?", 1.0), ("What activities does Alice partake in?", 0.0)],
    ids=["one", "many"],
)
def test_what_was_said_last_counts_for_the_present_but_not_for_a_list(text: str, newest: float) -> None:
    found = features(asked(text), make_pool(TALK, Views(), None))

    assert found["newest_present"][3] == newest
