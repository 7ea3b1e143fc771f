"""Recalled blocks beside a model's own cache: exactly what one attention over everything would give."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from agentmem.kv import attach
from agentmem.kv.attachment import Attachment
from agentmem.kv.blocks import Blocks, attend_both, in_front, local
from agentmem.kv.capture import capture
from agentmem.kv.episode import EpisodeKV, coded
from agentmem.kv.pages import PAGE
from agentmem.kv.places import back_to_back, stand
from agentmem.kv.rotary import turning
from agentmem.kv.support import Shape, shape_of

from .conftest import SHAPES, build

PREFIX = (1,)
BASE = 141
"""Where the reference stands the prompt; only differences of positions count, and it makes its angles in fp32."""


def episodes_of(model: Any, shape: Shape, texts: Sequence[Sequence[int]], bits: int = 16) -> list[EpisodeKV]:
    return [
        coded(str(n), text, capture(model, shape, PREFIX, text, 32), shape, bits, "")
        for n, text in enumerate(texts)
    ]


def stood(shape: Shape, episodes: Sequence[EpisodeKV], take: int = 99) -> tuple[dict[int, Blocks], list[int]]:
    starts = back_to_back([episode.tokens for episode in episodes], 10_000)
    return stand(shape, episodes, starts, take, torch.device("cpu")), starts


def block_diagonal(
    model: Any, shape: Shape, texts: Sequence[Sequence[int]], prompt: Sequence[int], starts: Sequence[int]
) -> Tensor:
    """Logits of the prompt when each text sees its own prefix and itself, and the prompt all texts and itself."""
    group, positions, ids = [], [], []
    for number, (text, start) in enumerate(zip(texts, starts, strict=True)):
        group += [(number, False)] + [(number, True)] * len(text)
        positions += list(range(BASE + start - 1, BASE + start + len(text)))
        ids += [*PREFIX, *text]
    group += [(-1, True)] * len(prompt)
    positions += list(range(BASE, BASE + len(prompt)))
    ids += prompt
    own = torch.tensor([number for number, _ in group])
    kept = torch.tensor([body for _, body in group])
    at = torch.tensor(positions)
    same = own[:, None] == own[None]
    seen = torch.ones(len(ids), len(ids), dtype=torch.bool).tril() & (
        same | ((own == -1)[:, None] & kept[None])
    )
    window = max((w for w in shape.windows if w is not None), default=None)
    masks = {
        "full_attention": seen,
        "sliding_attention": seen & same & (at[:, None] - at[None] < (window or 1)),
    }
    blank = torch.finfo(torch.float32).min
    tables = {kind: torch.where(mask, 0.0, blank)[None, None] for kind, mask in masks.items()}
    with torch.no_grad():
        out = model(
            torch.tensor([ids]),
            position_ids=at[None],
            attention_mask=tables if window else tables["full_attention"],
            use_cache=False,
        )
    logits: Tensor = out.logits[0, -len(prompt) :]
    return logits


@torch.no_grad()
def told(model: Any, attached: Attachment, prompt: Sequence[int], first: int) -> Tensor:
    """Logits of the prompt, `first` tokens in one call and the others one by one."""
    out = model(torch.tensor([prompt[:first]]))
    parts = [out.logits[0]]
    for token in prompt[first:]:
        out = model(torch.tensor([[token]]), past_key_values=out.past_key_values)
        parts.append(out.logits[0])
    return torch.cat(parts)


@pytest.fixture
def texts() -> list[list[int]]:
    torch.manual_seed(2)
    return [torch.randint(3, 97, (n,)).tolist() for n in (70, 64, 5)]


@pytest.mark.parametrize("shape_name", [*sorted(set(SHAPES) - {"mistral-window"}), "phi3-partial"])
@pytest.mark.parametrize("first", [12, 3])
def test_injection_equals_the_block_diagonal_reference(
    shape_name: str, first: int, texts: list[list[int]], prompt: Tensor
) -> None:
    """A long first call lays the blocks out in front; a short one, and each decoded token, reads pages."""
    model = partial_rotary() if shape_name == "phi3-partial" else build(shape_name)
    shape, asked = turning(model, shape_of(model)), prompt[0, :14].tolist()
    blocks, starts = stood(shape, episodes_of(model, shape, texts))

    with attach(model) as attached:
        attached.recalled = blocks
        logits = told(model, attached, asked, first)

    want = block_diagonal(model, shape, texts, asked, starts)
    assert float((logits - want).abs().max()) <= 1e-5 * float(want.abs().max())


def partial_rotary() -> Any:
    rope = {"rope_type": "default", "rope_theta": 10_000.0, "partial_rotary_factor": 0.5}
    return build("phi3", rope_parameters=rope)


def parts(take: int, queries: int, batch: int = 1) -> SimpleNamespace:
    """A layer of noise: two KV heads, five pages with the last one short, eleven tokens of its own."""
    torch.manual_seed(3)
    k, v = (torch.randn(1, 2, 300, 32) for _ in range(2))
    k[:, :, 2 * PAGE + 7] *= 10
    found = SimpleNamespace(keys=(k,), values=(v,))
    frequencies = 100.0 ** -(torch.arange(16) / 16)
    shape = Shape(windows=(None,), frequencies=(frequencies,), kv_heads=2, head_dim=32)
    episode = coded("e", range(300), found, shape, 16, "")  # type: ignore[arg-type]
    return SimpleNamespace(
        k=k,
        v=v,
        blocks=stood(shape, [episode], take)[0][0],
        query=torch.randn(batch, 4, queries, 32),
        key=torch.randn(batch, 2, 11, 32),
        value=torch.randn(batch, 2, 11, 32),
        seen=torch.ones(queries, 11).tril(11 - queries).bool()[None, None],
    )


def test_merged_attention_is_one_softmax_over_all_keys() -> None:
    made = parts(take=99, queries=4, batch=2)

    merged = attend_both(made.query, made.key, made.value, made.seen, made.blocks, 0.2)

    key, value, seen = in_front(made.key, made.value, made.seen, made.query, made.blocks)
    want, _ = local(made.query, key, value, seen, 0.2)
    assert float((merged - want).abs().max()) <= 1e-5


def test_best_blocks_are_those_with_the_heaviest_keys_for_the_query() -> None:
    made = parts(take=2, queries=1)
    far = made.blocks.laid_out(made.query)[0]
    wanted = far[0, :, 2 * PAGE + 7]
    query = wanted.repeat_interleave(2, dim=0)[None, :, None]

    chosen = made.blocks.choose(query)

    assert chosen.shape == (1, 2, 2)
    assert (chosen == 2).any(dim=-1).tolist() == [[True, True]]


def test_only_taken_blocks_are_seen_in_front_of_a_prompt() -> None:
    made = parts(take=2, queries=12)

    _, _, seen = made.blocks.laid_out(made.query)

    chosen = made.blocks.choose(made.query)[0, 0].tolist()
    by_page = seen[0, 0, 0].view(5, PAGE).sum(dim=-1).tolist()
    assert [page for page, count in enumerate(by_page) if count] == sorted(chosen)
    assert sum(by_page) == sum(300 - 4 * PAGE if page == 4 else PAGE for page in chosen)


def test_blocks_leave_no_trace_after_the_recall(models: Any, texts: list[list[int]], prompt: Tensor) -> None:
    model = models()
    shape = shape_of(model)
    blocks, _ = stood(shape, episodes_of(model, shape, texts))

    with attach(model) as attached:
        attached.recalled = blocks
        inside = model(prompt).logits
        attached.recalled = {}
        after = model(prompt).logits

    assert torch.allclose(after, model(prompt).logits, atol=1e-5)
    assert not torch.allclose(after, inside, atol=1e-2)
