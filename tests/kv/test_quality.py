"""What episodes cost against the same texts in the prompt, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentmem import Memory
from agentmem.kv import KVMemory, attach
from agentmem.kv.quality import Probe, Quality, measure
from agentmem.kv.support import shape_of

from .conftest import WORDS

ONE = Probe((" ".join(WORDS[20:60]),), " ".join(WORDS[30:50]))
TWO = Probe((" ".join(WORDS[20:60]), " ".join(WORDS[60:90])), " ".join(WORDS[30:50]))


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as opened:
        yield opened


def ask(model: Any, tokenizer: Any, probe: Probe, bits: int) -> Quality:
    return measure(model, tokenizer, shape_of(model), prefix=(), bits=bits, chunk=64, probes=[probe])


def calls(model: Any) -> list[int]:
    """Grows with every call of the model's decoder."""
    seen: list[int] = []
    model.get_decoder().register_forward_hook(lambda *_: seen.append(1))
    return seen


def test_one_text_without_a_prefix_is_as_good_as_in_the_prompt(models: Any, tokenizer: Any) -> None:
    """Then a recalled episode is the prompt's own past, number for number."""
    found = ask(models(), tokenizer, ONE, bits=16)

    assert found.kl == pytest.approx(0.0, abs=1e-6)
    assert found.agreement == 1.0
    assert found.unaided < 1.0
    assert found.tokens == 20


def test_an_episode_that_has_not_read_the_one_before_it_differs(models: Any, tokenizer: Any) -> None:
    assert ask(models(), tokenizer, TWO, bits=16).kl > 1e-4


def test_fewer_bits_cost_more(models: Any, tokenizer: Any) -> None:
    by_width = [ask(models("qwen3"), tokenizer, ONE, bits=bits).kl for bits in (16, 8, 2)]

    assert by_width == sorted(by_width)
    assert by_width[2] > 10 * by_width[1]


def test_probes_are_run_once_and_what_they_found_is_kept(models: Any, tokenizer: Any, memory: Memory) -> None:
    seen = calls(models())
    found = KVMemory(models(), tokenizer, memory).quality()
    ran = len(seen)

    again = KVMemory(models(), tokenizer, memory).quality()

    assert again == found
    assert ran > 0
    assert len(seen) == ran
    assert KVMemory(models(), tokenizer, memory, bits=2).quality() != found


def test_below_the_threshold_the_words_are_read_together(models: Any, tokenizer: Any, memory: Memory) -> None:
    kv = KVMemory(models(), tokenizer, memory, bits=2, min_agreement=1.0)
    ids = [kv.remember("babel keeps ambare .", session="a"), kv.remember("dabel likes ambare .", session="b")]

    with kv.recalled("ambare") as found:
        pass

    (episode,) = found.episodes
    assert (episode.id, episode.source, episode.tokens) == ("+".join(ids), "text", 8)
    assert "the words were read together" in episode.reason


def test_with_nothing_asked_of_them_episodes_serve_as_they_are(
    models: Any, tokenizer: Any, memory: Memory
) -> None:
    seen = calls(models("qwen2"))
    kv = KVMemory(models("qwen2"), tokenizer, memory, bits=2, min_agreement=0)
    kv.remember("babel keeps ambare .")
    before = len(seen)

    with kv.recalled("ambare") as found:
        pass

    assert [episode.source for episode in found.episodes] == ["kept"]
    assert len(seen) == before


def test_inside_attach_what_is_not_known_yet_is_not_trusted(
    models: Any, tokenizer: Any, memory: Memory
) -> None:
    kv = KVMemory(models(), tokenizer, memory)
    kv.remember("babel keeps ambare .")

    with attach(models()), kv.recalled("ambare") as found:
        pass

    assert [episode.source for episode in found.episodes] == ["text"]
    assert "call kv.quality() outside attach" in found.episodes[0].reason
