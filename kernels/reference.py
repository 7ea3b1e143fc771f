"""Every op of the kernel library in plain torch: the definition that kernels, tests and benchmarks share.

The signatures here are those of the kernels. The arithmetic is in two files: ops on KV pages, and the rest.
"""

from __future__ import annotations

from .reference_pages import (
    block_score_topk,
    dequantize,
    merge_lse,
    plain_pages,
    quantize_pack,
    rotate,
    sparse_paged_attention,
)
from .reference_search import (
    attention_mass,
    gather_tokens,
    keep_index,
    kmeans,
    kmeans_assign,
    kmeans_update,
    maxsim,
    polar_decode,
    polar_encode,
    polar_scores,
    quantize_tokens,
    token_entropy,
)

__all__ = [
    "attention_mass",
    "block_score_topk",
    "dequantize",
    "gather_tokens",
    "keep_index",
    "kmeans",
    "kmeans_assign",
    "kmeans_update",
    "maxsim",
    "merge_lse",
    "plain_pages",
    "polar_decode",
    "polar_encode",
    "polar_scores",
    "quantize_pack",
    "quantize_tokens",
    "rotate",
    "sparse_paged_attention",
    "token_entropy",
]
