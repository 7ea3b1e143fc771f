"""Cases of clustering, late interaction, entropy, polar codes and compaction."""

from __future__ import annotations

import torch

from . import compact as compact_file
from . import entropy as entropy_file
from . import kmeans as kmeans_file
from . import mass as mass_file
from . import maxsim as maxsim_file
from . import polar as polar_file
from .case import BF16, BUDGET, DIM, FP16, FP32, HEADS, QUERY_HEADS, TOKENS, Case, Inputs, floats, short
from .layout import PolarKeys


def assign_case(
    points: int, clusters: int, dim: int, dtype: torch.dtype, *, problems: int = 1, timed: bool = False
) -> Case:
    def make(device: torch.device) -> Inputs:
        x = floats(problems, points, dim, device=device, dtype=dtype)
        return (x, floats(problems, clusters, dim, device=device, dtype=dtype)), {}

    moved = problems * ((points + clusters) * dim * dtype.itemsize + 8 * points)
    label = f"{points}x{clusters}-{short(dtype)}-d{dim}"
    flops = 2 * problems * points * clusters * dim
    return Case("kmeans_assign", label, kmeans_file.kmeans_assign, make, moved, flops, timed)


def update_case(points: int, clusters: int, dim: int, dtype: torch.dtype, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        ids = torch.randint(0, clusters, (points,), device=device, dtype=torch.int32)
        x = floats(points, dim, device=device, dtype=dtype)
        return (x, ids, floats(clusters, dim, device=device, dtype=FP32)), {}

    moved = points * (dim * dtype.itemsize + 4) + 2 * clusters * dim * 4
    label = f"{points}x{clusters}-{short(dtype)}-d{dim}"
    return Case("kmeans_update", label, kmeans_file.kmeans_update, make, moved, points * dim, timed)


def maxsim_case(
    documents: int,
    tokens: int,
    dtype: torch.dtype,
    *,
    words: int = 32,
    dim: int = DIM,
    coded: bool = False,
    timed: bool = False,
) -> Case:
    def make(device: torch.device) -> Inputs:
        total = documents * tokens
        offsets = torch.arange(documents + 1, device=device, dtype=torch.int32) * tokens
        query = floats(1, words, dim, device=device, dtype=dtype)
        if not coded:
            return (query, floats(total, dim, device=device, dtype=dtype), offsets), {}
        codes = torch.randint(-127, 128, (total, dim), device=device, dtype=torch.int8)
        return (query, codes, offsets), {"scale": floats(total, device=device, dtype=FP16)}

    width = dim + 2 if coded else dim * dtype.itemsize
    label = f"{words}x{documents}x{tokens}-{'int8-' if coded else ''}{short(dtype)}-d{dim}"
    flops = 2 * words * documents * tokens * dim
    return Case("maxsim", label, maxsim_file.maxsim, make, documents * tokens * width, flops, timed)


def entropy_case(rows: int, vocab: int, dtype: torch.dtype, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        return (
            floats(rows, vocab, device=device, dtype=dtype),
            torch.zeros(rows, device=device, dtype=torch.int64),
        ), {}

    moved = rows * vocab * dtype.itemsize
    return Case(
        "token_entropy",
        f"{rows}x{vocab}-{short(dtype)}",
        entropy_file.token_entropy,
        make,
        moved,
        5 * rows * vocab,
        timed,
    )


def encode_case(bits: int, dtype: torch.dtype, dim: int = DIM, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        k = floats(1, HEADS, TOKENS, dim, device=device, dtype=dtype)
        return (k, floats(dim, dim, device=device, dtype=FP32)), {"bits": bits}

    rows = HEADS * TOKENS
    moved = rows * (dim * dtype.itemsize + dim * bits // 8 + 2)
    label = f"int{bits}-{short(dtype)}-d{dim}"
    return Case("polar_encode", label, polar_file.polar_encode, make, moved, 2 * rows * dim * dim, timed)


def polar_case(bits: int, dtype: torch.dtype, dim: int = DIM, queries: int = 1, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        codes = torch.randint(0, 256, (1, HEADS, TOKENS, dim * bits // 8), device=device, dtype=torch.uint8)
        keys = PolarKeys(codes, floats(1, HEADS, TOKENS, device=device, dtype=FP16))
        q = floats(1, QUERY_HEADS, queries, dim, device=device, dtype=dtype)
        return (q, keys, floats(dim, dim, device=device, dtype=FP32)), {"bits": bits}

    moved = HEADS * TOKENS * (dim * bits // 8 + 2) + 4 * QUERY_HEADS * queries * TOKENS
    label = f"int{bits}-{short(dtype)}-d{dim}-q{queries}"
    flops = 2 * QUERY_HEADS * queries * TOKENS * dim
    return Case("polar_scores", label, polar_file.polar_scores, make, moved, flops, timed)


def index_case() -> Case:
    def make(device: torch.device) -> Inputs:
        return (torch.rand(1, HEADS, TOKENS, device=device) < BUDGET / TOKENS, BUDGET), {}

    return Case(
        "keep_index", f"{TOKENS}", compact_file.keep_index, make, HEADS * (TOKENS + 4 * BUDGET), 0, True
    )


def gather_case(dtype: torch.dtype, dim: int = DIM, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        k = floats(1, HEADS, TOKENS, dim, device=device, dtype=dtype)
        at = torch.arange(BUDGET, device=device, dtype=torch.int32) * (TOKENS // BUDGET)
        return (k, k + 1, at.repeat(1, HEADS, 1)), {}

    moved = 4 * HEADS * BUDGET * dim * dtype.itemsize
    label = f"{BUDGET}of{TOKENS}-{short(dtype)}-d{dim}"
    return Case("gather_tokens", label, compact_file.gather_tokens, make, moved, 0, timed)


def mass_case(queries: int, tokens: int, dtype: torch.dtype, dim: int = DIM, timed: bool = False) -> Case:
    def make(device: torch.device) -> Inputs:
        q = floats(1, QUERY_HEADS, queries, dim, device=device, dtype=dtype)
        return (q, floats(1, HEADS, tokens, dim, device=device, dtype=dtype)), {}

    moved = (2 * HEADS * tokens + QUERY_HEADS * queries) * dim * dtype.itemsize + 4 * HEADS * tokens
    label = f"{queries}of{tokens}-{short(dtype)}-d{dim}"
    flops = 4 * QUERY_HEADS * queries * tokens * dim
    return Case("attention_mass", label, mass_file.attention_mass, make, moved, flops, timed)


SEARCH_CASES: tuple[Case, ...] = (
    assign_case(131_072, 2048, 128, BF16, timed=True),
    assign_case(131_072, 2048, 128, FP32),
    assign_case(20_000, 512, 384, BF16),
    assign_case(20_000, 512, 80, FP16, problems=8),
    update_case(131_072, 2048, 128, BF16, timed=True),
    update_case(20_000, 512, 384, FP32),
    maxsim_case(10_000, 300, BF16, timed=True),
    maxsim_case(10_000, 300, BF16, coded=True, timed=True),
    maxsim_case(100, 300, FP32, dim=256, words=64),
    maxsim_case(100, 300, FP16, dim=80, words=5),
    maxsim_case(100, 300, FP32, coded=True),
    entropy_case(2048, 128_256, BF16, timed=True),
    entropy_case(1, 128_256, FP32, timed=True),
    entropy_case(64, 50_257, FP16),
    encode_case(4, BF16, timed=True),
    encode_case(2, FP32, dim=80),
    encode_case(4, FP16, dim=256),
    encode_case(2, BF16, dim=64),
    polar_case(4, BF16, timed=True),
    polar_case(2, FP16, dim=80, queries=8),
    polar_case(4, FP32, dim=256),
    polar_case(2, BF16, dim=64),
    index_case(),
    gather_case(BF16, timed=True),
    gather_case(FP32, dim=80),
    mass_case(64, TOKENS, BF16, timed=True),
    mass_case(4096, 4096, FP32),
    mass_case(64, 4096, FP16, dim=256),
    mass_case(64, 4096, FP32, dim=256),
)
