"""What every tokenizer of ours promises to the packer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentmem.tokens import RegexTokenizer, as_tokenizer

texts = st.text(max_size=200)


def test_nothing_is_no_token() -> None:
    assert RegexTokenizer().count("") == 0


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("I adopted a cat.", 5),
        ("don't", 2),
        ("2023-05-08", 6),
        ("internationalization", 3),
        ("喝咖啡", 3),
        ("a\n\nb", 3),
    ],
)
def test_tokens_are_counted_as_byte_pair_tokenizers_would(text: str, tokens: int) -> None:
    assert RegexTokenizer().count(text) == tokens


@given(first=texts, second=texts)
def test_two_lines_together_cost_no_more_than_apart(first: str, second: str) -> None:
    count = RegexTokenizer().count

    assert count(f"{first}\n{second}") <= count(f"{first}\n") + count(second)


@given(text=texts)
def test_every_word_costs_something(text: str) -> None:
    assert RegexTokenizer().count(text) >= len([word for word in text.split(" ") if word.strip().isalnum()])


def test_a_function_an_encoder_and_a_tokenizer_are_all_taken() -> None:
    class Encoder:
        name_or_path = "toy"

        def encode(self, text: str) -> list[str]:
            return text.split()

    assert (as_tokenizer(len).name, as_tokenizer(len).count("four")) == ("custom", 4)
    assert (as_tokenizer(Encoder()).name, as_tokenizer(Encoder()).count("a b c")) == ("toy", 3)
    assert as_tokenizer(None).name == "agentmem-regex-1"
