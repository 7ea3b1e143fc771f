"""Search by words: stems, scripts, statistics of one's own, and nothing to inject."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from agentmem.stores import bm25
from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.terms import fold, terms

K1, B = 1.2, 0.75


def lexical_ids(memory: Memory, query: str, k: int = 50) -> list[str]:
    """What the lexical channel proposes, best first."""
    hits = memory._core.store.match(memory.current_namespace, terms(query), k)
    passages = memory._core.store.passages(memory.current_namespace, [hit.passage for hit in hits])
    return [passages[hit.passage].owner_id for hit in hits]


def reference_scores(documents: list[tuple[str, ...]], query: tuple[str, ...]) -> dict[int, float]:
    """Plain BM25 as Robertson and Zaragoza write it, over whole documents."""
    mean = sum(map(len, documents)) / len(documents)
    scores = {}
    for place, document in enumerate(documents):
        counts = Counter(document)
        score = 0.0
        for term in query:
            holding = sum(term in other for other in documents)
            idf = math.log(1 + (len(documents) - holding + 0.5) / (holding + 0.5))
            norm = K1 * (1 - B + B * len(document) / mean)
            score += idf * counts[term] * (K1 + 1) / (counts[term] + norm) if counts[term] else 0.0
        if score > 0:
            scores[place] = score
    return scores


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("We adopted two cats", "adopting a cat"),
        ("Zoë lives in Kraków", "ZOE krakow"),
        ("Sie wohnt in der Straße", "STRASSE"),
        ("Привет из Москвы", "москвы"),
        ("こんにちは世界", "世界"),
        ("我喜欢喝咖啡", "咖啡"),
        ("ฉันชอบกาแฟ", "กาแฟ"),
        ("The dial shows 5 ㎒", "mhz"),
        ("the word 𞤀𞤣𞤤𞤢𞤥 here", "𞤀𞤣𞤤𞤢𞤥"),
        ("caf\u0065\u0301 opens", "café"),
        ("naïve ﬁnding", "finding"),
    ],
)
def test_words_are_found_across_endings_accents_and_scripts(memory: Memory, said: str, asked: str) -> None:
    memory.remember([{"id": "hit", "content": said}, {"id": "other", "content": "Nothing of the kind"}])

    assert lexical_ids(memory, asked) == ["hit"]


@pytest.mark.parametrize(
    "query",
    [
        '" OR *',
        "cat NEAR dog",
        "terms:cat",
        'cat" OR "dog',
        "NOT cat",
        "cat*",
        "^cat",
        "(cat",
        "'; DROP TABLE events;--",
        "{cat}",
        "-cat",
        "cat AND",
        "\\",
        "1_cat",
    ],
)
def test_a_query_is_words_and_never_syntax(memory: Memory, query: str) -> None:
    memory.remember([{"id": "cat", "content": "the cat sleeps"}, {"id": "fish", "content": "the fish swims"}])

    assert "fish" not in lexical_ids(memory, query)


@pytest.mark.parametrize("query", ["the of and", "?!…", "🐈", " a "])
def test_a_query_without_a_word_proposes_nothing(memory: Memory, query: str) -> None:
    memory.remember("the cat and the dog of a neighbour")

    assert lexical_ids(memory, query) == []


def test_the_speaker_and_the_day_are_words_too(memory: Memory) -> None:
    memory.remember(
        [
            {"id": "a", "name": "Alice", "content": "Hello", "at": "2023-05-08"},
            {"id": "b", "name": "Bob", "content": "Hello", "at": "2023-06-01"},
        ]
    )

    assert lexical_ids(memory, "What did Alice say?") == ["a"]
    assert lexical_ids(memory, "June") == ["b"]


vocabulary = st.sampled_from(["apple", "banana", "cherry", "damson", "elder", "fig", "grape"])
documents = st.lists(st.lists(vocabulary, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=12)


@given(contents=documents, query=st.lists(vocabulary, min_size=1, max_size=4).map(" ".join))
def test_scores_are_those_of_plain_bm25(contents: list[str], query: str) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.namespace("neighbour").remember([{"content": f"{text} apple fig {text}"} for text in contents])
        memory.remember([{"content": text, "at": "2023-05-08", "name": "N"} for text in contents])

        hits = memory._core.store.match(memory.current_namespace, terms(query), 50)

    indexed = [terms(f"N (Monday 8 May 2023): {text}") for text in contents]
    expected = reference_scores(indexed, terms(query))
    assert sorted((hit.score for hit in hits), reverse=True) == pytest.approx(
        sorted(expected.values(), reverse=True), rel=1e-9, abs=1e-9
    )


def test_a_neighbours_words_do_not_change_a_ranking(memory: Memory) -> None:
    memory.remember([{"content": "cat dog"}, {"content": "cat cat bird"}, {"content": "dog"}])
    before = memory._core.store.match(memory.current_namespace, terms("cat dog"), 9)

    memory.namespace("neighbour").remember([{"content": f"dog number {n}"} for n in range(200)])

    assert memory._core.store.match(memory.current_namespace, terms("cat dog"), 9) == before


def test_a_query_of_very_many_words_is_answered(memory: Memory) -> None:
    memory.remember({"id": "cat", "content": "the cat sleeps"})

    query = " ".join(f"word{number}" for number in range(40_000)) + " cat"

    assert lexical_ids(memory, query) == ["cat"]


@given(text=st.text(max_size=30))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(
    word=st.text(st.characters(categories=["L", "Nd"]), min_size=2, max_size=6).filter(
        lambda word: terms(word)
    )
)
def test_every_word_that_can_be_written_can_be_found(word: str) -> None:
    with Memory("sqlite://", embedder="hash-16") as memory:
        memory.remember({"id": "hit", "content": word})

        assert lexical_ids(memory, word) == ["hit"]


@pytest.fixture
def few_are_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """A term in more than three passages is common; of such the newest four are read."""
    monkeypatch.setattr(bm25, "MAX_POSTINGS", 3)
    monkeypatch.setattr(bm25, "NEWEST", 4)
    monkeypatch.setattr(bm25, "HEAD", 1)


@pytest.mark.usefixtures("few_are_common")
def test_of_a_word_that_is_everywhere_the_newest_passages_are_found(memory_on_each: Memory) -> None:
    memory_on_each.remember([{"id": f"e{n}", "content": "a cat" + " again" * n} for n in range(9)])

    assert lexical_ids(memory_on_each, "cat", k=2) == ["e5", "e6"]


@pytest.mark.usefixtures("few_are_common")
def test_where_all_words_are_common_passages_with_two_of_them_are_found_however_old(
    memory_on_each: Memory,
) -> None:
    both = [{"id": "old", "content": "the cat saw a dog"}]
    cats = [{"content": f"cat number {n}"} for n in range(5)]
    dogs = [{"content": f"dog number {n}"} for n in range(6)]
    memory_on_each.remember(both + cats + dogs)

    assert lexical_ids(memory_on_each, "cat dog", k=1) == ["old"]


@pytest.mark.usefixtures("few_are_common")
def test_common_words_that_are_never_together_still_find_passages(memory_on_each: Memory) -> None:
    cats = [{"id": f"cat {n}", "content": f"cat number {n}"} for n in range(5)]
    dogs = [{"id": f"dog {n}", "content": f"dog number {n}"} for n in range(6)]
    memory_on_each.remember(cats + dogs)

    assert sorted(lexical_ids(memory_on_each, "cat dog")) == ["cat 1", "cat 2", "cat 3", "cat 4"]
