"""Recall from the question to the evidence."""

from __future__ import annotations

import pickle
from dataclasses import asdict
from datetime import timedelta

import pytest

from agentmem import Memory
from agentmem.clock import ManualClock
from agentmem.errors import InvalidInputError
from agentmem.types import QuestionTrace


def test_the_evidence_comes_first_with_its_sources(memory: Memory) -> None:
    memory.remember(
        [
            {"id": "D1:1", "name": "Bob", "content": "How was your week?", "at": "2023-05-08T13:55"},
            {
                "id": "D1:2",
                "name": "Alice",
                "content": "I adopted a cat called Miso.",
                "at": "2023-05-08T13:56",
            },
            {"id": "D1:3", "name": "Bob", "content": "Congratulations!", "at": "2023-05-08T13:57"},
        ],
        session="s1",
    )

    found = memory.recall("What is Alice's cat called?")

    assert found.items[0].id == "D1:2"
    assert found.items[0].text == "I adopted a cat called Miso."
    assert (found.items[0].speaker, found.items[0].session, found.items[0].span) == ("Alice", "s1", None)
    assert found.source_ids[0] == "D1:2"


@pytest.mark.parametrize("gate", [False, True])
def test_a_recall_can_be_copied_and_made_a_dict(memory: Memory, gate: bool) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    found = memory.recall("Which pet did I adopt?", gate=gate)

    assert pickle.loads(pickle.dumps(found)) == found
    assert asdict(found)["trace"]["scope"] == ({"window": 1.0} if gate else {})


def test_an_empty_memory_recalls_nothing(memory: Memory) -> None:
    found = memory.recall("anything?")

    assert (found.text, found.items, found.source_ids, found.tokens) == ("", (), (), 0)


@pytest.mark.parametrize("query", ["", "  \n", None, 5], ids=repr)
def test_an_empty_question_is_refused(memory: Memory, query: object) -> None:
    with pytest.raises(InvalidInputError, match="query is empty"):
        memory.recall(query)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "query",
    ["?!", "the", "🐈", "\ud800", "\0", "x" * 100_000, "SELECT * FROM events"],
    ids=lambda query: ascii(query)[:12],
)
def test_any_other_text_is_a_question(memory: Memory, query: str) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    assert memory.recall(query).source_ids == ("e1",)


def test_the_turns_beside_the_evidence_come_with_it(memory: Memory) -> None:
    filler = [{"id": f"f{number}", "content": f"Unrelated chatter {number}"} for number in range(60)]
    turns = [
        {"id": "q", "name": "Bob", "content": "And what did you name it?"},
        {"id": "hit", "name": "Alice", "content": "The zebrafish is called Miso."},
        {"id": "next", "name": "Bob", "content": "Lovely choice!"},
    ]
    memory.remember([*filler[:30], *turns, *filler[30:]])

    assert {"q", "hit", "next"} <= set(memory.recall("zebrafish", budget_tokens=4000).source_ids)


def test_a_turn_of_the_same_session_is_nearer_than_one_of_another(memory: Memory) -> None:
    memory.remember({"id": "other", "content": "Goodbye then, talk soon"}, session="s0")
    memory.remember({"id": "hit", "content": "The zebrafish is called Miso."}, session="s1")
    memory.remember({"id": "same", "content": "Goodbye now, talk later"}, session="s1")

    order = [item.id for item in memory.recall("zebrafish").items]

    assert order == ["hit", "same", "other"]


def test_the_same_words_by_the_same_speaker_are_folded_and_keep_all_sources(memory: Memory) -> None:
    memory.remember(
        [
            {"id": f"e{day}", "name": "Alice", "content": "I adopted a cat!", "at": f"2023-05-0{day}"}
            for day in range(1, 6)
        ]
    )

    found = memory.recall("cat")

    assert found.text.count("I adopted a cat!") == 1
    assert sorted(found.source_ids) == ["e1", "e2", "e3", "e4", "e5"]
    assert found.trace.folded == 4


def test_the_same_words_by_two_speakers_are_two_things(memory: Memory) -> None:
    memory.remember(
        [{"name": "Alice", "content": "I adopted a cat"}, {"name": "Bob", "content": "I adopted a cat"}]
    )

    assert memory.recall("cat").text.count("I adopted a cat") == 2


def test_many_copies_of_one_fact_are_shown_once(memory: Memory) -> None:
    for number in range(49):
        memory.note("Alice is vegetarian", id=f"n{number}")

    assert memory.recall("vegetarian", budget_tokens=4000).text.count("Alice is vegetarian") == 1


def test_what_happened_after_the_moment_asked_about_is_hidden(memory: Memory) -> None:
    memory.remember(
        [
            {"id": "old", "content": "The flat is in Oslo.", "at": "2021-03-01"},
            {"id": "new", "content": "The flat is in Bergen now.", "at": "2023-03-01"},
        ]
    )

    assert memory.recall("Where is the flat?", at="2022-01-01").source_ids == ("old",)
    assert memory.recall("Where is the flat?", at="2023-03-01").source_ids == ("new", "old")


def test_many_later_events_do_not_hide_the_earlier_one(memory: Memory) -> None:
    memory.remember({"id": "old", "content": "The flat is in Oslo.", "at": "2021-03-01"})
    memory.remember([{"content": f"What colour is the flat {n}?", "at": "2023-03-01"} for n in range(300)])
    memory.remember([{"content": f"Chatter {n}", "at": "2020-03-01"} for n in range(20)])

    assert "old" in memory.recall("What colour is the flat?", at="2022-01-01").source_ids


def test_many_events_do_not_hide_the_one_note(memory: Memory) -> None:
    memory.remember([{"content": f"What colour is the flat {n}?", "at": "2023-03-01"} for n in range(300)])
    memory.note("They moved to a flat in Oslo some years ago", id="note")

    assert memory.recall("What colour is the flat?", tiers=["semantic"]).items[0].id == "note"


def test_a_fact_counts_from_when_it_holds_until_it_no_longer_does(memory: Memory) -> None:
    memory.note("Alice lives in Oslo", id="oslo", valid_from="2020-01-01", valid_to="2022-01-01")
    memory.note("Alice lives in Bergen", id="bergen", valid_from="2022-01-01")

    def known(at: str | None) -> list[str]:
        return [item.id for item in memory.recall("Where does Alice live?", at=at).items]

    assert known("2019-06-01") == []
    assert known("2021-06-01") == ["oslo"]
    assert known("2022-01-01") == ["bergen"]
    assert known(None) == ["bergen"]


def test_a_fact_that_holds_only_from_tomorrow_is_not_known_today(memory: Memory, clock: ManualClock) -> None:
    memory.note("Alice works at the bakery", id="job", valid_from=clock.now() + timedelta(days=1))

    assert memory.recall("Where does Alice work?").items == ()


def remember_two_days(memory: Memory) -> None:
    """Ten events of one day, ten of the next: the first day is an episode, the second still goes on."""
    memory.remember(
        [
            {"id": f"e{number}", "content": f"cat number {number}", "at": f"2023-05-0{1 + number // 10}"}
            for number in range(20)
        ]
    )
    memory.note("There are many cats", id="note")


def test_what_is_in_no_episode_yet_is_the_window(memory: Memory) -> None:
    remember_two_days(memory)
    memory.episodes()

    tiers = {item.id: item.tier for item in memory.recall("cat", budget_tokens=4000).items}

    assert {id_ for id_, tier in tiers.items() if tier == "window"} == {
        f"e{number}" for number in range(10, 20)
    }
    assert tiers["e0"] == "episode"
    assert tiers["note"] == "semantic"


@pytest.mark.parametrize("tier", ["window", "episode", "semantic"])
def test_only_the_tiers_asked_for_are_recalled(memory: Memory, tier: str) -> None:
    remember_two_days(memory)

    found = memory.recall("cat", tiers=[tier])  # type: ignore[list-item]

    assert {item.tier for item in found.items} == {tier}


def test_an_unknown_tier_is_refused(memory: Memory) -> None:
    with pytest.raises(InvalidInputError, match=r"unknown tiers \['kv'\]; known: window, episode, semantic"):
        memory.recall("cat", tiers=["kv"])  # type: ignore[list-item]


@pytest.mark.parametrize("k", [0, -1, True, 1.5, "3"], ids=repr)
def test_a_number_of_items_that_makes_no_sense_is_refused(memory: Memory, k: object) -> None:
    with pytest.raises(InvalidInputError, match="k is a whole number"):
        memory.recall("cat", k=k)  # type: ignore[arg-type]


def test_every_event_can_be_reached_by_its_own_words(memory: Memory) -> None:
    memory.remember(
        [
            {"id": str(number), "content": f"The code of locker {number} is x{number * 7919}y."}
            for number in range(400)
        ]
    )

    missed = [n for n in range(0, 400, 23) if memory.recall(f"x{n * 7919}y").items[0].id != str(n)]

    assert missed == []


def test_what_was_just_said_is_recalled_at_once(memory: Memory) -> None:
    memory.remember([{"content": f"chatter {number}"} for number in range(50)])
    memory.remember({"id": "now", "content": "Miso the cat is asleep."})

    assert memory.recall("cat").items[0].id == "now"


def test_the_explanation_tells_channels_ranks_and_what_was_cut(memory: Memory) -> None:
    memory.remember([{"id": f"e{number}", "content": f"cat number {number}"} for number in range(30)])

    told = memory.recall("cat", budget_tokens=80, explain=True).explain()

    assert "query     cat" in told
    assert "channel   lexical" in told
    assert "dense#" in told
    assert "cut" in told
    assert "asks      statement, present, one thing" in told
    assert "weighed by 'hashed'" in told
    assert "was 1;" in told


def test_the_same_is_told_as_data(memory: Memory) -> None:
    memory.remember([{"id": f"e{number}", "content": f"cat number {number}"} for number in range(30)])

    found = memory.recall("Which cats did Ann see in May 2023?", budget_tokens=80, explain=True)

    assert found.trace.question == QuestionTrace("what", "past", ("May 2023",), True)
    assert [reason.id for reason in found.trace.reasons] == [item.id for item in found.items]
    assert {len(reason.parts) for reason in found.trace.reasons} == {5}
    assert memory.recall("cat").trace.reasons == ()


def test_recalling_changes_nothing(memory: Memory) -> None:
    memory.remember(["I adopted a cat.", "Hello."])
    before = (memory.events(), memory.stats())

    first, second = memory.recall("cat"), memory.recall("cat")

    assert first.text == second.text
    assert (memory.events(), memory.stats()) == before


def test_a_channel_left_out_proposes_nothing(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat."})

    found = memory.recall("Which cat?", without=["lexical", "recent"])

    assert [channel.name for channel in found.trace.channels] == ["dense"]
    assert found.items[0].channels == {"dense": 1}


def test_without_neighbours_only_what_was_proposed_is_found(memory: Memory) -> None:
    memory.remember([{"id": f"e{place}", "content": f"Word {place}."} for place in range(30)], session="s1")
    memory.remember([{"id": "cat", "content": "My cat?"}, {"id": "miso", "content": "Miso."}], session="s2")
    asked = ("What is my cat called?",)

    with_them = memory.recall(*asked, without=["dense", "recent"])
    alone = memory.recall(*asked, without=["dense", "recent", "neighbours"])

    assert {item.id for item in with_them.items} > {"cat", "miso"}
    assert [item.id for item in alone.items] == ["cat"]


def test_without_weights_the_channels_scores_decide(memory: Memory) -> None:
    memory.remember([{"id": "e1", "content": "I adopted a cat."}, {"id": "e2", "content": "It rains."}])

    found = memory.recall("Which cat?", without=["weights"])

    assert (found.items[0].id, found.trace.weights, found.trace.relevance) == ("e1", "", None)


def test_a_filtered_recall_leaves_the_channel_out_too(memory: Memory) -> None:
    memory.remember({"id": "e1", "content": "I adopted a cat.", "at": "2023-05-08T10:00"})

    found = memory.recall("Which cat?", at="2023-05-08T11:00", without=["dense"])

    assert "dense" not in found.items[0].channels


@pytest.mark.parametrize(
    ("without", "message"),
    [(["pagerank"], "unknown \\['pagerank'\\]"), (["dense", "lexical", "recent"], "no channel")],
    ids=["unknown", "all"],
)
def test_leaving_out_what_is_not_there_or_all_there_is_is_refused(
    memory: Memory, without: list[str], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        memory.recall("Which cat?", without=without)
