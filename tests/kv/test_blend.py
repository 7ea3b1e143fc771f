"""Episodes of which some tokens are read again, and what that gives back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from agentmem import Memory
from agentmem.errors import InvalidInputError
from agentmem.kv import KVMemory
from agentmem.kv.blend import Blending, blend, blending, can_blend
from agentmem.kv.capture import Captured, capture
from agentmem.kv.episode import EpisodeKV, coded
from agentmem.kv.pages import PLAIN
from agentmem.kv.quality import Probe, measure
from agentmem.kv.support import shape_of

from .conftest import WORDS, build

PREFIX = (1,)
ONE, TWO = (
    torch.randint(3, 97, (count,), generator=torch.Generator().manual_seed(count)).tolist()
    for count in (50, 30)
)


def kept(model: Any) -> list[EpisodeKV]:
    shape = shape_of(model)
    return [
        coded(str(n), text, capture(model, shape, PREFIX, text, 64), shape, PLAIN, "")
        for n, text in enumerate((ONE, TWO))
    ]


def blended(model: Any, share: float) -> Captured:
    return blend(model, shape_of(model), PREFIX, kept(model), share)


def together(model: Any) -> Captured:
    return capture(model, shape_of(model), PREFIX, [*ONE, *TWO], 200)


def apart(found: Captured, want: Captured, layer: int) -> Tensor:
    return (found.values[layer] - want.values[layer]).norm()


@pytest.mark.parametrize("shape", ["llama", "qwen2", "qwen3", "mistral", "phi3", "llama3-rope"])
def test_with_every_token_read_again_they_are_as_if_read_together(shape: str) -> None:
    model = build(shape)

    found, want = blended(model, 1.0), together(model)

    assert all(torch.allclose(*pair, atol=1e-3) for pair in zip(found.keys, want.keys, strict=True))
    assert all(torch.allclose(*pair, atol=1e-3) for pair in zip(found.values, want.values, strict=True))


def test_the_more_is_read_again_the_nearer_they_come(models: Any) -> None:
    want = together(models())

    far = [float(apart(blended(models(), share), want, 3)) for share in (0.0, 0.2, 0.5, 1.0)]

    assert far == sorted(far, reverse=True)
    assert far[1] < 0.9 * far[0]
    assert far[3] < 1e-2


def test_the_tokens_read_again_are_those_that_deviate_most(models: Any) -> None:
    """The first episode read nothing else when it was kept: its tokens need it least."""
    running = Blending(models(), shape_of(models()), 1, kept(models()), 0.3)
    with torch.no_grad(), blending(models(), running):
        models().get_decoder()(torch.tensor([[*PREFIX, *ONE, *TWO]]), past_key_values=running)

    assert running.chosen is not None
    chosen = running.chosen.tolist()
    assert chosen[0] == 0
    assert len(chosen) == 1 + 24
    assert sum(place > 50 for place in chosen) >= 22


def test_what_was_not_read_again_stays_as_it_was_kept(models: Any) -> None:
    shape, episodes = shape_of(models()), kept(models())

    found = blend(models(), shape, PREFIX, episodes, 0.2)

    same = torch.isclose(found.values[3][:, :, :50], episodes[0].v[3], atol=1e-5).all(dim=-1).all(dim=1)
    assert int(same.sum()) >= 45


def test_the_model_is_left_as_it_was(models: Any) -> None:
    before = models()(torch.tensor([ONE])).logits

    blended(models(), 0.2)

    assert torch.equal(models()(torch.tensor([ONE])).logits, before)
    assert models().config._attn_implementation == "sdpa"


def test_models_with_windows_of_their_own_or_two_layers_are_not_blended(models: Any) -> None:
    assert can_blend(shape_of(models()))
    assert not can_blend(shape_of(models("gemma3")))
    assert not can_blend(shape_of(build("llama", num_hidden_layers=2)))


def test_the_gate_measures_what_reading_again_gives_back(models: Any, tokenizer: Any) -> None:
    """Without a prefix, texts of which every token was read again are the prompt's own past."""
    probe = Probe((" ".join(WORDS[20:60]), " ".join(WORDS[60:90])), " ".join(WORDS[30:50]))
    settings = {"prefix": (), "bits": 2, "chunk": 64, "probes": [probe]}

    found = measure(models(), tokenizer, shape_of(models()), share=1.0, **settings)

    assert found.blended == 1.0
    assert found.agreement < 1.0


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "agent.db", embedder="hash") as opened:
        yield opened


def test_below_the_threshold_a_share_is_read_again_where_that_is_enough(
    models: Any, tokenizer: Any, memory: Memory
) -> None:
    """At two bits the probes agree for a third of their tokens, and for more than half with 15 % read again."""
    kv = KVMemory(models(), tokenizer, memory, bits=2, min_agreement=0.5)
    ids = [kv.remember("babel keeps ambare .", session="a"), kv.remember("dabel likes ambare .", session="b")]

    with kv.recalled("ambare") as found:
        pass

    (episode,) = found.episodes
    assert (episode.id, episode.source, episode.tokens) == ("+".join(ids), "blended", 8)
    assert "the 15% of tokens that differ most were read again, which makes it" in episode.reason
    assert kv.quality().blended >= 0.5 > kv.quality().agreement


def test_it_can_be_ruled_out(models: Any, tokenizer: Any, memory: Memory) -> None:
    kv = KVMemory(models(), tokenizer, memory, bits=2, min_agreement=0.99, recompute=0)
    kv.remember("babel keeps ambare .")

    with kv.recalled("ambare") as found:
        pass

    assert [episode.source for episode in found.episodes] == ["text"]
    assert kv.quality().blended == 0.0


def test_a_share_that_cannot_be_is_refused(models: Any, tokenizer: Any, memory: Memory) -> None:
    with pytest.raises(InvalidInputError, match="recompute is 2"):
        KVMemory(models(), tokenizer, memory, recompute=2)
