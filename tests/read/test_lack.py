"""What a question lacks is told from the evidence alone: its terms, people and times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agentmem.contracts import StoredPassage
from agentmem.read.features import Asked
from agentmem.read.lack import lack
from agentmem.read.query import analyse
from agentmem.terms import terms

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def said(key: int, speaker: str, text: str, at: datetime = NOW) -> StoredPassage:
    return StoredPassage(key, "event", f"e{key}", "s1", key, speaker, text, None, "message", at, (f"e{key}",))


def asking(text: str) -> Asked:
    return Asked(text, analyse(text, NOW), terms(text), None)


BOSS = said(1, "Nora", "My new boss is called Marta Lindqvist.")
HOBBY = said(2, "Idris", "Marta Lindqvist restores typewriters.")
CHATTER = [said(key, "Idris", f"The weather on day {key} was fine.") for key in range(3, 9)]


def test_a_question_whose_words_and_people_are_there_lacks_nothing() -> None:
    found = lack(asking("Who is Nora's boss?"), [[(BOSS, 1.0)]], [BOSS, HOBBY, *CHATTER])

    assert (found.share, found.open) == (0.0, ())


def test_words_that_no_evidence_holds_are_open() -> None:
    found = lack(asking("Which sports does Nora's boss like?"), [[(BOSS, 1.0)]], [BOSS, HOBBY, *CHATTER])

    assert 0.4 < found.share < 0.7
    assert found.open == ("sport", "like")


def test_a_person_nobody_spoke_of_is_open() -> None:
    found = lack(asking("Who is Nora's boss?"), [[(HOBBY, 1.0)]], [BOSS, HOBBY, *CHATTER])

    assert found.open == ("boss", "Nora")
    assert found.share == 1.0


@pytest.mark.parametrize(
    ("evidence", "open_"),
    [
        (said(9, "Nora", "I met my boss.", datetime(2023, 5, 8, tzinfo=UTC)), ()),
        (said(9, "Nora", "I met my boss on 8 May 2023."), ()),
        (said(9, "Nora", "I met my boss."), ("on 8 May 2023",)),
    ],
    ids=["said then", "names a day", "neither"],
)
def test_a_time_is_covered_by_what_was_said_then_or_names_a_day(
    evidence: StoredPassage, open_: tuple[str, ...]
) -> None:
    found = lack(asking("Did Nora meet her boss on 8 May 2023?"), [[(evidence, 1.0)]], [evidence, *CHATTER])

    assert [word for word in found.open if "May" in word] == [word.removeprefix("on ") for word in open_]


def test_what_only_unlikely_evidence_holds_is_mostly_open() -> None:
    weather = said(10, "Nora", "I like sports in fine weather.")
    evidence = [(BOSS, 0.9), (weather, 0.1)]

    found = lack(asking("Which sports does Nora's boss like?"), [evidence], [BOSS, weather, *CHATTER])

    assert found.open == ("sport", "like")
    assert found.share > 0.4


def test_each_look_covers_what_it_found() -> None:
    looks = [[(BOSS, 1.0)], [(HOBBY, 1.0)]]

    found = lack(asking("What does Nora's boss restore?"), looks, [BOSS, HOBBY, *CHATTER])

    assert (round(found.share, 9), found.open) == (0.0, ())


def test_a_question_of_nothing_lacks_nothing() -> None:
    assert lack(asking("And then?"), [[(HOBBY, 1.0)]], [HOBBY, *CHATTER]).share == 0.0
