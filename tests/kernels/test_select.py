from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelShapeError
from agentmem.kernels.quantize import quantize_pack
from agentmem.kernels.reference_pages import turn
from agentmem.kernels.select import block_score_topk
from agentmem.kernels.tables import page_rotation, rope_tables
from hypothesis import given, settings
from hypothesis import strategies as st

FREQUENCIES = 10_000.0 ** -(torch.arange(32).double() / 32)


@settings(max_examples=12)
@given(
    pages=st.integers(1, 70),
    k=st.integers(1, 80),
    shared=st.sampled_from([1, 4, 8]),
    dim=st.sampled_from([64, 80]),
    sinks=st.integers(0, 2),
    recent=st.integers(0, 2),
    reduce=st.sampled_from(["max", "mean"]),
    seed=st.integers(0, 2**31),
)
def test_same_pages_in_the_same_order_as_the_definition(
    pages: int, k: int, shared: int, dim: int, sinks: int, recent: int, reduce: str, seed: int
) -> None:
    torch.manual_seed(seed)
    q, low = torch.randn(1, 2 * shared, dim), torch.randn(1, 2, pages, dim)
    asked = {"sinks": min(sinks, k), "recent": min(recent, k - min(sinks, k)), "reduce": reduce}

    got = block_score_topk(q, low, low + 1, k, **asked)

    assert torch.equal(got.ids, reference.block_score_topk(q, low, low + 1, k, **asked).ids)


def test_score_is_a_bound_on_every_key_of_the_page_wherever_it_stands() -> None:
    """Quest's promise, kept for pre-RoPE pages: no turned key scores above its page."""
    k, q = torch.randn(1, 1, 200, 64), torch.randn(1, 4, 64)
    bases = torch.tensor([[70_000, 3, 512, 64]])
    rotation = page_rotation(FREQUENCIES, bases, 64)
    pages = quantize_pack(k, k, cos=rotation.offset_cos, sin=rotation.offset_sin)

    got = block_score_topk(q, pages.k_min, pages.k_max, 4, sinks=0, recent=0, rotation=rotation)

    positions = (bases[0, :, None] + torch.arange(64)).view(-1)[:200]
    score = (q[0] @ turn(k[0, 0], *rope_tables(FREQUENCIES, positions)).T).amax(dim=0)
    by_page = torch.nn.functional.pad(score, (0, 56), value=-torch.inf).view(4, 64).amax(dim=1)
    assert (got.scores[0, 0] >= by_page[got.ids[0, 0].long()] - 1e-4).all()


def test_sinks_and_recent_pages_of_those_in_use_come_first() -> None:
    q, low = torch.ones(2, 1, 64), torch.zeros(2, 1, 10, 64)
    low[:, :, 5] = 1.0

    got = block_score_topk(
        q, low, low, 4, sinks=1, recent=2, n_blocks=torch.tensor([10, 7], dtype=torch.int32)
    )

    assert got.ids[:, 0].tolist() == [[0, 8, 9, 5], [0, 5, 6, 1]]


def test_equal_pages_are_taken_from_the_lowest() -> None:
    got = block_score_topk(torch.ones(1, 1, 64), torch.ones(1, 1, 40, 64), None, 5, sinks=0, recent=0)

    assert got.ids[0, 0].tolist() == [0, 1, 2, 3, 4]


def test_empty_slots_are_marked() -> None:
    got = block_score_topk(torch.ones(1, 1, 64), torch.ones(1, 1, 3, 64), None, 5)

    assert got.ids[0, 0].tolist() == [0, 2, 1, -1, -1]
    assert got.scores[0, 0, 3:].tolist() == [-torch.inf, -torch.inf]


def test_page_of_nans_is_taken_last() -> None:
    low = torch.ones(1, 1, 4, 64)
    low[0, 0, 1] = torch.nan

    got = block_score_topk(torch.ones(1, 1, 64), low, low, 4, sinks=0, recent=0)

    assert got.ids[0, 0].tolist() == [0, 2, 3, 1]


def test_what_cannot_be_selected_is_refused() -> None:
    q, low = torch.ones(1, 3, 64), torch.ones(1, 2, 4, 64)

    with pytest.raises(KernelShapeError, match="3 query heads do not share 2 KV heads"):
        block_score_topk(q, low, low, 2)
    with pytest.raises(KernelShapeError, match="2 sinks and 2 recent pages do not fit into 3"):
        block_score_topk(q[:, :2].contiguous(), low, low, 3, sinks=2, recent=2)
    with pytest.raises(KernelShapeError, match="reduce is 'sum'"):
        block_score_topk(q[:, :2].contiguous(), low, low, 3, reduce="sum")
    rotation = page_rotation(FREQUENCIES, torch.zeros(1, 5, dtype=torch.int64), 64)
    with pytest.raises(KernelShapeError, match=r"rotation\.rows has shape"):
        block_score_topk(q[:, :2].contiguous(), low, low, 2, rotation=rotation)
