from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.attend import choose_splits, sparse_paged_attention
from agentmem.kernels.check import KernelShapeError
from agentmem.kernels.layout import Pages, page_lengths
from agentmem.kernels.merge import merge_lse
from agentmem.kernels.reference_pages import turn
from agentmem.kernels.tables import page_rotation, pair_order, rope_tables
from hypothesis import given, settings
from hypothesis import strategies as st

FREQUENCIES = 10_000.0 ** -(torch.arange(32).double() / 32)


def whole_table(batch: int, heads: int, pages: int) -> torch.Tensor:
    return torch.arange(pages, dtype=torch.int32).repeat(batch, heads, 1)


@pytest.fixture
def kv() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(1, 2, 150, 64), torch.randn(1, 2, 150, 64)


@pytest.fixture
def q() -> torch.Tensor:
    return torch.randn(1, 8, 2, 64)


def test_all_pages_give_full_attention(q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]) -> None:
    """An outside truth: torch's own attention over the same keys, to 1e-5 in fp32."""
    got = sparse_paged_attention(q, reference.plain_pages(*kv), whole_table(1, 2, 3), page_lengths(150))

    want = torch.nn.functional.scaled_dot_product_attention(
        q.double(), *(x.double() for x in kv), enable_gqa=True
    )
    assert torch.allclose(got.out.double(), want, atol=1e-5)


def test_parts_merge_to_the_whole(q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]) -> None:
    pages, lengths = reference.plain_pages(*kv), page_lengths(150)
    whole = sparse_paged_attention(q, pages, whole_table(1, 2, 3), lengths)

    parts = [
        sparse_paged_attention(q, pages, whole_table(1, 2, 3)[..., at].contiguous(), lengths)
        for at in ([0], [1, 2])
    ]
    merged = merge_lse(torch.stack([p.out for p in parts]), torch.stack([p.lse for p in parts]))

    assert torch.allclose(merged.out, whole.out, atol=1e-5)
    assert torch.allclose(merged.lse, whole.lse, atol=1e-5)


def test_moved_page_equals_keys_turned_at_their_new_place(
    q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """Angles split into base and offset are the angles of the sum, at positions where fp32 angles would be off."""
    bases = torch.tensor([[900_001, 17, 123_456]])
    rotation = page_rotation(FREQUENCIES, bases, 64)

    got = sparse_paged_attention(
        q, reference.plain_pages(*kv), whole_table(1, 2, 3), page_lengths(150), rotation=rotation
    )

    positions = (bases[0, :, None] + torch.arange(64)).view(-1)[:150]
    angle = positions.double()[:, None] * FREQUENCIES
    turned = turn(kv[0].double(), angle.cos(), angle.sin())
    want = torch.nn.functional.scaled_dot_product_attention(
        q.double(), turned, kv[1].double(), enable_gqa=True
    )
    assert torch.allclose(got.out.double(), want, atol=1e-5)


def test_partial_rotary_works_in_pair_order(q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]) -> None:
    order, some = pair_order(64, 24), FREQUENCIES[:12]
    rotation = page_rotation(some, torch.tensor([[1000, 1064, 1128]]), 64)

    pages = reference.plain_pages(kv[0][..., order].contiguous(), kv[1])
    got = sparse_paged_attention(
        q[..., order].contiguous(), pages, whole_table(1, 2, 3), page_lengths(150), rotation=rotation
    )

    cos, sin = rope_tables(some, torch.arange(1000, 1150)[None])
    turned = reference.rotate(kv[0], cos, sin)
    want = torch.nn.functional.scaled_dot_product_attention(q, turned, kv[1], enable_gqa=True)
    assert torch.allclose(got.out, want, atol=1e-5)


@settings(max_examples=8)
@given(
    tokens=st.integers(1, 200),
    shared=st.sampled_from([1, 4, 8]),
    queries=st.integers(1, 8),
    bits=st.sampled_from([2, 4, 8]),
    splits=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_any_split_of_any_pages_agrees_with_the_definition(
    tokens: int, shared: int, queries: int, bits: int, splits: int, seed: int
) -> None:
    torch.manual_seed(seed)
    q = torch.randn(1, shared, queries, 64)
    pages = reference.quantize_pack(
        torch.randn(1, 1, tokens, 64), torch.randn(1, 1, tokens, 64), k_bits=bits, v_bits=bits
    )
    held = pages.k.shape[2]
    table, lengths = torch.randperm(held).to(torch.int32).view(1, 1, held), page_lengths(tokens)

    got = sparse_paged_attention(q, pages, table, lengths, splits=min(splits, held))

    want = reference.sparse_paged_attention(q, pages, table, lengths)
    assert torch.allclose(got.out, want.out, atol=2e-5)
    assert torch.allclose(got.lse, want.lse, atol=2e-5)


def test_what_is_not_selected_or_past_the_length_is_never_seen(
    q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]
) -> None:
    pages, table, lengths = (
        reference.plain_pages(*kv),
        whole_table(1, 2, 3)[..., 1:].contiguous(),
        page_lengths(150),
    )
    clean = sparse_paged_attention(q, pages, table, lengths)

    pages.k[:, :, 0] = pages.v[:, :, 0] = torch.nan
    pages.k[:, :, 2, 22:] = pages.v[:, :, 2, 22:] = torch.inf

    assert torch.equal(sparse_paged_attention(q, pages, table, lengths).out, clean.out)


def test_nan_in_an_attended_key_reaches_its_head_and_no_other(
    q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]
) -> None:
    kv[0][0, 1, 70] = torch.nan

    got = sparse_paged_attention(q, reference.plain_pages(*kv), whole_table(1, 2, 3), page_lengths(150))

    assert got.out[0, 4:].isnan().all()
    assert got.out[0, :4].isfinite().all()


def test_nothing_selected_is_zero_output_that_merges_away(
    q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]
) -> None:
    nothing = torch.full((1, 2, 2), -1, dtype=torch.int32)

    got = sparse_paged_attention(q, reference.plain_pages(*kv), nothing, page_lengths(150))

    assert (got.out == 0).all()
    assert (got.lse == -torch.inf).all()


def test_splits_fill_the_gpu_and_never_outnumber_half_the_pages() -> None:
    assert choose_splits(8, 64) == 32
    assert choose_splits(8, 4) == 2
    assert choose_splits(1000, 64) == 1
    assert choose_splits(1, 1) == 1


def test_what_cannot_be_attended_is_refused(q: torch.Tensor, kv: tuple[torch.Tensor, torch.Tensor]) -> None:
    pages, table, lengths = reference.plain_pages(*kv), whole_table(1, 2, 3), page_lengths(150)

    def call(
        q: torch.Tensor = q, pages: Pages = pages, table: torch.Tensor = table, splits: int | None = None
    ) -> None:
        sparse_paged_attention(q, pages, table, lengths, splits=splits)

    with pytest.raises(KernelShapeError, match="9 query tokens, must be 1 to 8"):
        call(q=torch.randn(1, 2, 9, 64))
    with pytest.raises(KernelShapeError, match="128 query rows a KV head, at most 64"):
        call(q=torch.randn(1, 32, 8, 64))
    with pytest.raises(KernelShapeError, match=r"table has shape \[1, 1, 3\], must be \[1, 2, any\]"):
        call(table=table[:, :1].contiguous())
    with pytest.raises(KernelShapeError, match="4 splits of 3 slots"):
        call(splits=4)
    with pytest.raises(KernelShapeError, match="pages have batch 3, must be 1 or 1"):
        call(pages=reference.plain_pages(*(x.repeat(3, 1, 1, 1) for x in kv)))
