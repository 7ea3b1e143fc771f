from __future__ import annotations

import pytest
import torch
from agentmem.kernels import reference
from agentmem.kernels.check import KernelDtypeError, KernelShapeError
from agentmem.kernels.maxsim import maxsim
from hypothesis import given, settings
from hypothesis import strategies as st


def offsets(*lengths: int) -> torch.Tensor:
    return torch.tensor([0, *lengths]).cumsum(0).to(torch.int32)


@settings(max_examples=10)
@given(
    lengths=st.lists(st.integers(0, 150), min_size=1, max_size=6),
    queries=st.integers(1, 3),
    words=st.integers(1, 40),
    dim=st.sampled_from([16, 80, 128]),
    seed=st.integers(0, 2**31),
)
def test_score_is_the_sum_of_each_words_best_match(
    lengths: list[int], queries: int, words: int, dim: int, seed: int
) -> None:
    torch.manual_seed(seed)
    q, d = torch.randn(queries, words, dim), torch.randn(sum(lengths), dim)

    got = maxsim(q, d, offsets(*lengths))

    for column, doc in enumerate(torch.split(d.double(), lengths)):
        best = (
            (q.double() @ doc.T).amax(dim=-1).sum(dim=-1) if len(doc) else torch.full((queries,), -torch.inf)
        )
        assert torch.allclose(got[:, column].double(), best.double(), rtol=1e-5, atol=1e-4)


def test_words_past_a_querys_length_do_not_count() -> None:
    q, d = torch.randn(2, 5, 32), torch.randn(9, 32)

    got = maxsim(q, d, offsets(4, 5), query_lengths=torch.tensor([5, 2], dtype=torch.int32))

    assert torch.equal(got[1:], maxsim(q[1:, :2].contiguous(), d, offsets(4, 5)))
    assert torch.equal(got[0], maxsim(q, d, offsets(4, 5))[0])


def test_document_without_tokens_ranks_last_and_a_query_without_words_is_zero() -> None:
    q, d = torch.randn(2, 3, 32), torch.randn(4, 32)

    got = maxsim(q, d, offsets(4, 0), query_lengths=torch.tensor([3, 0], dtype=torch.int32))

    assert got[:, 1].tolist() == [-torch.inf, -torch.inf]
    assert float(got[1, 0]) == 0.0


def test_nan_spoils_its_document_alone() -> None:
    d = torch.randn(10, 32)
    d[7] = torch.nan

    got = maxsim(torch.randn(1, 3, 32), d, offsets(5, 5))

    assert got.isnan().tolist() == [[False, True]]


def test_int8_documents_keep_the_ranking_within_their_rounding() -> None:
    q, d = torch.randn(1, 8, 64), torch.randn(60, 64)
    codes, scale = reference.quantize_tokens(d)

    got = maxsim(q, codes, offsets(*[10] * 6), scale=scale)

    assert torch.allclose(got, maxsim(q, d, offsets(*[10] * 6)), rtol=0.02)


def test_no_documents_are_no_scores() -> None:
    assert maxsim(torch.randn(2, 3, 16), torch.randn(0, 16), offsets()).shape == (2, 0)


def test_wrong_operands_are_refused() -> None:
    q, d = torch.randn(1, 3, 16), torch.randn(4, 16)

    with pytest.raises(KernelDtypeError, match="docs is float32, must be int8"):
        maxsim(q, d, offsets(4), scale=torch.ones(4).half())
    with pytest.raises(KernelDtypeError, match="docs is float16, must be float32"):
        maxsim(q, d.half(), offsets(4))
    with pytest.raises(KernelShapeError, match="queries have 129 tokens, must be 1 to 128"):
        maxsim(torch.randn(1, 129, 16), d, offsets(4))
    with pytest.raises(KernelShapeError, match="offsets is empty"):
        maxsim(q, d, offsets()[:0])
