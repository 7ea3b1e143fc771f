"""The questions made for looking again, and what it finds on them."""

from __future__ import annotations

from dataclasses import replace

from agentmem.evals import bridges
from agentmem.evals.reread import measure

from agentmem.embed.hashing import HashEmbedder
from agentmem.terms import terms


def test_the_last_fact_shares_no_word_with_its_question() -> None:
    shared = [
        set(terms(question.text)) & set(terms(turn.words))
        for conversation in bridges.dataset().conversations
        for question in conversation.questions
        for turn in conversation.turns
        if question.category != bridges.PLAIN and turn.id == question.evidence[-1]
    ]

    assert len(shared) == 150
    assert set().union(*shared) == set()


def test_the_same_seed_makes_the_same_and_another_makes_others() -> None:
    first, again, other = bridges.dataset(1), bridges.dataset(1), bridges.dataset(2)

    assert first == again
    assert first.conversations[0].questions != other.conversations[0].questions


def test_every_id_stands_for_one_turn() -> None:
    for_each = [[turn.id for turn in conversation.turns] for conversation in bridges.dataset().conversations]

    assert [len(set(ids)) for ids in for_each] == [len(ids) for ids in for_each]


def test_looking_again_finds_most_second_facts_and_loses_no_first() -> None:
    whole = bridges.dataset()
    one = whole.conversations[0]
    asked = replace(one, questions=one.questions[:16] + one.questions[-2:])

    rows = measure(replace(whole, conversations=(asked,)), HashEmbedder(256), None, lambda *_: None)

    found = {
        (rounds, group): sum(row["last@10"] for of, row in rows[rounds] if of == group)
        for rounds in (0, 1, 2)
        for group in bridges.GROUPS
    }
    assert [found[rounds, bridges.PLAIN] for rounds in (0, 1, 2)] == [8.0, 8.0, 8.0]
    assert found[0, bridges.BRIDGE] <= 2.0
    assert found[1, bridges.BRIDGE] >= 6.0
    assert found[2, bridges.CHAIN] >= 1.0 > found[0, bridges.CHAIN]
