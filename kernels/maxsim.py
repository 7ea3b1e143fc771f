"""Late interaction: for each query and document, the sum over query tokens of the best dot product.

score(q, d) = sum_i max_j q_i . d_j   (ColBERT, arXiv 2004.12832);  for int8 documents d_j = scale_j code_j

Documents are the rows of the matrix product and queries its columns, so that ragged documents come in as they lie
and a query's tokens stay in shared memory; the running maximum is kept per lane and reduced once. All queries of a
document run next to one another and share its tokens through L2.

Axes: `Q` queries of up to `L` tokens, documents of `T` tokens in all, `D` dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import INTERPRETED, Choice, Kernel, jit_any_size, pow2
from .mma import dot, dot_rows

CHOICES = (Choice(4, 3, {"BT": 64}), Choice(4, 2, {"BT": 128}), Choice(8, 3, {"BT": 128}))
MAX_QUERY_TOKENS = 128


@jit_any_size
def maxsim_body(
    p_q: tl.tensor,
    p_docs: tl.tensor,
    p_offsets: tl.tensor,
    p_scale: tl.tensor,
    p_lengths: tl.tensor,
    p_out: tl.tensor,
    n_queries: tl.tensor,
    n_docs: tl.tensor,
    n_words: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BL: tl.constexpr,
    CODED: tl.constexpr,
    RESIDENT: tl.constexpr,
    UPCAST: tl.constexpr,
    BT: tl.constexpr,
) -> None:
    query = tl.program_id(0) % n_queries
    doc = tl.program_id(0) // n_queries
    o_l = tl.arange(0, BL)
    o_d = tl.arange(0, BD)
    m_d = o_d < D
    m_l = o_l < n_words
    p_words = p_q + query.to(tl.int64) * n_words * D
    if RESIDENT:
        # [D, L]
        b_q = tl.load(
            p_words + (o_l * D)[None, :] + o_d[:, None], mask=m_d[:, None] & m_l[None, :], other=0.0
        )
    begin = tl.load(p_offsets + doc).to(tl.int64)
    n_tokens = (tl.load(p_offsets + doc + 1).to(tl.int64) - begin).to(tl.int32)
    b_best = tl.full([BT, BL], float("-inf"), tl.float32)
    for start in range(0, n_tokens, BT):
        o_t = start + tl.arange(0, BT)
        m_t = o_t < n_tokens
        o_row = (begin + o_t) * D
        if RESIDENT:
            # [BT, D]
            b_d = tl.load(p_docs + o_row[:, None] + o_d[None, :], mask=m_t[:, None] & m_d[None, :], other=0)
            if CODED:
                # exact in any float; by way of fp32, because the interpreter's int8 to bf16 makes NaN
                b_d = b_d.to(tl.float32).to(b_q.dtype)
            b_s = dot(b_d, b_q, UPCAST)
        else:
            b_s = dot_rows(p_docs, o_row, m_t, p_words, o_l * D, m_l, D, BD, UPCAST)
        if CODED:
            b_s *= tl.load(p_scale + begin + o_t, mask=m_t, other=0.0).to(tl.float32)[:, None]
        b_s = tl.where(m_t[:, None], b_s, float("-inf"))
        b_best = tl.maximum(b_best, b_s, propagate_nan=tl.PropagateNan.ALL)
    best = tl.max(b_best, axis=0)
    # the reduction drops a NaN; put it back
    best = tl.where(tl.max((b_best != b_best).to(tl.int32), axis=0) > 0, float("nan"), best)
    n_used = tl.load(p_lengths + query) if p_lengths is not None else n_words
    total = tl.sum(tl.where(m_l & (o_l < n_used), best, 0.0), axis=0)
    total = tl.where(n_tokens > 0, total, float("-inf"))
    tl.store(p_out + query.to(tl.int64) * n_docs + doc, total)


score_docs = Kernel(maxsim_body, CHOICES, key=("BL", "D", "CODED"))


def maxsim(
    queries: Tensor,
    docs: Tensor,
    offsets: Tensor,
    *,
    query_lengths: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """Score every document for every query.

    Args:
        queries: `[Q, L, D]` floats, `L` up to 128 (the score is a sum over query tokens: split a longer query and
            add), `D` up to 256.
        docs: `[T, D]`, the documents' tokens back to back, in the queries' dtype; or int8 codes with `scale`.
        offsets: `[documents + 1]` int32 or int64, first token of each document, then `T`.
        query_lengths: `[Q]` int32, tokens in use; all `L` when not given.
        scale: `[T]` fp16, one per token, for int8 codes (`reference.quantize_tokens`).

    Returns:
        `[Q, documents]` fp32; -inf for a document without tokens.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit. Offsets are not checked.

    A NaN goes to the scores it belongs to. Moves the documents once (from L2 for queries after the first),
    `T D` elements or `T (D + 2)` bytes of codes, and `4 Q documents` bytes out; `2 Q L T D` FLOPs.
    """
    op = "maxsim"
    check.tensor(op, "queries", queries, (None, None, None), check.FLOATS)
    amount, words, dim = queries.shape
    check.tensor(op, "docs", docs, (None, dim), (torch.int8,) if scale is not None else (queries.dtype,))
    check.tensor(op, "offsets", offsets, (None,), check.INTEGERS)
    if query_lengths is not None:
        check.tensor(op, "query_lengths", query_lengths, (amount,), (torch.int32,))
    if scale is not None:
        check.tensor(op, "scale", scale, (docs.shape[0],), (torch.float16,))
    check.same_device(op, queries, docs, offsets, query_lengths, scale)
    check.option(
        op, 1 <= words <= MAX_QUERY_TOKENS, f"queries have {words} tokens, must be 1 to {MAX_QUERY_TOKENS}"
    )
    check.option(op, 1 <= dim <= 256, f"dim is {dim}, must be 1 to 256")
    check.option(op, offsets.shape[0] > 0, "offsets is empty; it must end with the number of tokens")
    documents = offsets.shape[0] - 1
    out = torch.empty(amount, documents, dtype=torch.float32, device=queries.device)
    if out.numel() == 0:
        return out
    resident = queries.dtype != torch.float32
    score_docs(
        lambda meta: (documents * amount,),
        queries,
        docs,
        offsets,
        scale,
        query_lengths,
        out,
        amount,
        documents,
        words,
        D=dim,
        BD=pow2(dim, 16) if resident else 32,
        BL=pow2(words, 16),
        CODED=scale is not None,
        fits=lambda choice: resident or choice.num_warps == 8,
        RESIDENT=resident,
        UPCAST=INTERPRETED,
    )
    return out
