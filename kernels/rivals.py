"""What each op is timed against: the same result, or the work it replaces, by the usual means.

A rival takes the case's own inputs and returns a function to time, from a CUDA graph where it can be captured, like the
op itself; one that cannot run here raises, and the benchmark says so instead of a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import torch

from . import reference
from .case import Inputs
from .layout import PAGE

Rival = Callable[[Inputs], Callable[[], Any]]


def eager(call: Callable[..., Any]) -> Rival:
    """The definition as it stands."""
    return lambda inputs: partial(call, *inputs[0], **inputs[1])


def compiled(call: Callable[..., Any]) -> Rival:
    """The definition through `torch.compile`."""
    return lambda inputs: partial(torch.compile(call, dynamic=False), *inputs[0], **inputs[1])


@lru_cache(maxsize=1)
def context(shape: tuple[int, ...], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of a whole context in bf16, one for all calls: it is larger than any cache."""
    k, v = (torch.randn(shape, dtype=torch.bfloat16, device=device) for _ in range(2))
    return k, v


def full_sdpa(inputs: Inputs) -> Callable[[], Any]:
    """Attention over the whole context in bf16: what selecting pages saves."""
    q, pages = inputs[0][:2]
    shape = (pages.k_min.shape[0], pages.k_min.shape[1], pages.k_min.shape[2] * PAGE, pages.dim)
    k, v = context(shape, q.device)
    return partial(
        torch.nn.functional.scaled_dot_product_attention, q.to(torch.bfloat16), k, v, enable_gqa=True
    )


def flex_sparse(inputs: Inputs) -> Callable[[], Any]:
    """FlexAttention over the same pages of a bf16 context, as a block mask."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    q, pages, table = inputs[0][:3]
    batch = int(table.shape[0])
    heads, held = (int(n) for n in pages.k_min.shape[1:3])
    k, v = context((batch, heads, held * PAGE, pages.dim), q.device)
    picked = torch.zeros(batch, heads, held, dtype=torch.bool, device=q.device)
    picked.scatter_(2, table.long(), True)
    shared = q.shape[1] // heads

    def wanted(b: torch.Tensor, h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        return picked[b, h // shared, j // PAGE]

    mask = create_block_mask(wanted, batch, q.shape[1], q.shape[2], held * PAGE, device=str(q.device))
    call = torch.compile(flex_attention, dynamic=False) if q.is_cuda else flex_attention
    return partial(call, q.to(torch.bfloat16), k, v, block_mask=mask, enable_gqa=True)


def faiss_assign(inputs: Inputs) -> Callable[[], Any]:
    """FAISS's flat index on the host, one query a point."""
    import faiss

    x, centroids = (t.reshape(-1, t.shape[-1]).float().cpu().numpy() for t in inputs[0])
    index = faiss.IndexFlatL2(x.shape[1])
    index.add(centroids)
    return partial(index.search, x, 1)


def torch_assign(inputs: Inputs) -> Callable[[], Any]:
    """The usual torch k-means step: the whole distance table, in the points' dtype, then its minimum."""
    x, centroids = inputs[0]

    def assign() -> torch.Tensor:
        square = centroids.float().square().sum(dim=-1).unsqueeze(-2)
        ids: torch.Tensor = (square - 2.0 * (x @ centroids.transpose(-1, -2))).argmin(dim=-1)
        return ids

    return assign


def scatter_update(inputs: Inputs) -> Callable[[], Any]:
    """`index_add_` with atomics: fast, and different on every run."""
    x, ids, old = inputs[0]

    def update() -> torch.Tensor:
        total = torch.zeros_like(old).index_add_(0, ids, x.float())
        count = torch.zeros(old.shape[0], device=x.device).index_add_(
            0, ids, torch.ones_like(ids, dtype=torch.float32)
        )
        return total / count.clamp(min=1).unsqueeze(-1)

    return update


def einsum_maxsim(inputs: Inputs) -> Callable[[], Any]:
    """All products at once, then the maxima: documents of one length only."""
    (queries, docs, offsets), options = inputs
    padded = docs.view(offsets.shape[0] - 1, -1, docs.shape[-1])

    def score() -> torch.Tensor:
        words = padded if docs.dtype == queries.dtype else padded.to(queries.dtype)
        products = torch.einsum("qld,ntd->qlnt", queries, words)
        if "scale" in options:
            products = products * options["scale"].view(padded.shape[:2])
        total: torch.Tensor = products.amax(dim=-1).sum(dim=1)
        return total

    return score


def two_softmaxes(inputs: Inputs) -> Callable[[], Any]:
    """Cross entropy and the distribution's entropy as usually written: several reads of the logits."""
    logits, targets = inputs[0]

    def measure() -> tuple[torch.Tensor, torch.Tensor]:
        surprise = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none")
        log_p = logits.float().log_softmax(dim=-1)
        return surprise, -(log_p.exp() * log_p).sum(dim=-1)

    return measure


ON_HOST = frozenset({"FAISS (CPU)"})
"""Rivals that do not run on the GPU: no graph can hold them, and their time is the host's."""
RIVALS: dict[str, dict[str, Rival]] = {
    "quantize_pack": {
        "torch": eager(reference.quantize_pack),
        "torch.compile": compiled(reference.quantize_pack),
    },
    "dequantize": {"torch": eager(reference.dequantize), "torch.compile": compiled(reference.dequantize)},
    "block_score_topk": {
        "torch": eager(reference.block_score_topk),
        "torch.compile": compiled(reference.block_score_topk),
    },
    "sparse_paged_attention": {
        "torch": eager(reference.sparse_paged_attention),
        "full SDPA": full_sdpa,
        "FlexAttention": flex_sparse,
    },
    "merge_lse": {"torch": eager(reference.merge_lse), "torch.compile": compiled(reference.merge_lse)},
    "rotate": {"torch": eager(reference.rotate), "torch.compile": compiled(reference.rotate)},
    "kmeans_assign": {"torch": torch_assign, "FAISS (CPU)": faiss_assign},
    "kmeans_update": {"index_add_": scatter_update},
    "maxsim": {"einsum": einsum_maxsim},
    "token_entropy": {"torch": two_softmaxes, "torch.compile": compiled(reference.token_entropy)},
    "polar_encode": {"torch": eager(reference.polar_encode)},
    "polar_scores": {"torch": eager(reference.polar_scores)},
    "keep_index": {"torch": eager(reference.keep_index)},
    "gather_tokens": {"torch": eager(reference.gather_tokens)},
    "attention_mass": {"torch": eager(reference.attention_mass)},
}
