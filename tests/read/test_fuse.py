"""One ranking out of several."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentmem.contracts import Scored
from agentmem.read.fuse import fuse

rankings = st.dictionaries(
    st.sampled_from(["dense", "lexical", "recent", "another"]),
    st.dictionaries(st.integers(1, 30), st.floats(0, 1), max_size=10),
)


def hits(scores: dict[int, float]) -> list[Scored]:
    """Proposals of one channel, best first."""
    return sorted((Scored(key, score) for key, score in scores.items()), key=lambda hit: -hit.score)


def order(proposals: dict[str, dict[int, float]]) -> list[int]:
    return [entry.passage for entry in fuse({name: hits(found) for name, found in proposals.items()})]


def test_what_two_channels_agree_on_comes_before_what_one_puts_first() -> None:
    assert order({"dense": {1: 1.0, 2: 0.9}, "lexical": {3: 9.0, 2: 8.0}})[0] == 2


def test_a_clear_lead_in_one_channel_outweighs_a_narrow_one_in_another() -> None:
    assert order({"dense": {1: 0.51, 2: 0.5}, "lexical": {2: 9.0, 1: 1.0}})[0] == 2


def test_the_scale_of_a_channels_scores_does_not_matter() -> None:
    small = order({"dense": {1: 0.9, 2: 0.3}, "lexical": {2: 0.02, 3: 0.01}})

    large = order({"dense": {1: 0.9, 2: 0.3}, "lexical": {2: 20.0, 3: 10.0}})

    assert small == large


def test_ties_go_to_the_older_passage() -> None:
    assert order({"dense": {9: 0.5}, "lexical": {4: 0.5}}) == [4, 9]


def test_nothing_proposed_is_nothing_fused() -> None:
    assert order({"dense": {}, "lexical": {}}) == []


def test_the_place_in_each_channel_is_told() -> None:
    fused = fuse({"dense": hits({7: 0.9, 8: 0.2}), "lexical": hits({8: 3.0})})

    assert {entry.passage: entry.ranks for entry in fused} == {7: {"dense": 1}, 8: {"dense": 2, "lexical": 1}}


@given(proposals=rankings)
def test_every_proposal_is_kept_once_and_best_first(proposals: dict[str, dict[int, float]]) -> None:
    fused = fuse({name: hits(found) for name, found in proposals.items()})

    passages = [entry.passage for entry in fused]
    assert sorted(passages) == sorted({key for found in proposals.values() for key in found})
    assert [entry.score for entry in fused] == sorted((entry.score for entry in fused), reverse=True)


def test_asking_deeper_does_not_change_the_order_of_what_was_there() -> None:
    dense = {key: 0.9 - key / 500 for key in range(200)}
    lexical = {key: 20.0 - key / 10 for key in range(50, 250)}

    shallow = fuse(
        {"dense": hits(dict(list(dense.items())[:100])), "lexical": hits(dict(list(lexical.items())[:100]))}
    )
    deep = fuse({"dense": hits(dense), "lexical": hits(lexical)})

    assert [entry.passage for entry in deep[:30]] == [entry.passage for entry in shallow[:30]]
