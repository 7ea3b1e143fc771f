"""Long messages are cut where they part by themselves, and nothing of them is lost."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from agentmem import Memory
from agentmem.write.passages import MAX_CHARS, event_passages, spans

lumps = st.sampled_from(
    [
        "word ",
        "A sentence. ",
        "\n\n",
        "\n",
        "```\ncode\n```\n",
        "```",
        "x" * 50,
        "喝咖啡。",
        "| a | b |\n",
        " ",
        "\t",
        "\r\n",
        "🐈",
    ]
)
long_texts = st.lists(lumps, min_size=1, max_size=60).map("".join)


@given(text=st.one_of(st.text(max_size=200), long_texts), max_chars=st.integers(1, 60))
def test_spans_cover_the_text_without_gap_or_overlap_and_each_fits(text: str, max_chars: int) -> None:
    found = spans(text, max_chars)

    assert [found[0][0], found[-1][1]] == [0, len(text)]
    assert all(left[1] == right[0] for left, right in itertools.pairwise(found))
    assert all(end - start <= max_chars for start, end in found)


def test_a_short_message_is_one_passage() -> None:
    assert spans("Hello there.") == [(0, 12)]


def test_a_text_is_cut_between_paragraphs_before_sentences() -> None:
    text = "First one. Second one.\n\nThird one. Fourth one."

    assert [text[start:end] for start, end in spans(text, 30)] == [
        "First one. Second one.\n\n",
        "Third one. Fourth one.",
    ]


def test_a_paragraph_is_cut_between_sentences_before_words() -> None:
    text = "The first sentence. The second sentence."

    assert [text[start:end] for start, end in spans(text, 25)] == [
        "The first sentence. ",
        "The second sentence.",
    ]


def test_a_word_is_cut_only_where_it_does_not_fit_by_itself() -> None:
    text = "short " + "x" * 25 + " short"

    assert [text[start:end] for start, end in spans(text, 10)] == [
        "short ",
        "x" * 10,
        "x" * 10,
        "xxxxx ",
        "short",
    ]


def test_a_block_of_code_is_kept_whole_where_it_fits() -> None:
    code = "```python\ndef f():\n\n    return 1\n\n\nprint(f())\n```\n"
    text = "Intro. " * 10 + "\n\n" + code + "\nOutro. " * 10

    pieces = [text[start:end] for start, end in spans(text, 80)]

    assert sum(code in piece for piece in pieces) == 1


def test_a_passage_is_indexed_with_its_speaker_and_day() -> None:
    (passage,) = event_passages("Alice", datetime(2023, 5, 8, 23, 0, tzinfo=UTC), "I adopted a cat.")

    assert passage.index_text == "Alice (Monday 8 May 2023): I adopted a cat."
    assert passage.terms == ("alic", "mondai", "8", "mai", "2023", "adopt", "cat")


def test_every_part_of_a_long_message_can_be_found(memory: Memory) -> None:
    parts = [
        f"Chapter {number} is about the {animal}. " + "Filler text. " * 60
        for number, animal in enumerate(["lynx", "heron", "otter", "badger"])
    ]
    memory.remember({"id": "book", "content": "\n\n".join(parts)})

    found = memory.recall("What is the chapter about the otter?", budget_tokens=400)

    assert found.items[0].id == "book"
    assert found.items[0].span is not None
    assert "otter" in found.items[0].text
    assert len(found.items[0].text) <= MAX_CHARS
    assert memory.stats().passages == 9
