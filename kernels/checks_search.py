"""Checks of clustering, late interaction, entropy, polar codes and compaction, on odd shapes and every dtype."""

from __future__ import annotations

from typing import Any

import torch

from . import compact, entropy, kmeans, mass, maxsim, polar, reference
from .case import BF16, FP16, FP32, Inputs, floats, short
from .layout import Assignment, PolarKeys
from .polar_code import random_rotation
from .verify import Check, compare


def nearest_agrees(got: Assignment, want: Assignment, inputs: Inputs) -> list[str]:
    """The distances agree, and each point's centroid is at its distance: two may be equally near up to rounding."""
    x, centroids = (t.float() for t in inputs[0])
    picked = centroids.gather(-2, got.ids.long().unsqueeze(-1).expand(*got.ids.shape, x.shape[-1]))
    there = (x - picked).square().sum(dim=-1)
    return compare(got.distance, want.distance, 1e-4, "distance") + compare(there, want.distance, 1e-4, "ids")


def assign_check(problems: int, points: int, clusters: int, dim: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        x = floats(problems, points, dim, device=device, dtype=dtype)
        return (x, floats(problems, clusters, dim, device=device, dtype=dtype)), {}

    label = f"{problems}x{points}x{clusters}-d{dim}-{short(dtype)}"
    call, definition = kmeans.kmeans_assign, reference.kmeans_assign
    return Check("kmeans_assign", label, call, definition, make, agree=nearest_agrees)


def update_check(problems: int, points: int, clusters: int, dim: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        # the last centroid has no points
        ids = torch.randint(0, max(1, clusters - 1), (problems, points), device=device, dtype=torch.int32)
        x = floats(problems, points, dim, device=device, dtype=dtype)
        return (x, ids, floats(problems, clusters, dim, device=device, dtype=FP32)), {}

    label = f"{problems}x{points}x{clusters}-d{dim}-{short(dtype)}"
    return Check("kmeans_update", label, kmeans.kmeans_update, reference.kmeans_update, make)


def kmeans_check(points: int, clusters: int, dim: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        # clusters far apart: rounding moves no point
        centres = floats(clusters, dim, device=device, dtype=FP32) * 5
        member = torch.arange(points, device=device) % clusters
        x = (centres[member] + floats(points, dim, device=device, dtype=FP32)).to(dtype)
        return (x, x[:clusters].float()), {"iterations": 2}

    label = f"{points}x{clusters}-d{dim}-{short(dtype)}"
    return Check("kmeans", label, kmeans.kmeans, reference.kmeans, make, 1e-3)


def maxsim_check(
    queries: int, words: int, lengths: tuple[int, ...], dim: int, dtype: torch.dtype, *, coded: bool = False
) -> Check:
    def make(device: torch.device) -> Inputs:
        total = sum(lengths)
        ends = torch.tensor([0, *lengths], device=device).cumsum(0).to(torch.int32)
        options: dict[str, Any] = {
            "query_lengths": (torch.arange(queries, device=device) % (words + 1)).to(torch.int32)
        }
        docs = floats(total, dim, device=device, dtype=dtype)
        if coded:
            docs, options["scale"] = reference.quantize_tokens(docs)
        return (floats(queries, words, dim, device=device, dtype=dtype), docs, ends), options

    label = f"{queries}x{words}x{len(lengths)}docs-d{dim}-{short(dtype)}" + ("-int8" if coded else "")
    tolerance = None if dtype == FP32 else 1e-3
    return Check("maxsim", label, maxsim.maxsim, reference.maxsim, make, tolerance)


def entropy_check(rows: int, vocab: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        logits = floats(rows, vocab, device=device, dtype=dtype) * 5
        logits[0, : vocab // 2] = -torch.inf
        targets = torch.randint(0, vocab, (rows,), device=device)
        targets[-1] = -100
        return (logits, targets), {}

    call, definition = entropy.token_entropy, reference.token_entropy
    return Check("token_entropy", f"{rows}x{vocab}-{short(dtype)}", call, definition, make, 2e-5)


def polar_agrees(got: PolarKeys, want: PolarKeys, inputs: Inputs) -> list[str]:
    """Codes are equal but where a pair lies on an edge up to rounding, and there no further from the key."""
    (k, rotation), bits = inputs[0], inputs[1]["bits"]
    wrong = float((got.codes != want.codes).float().mean())
    kept, asked = (
        torch.nn.functional.cosine_similarity(
            reference.polar_decode(keys, rotation, bits=bits), k.float(), dim=-1
        )
        for keys in (got, want)
    )
    faults = [f"{wrong:.1%} of the codes differ, allowed 0.5%"] if wrong > 0.005 else []
    return faults + compare(kept, asked, 2e-3, "cosine") + compare(got.norm, want.norm, 1e-3, "norm")


def encode_check(tokens: int, dim: int, bits: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        k = floats(1, 2, tokens, dim, device=device, dtype=dtype)
        return (k, random_rotation(dim).to(device)), {"bits": bits}

    label = f"t{tokens}-d{dim}-int{bits}-{short(dtype)}"
    return Check("polar_encode", label, polar.polar_encode, reference.polar_encode, make, agree=polar_agrees)


def scores_check(tokens: int, dim: int, shared: int, queries: int, bits: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        rotation = random_rotation(dim).to(device)
        keys = reference.polar_encode(
            floats(2, 2, tokens, dim, device=device, dtype=FP32), rotation, bits=bits
        )
        return (floats(2, 2 * shared, queries, dim, device=device, dtype=dtype), keys, rotation), {
            "bits": bits
        }

    label = f"t{tokens}-d{dim}-g{shared}-q{queries}-int{bits}-{short(dtype)}"
    return Check("polar_scores", label, polar.polar_scores, reference.polar_scores, make, 4e-3)


def index_check(tokens: int, budget: int, share: float) -> Check:
    def make(device: torch.device) -> Inputs:
        return (torch.rand(2, 3, tokens, device=device) < share, budget), {}

    label = f"{budget}of{tokens}-{share}"
    return Check("keep_index", label, compact.keep_index, reference.keep_index, make)


def gather_check(tokens: int, kept: int, dim: int, dtype: torch.dtype) -> Check:
    def make(device: torch.device) -> Inputs:
        k = floats(2, 2, tokens, dim, device=device, dtype=dtype)
        at = torch.randint(-1, tokens, (2, 2, kept), device=device, dtype=torch.int32)
        return (k, -k, at), {}

    label = f"{kept}of{tokens}-d{dim}-{short(dtype)}"
    return Check("gather_tokens", label, compact.gather_tokens, reference.gather_tokens, make, 0.0)


def mass_check(
    queries: int, tokens: int, dim: int, shared: int, dtype: torch.dtype, start: int | None = None
) -> Check:
    def make(device: torch.device) -> Inputs:
        q = floats(1, 2 * shared, queries, dim, device=device, dtype=dtype)
        return (q, floats(1, 2, tokens, dim, device=device, dtype=dtype)), {"start": start}

    label = f"{queries}of{tokens}-d{dim}-g{shared}-{short(dtype)}" + ("" if start is None else f"-at{start}")
    return Check("attention_mass", label, mass.attention_mass, reference.attention_mass, make, 1e-4)


SEARCH_CHECKS: tuple[Check, ...] = (
    assign_check(1, 1, 1, 64, FP32),
    assign_check(1, 300, 70, 128, FP32),
    assign_check(2, 65, 63, 80, BF16),
    assign_check(1, 130, 130, 384, FP16),
    update_check(1, 1, 1, 64, FP32),
    update_check(2, 65, 3, 80, BF16),
    update_check(1, 1000, 4, 200, FP32),
    kmeans_check(63, 4, 96, FP32),
    kmeans_check(65, 3, 64, BF16),
    maxsim_check(1, 1, (1,), 64, FP32),
    maxsim_check(2, 32, (3, 0, 130, 64), 128, FP32),
    maxsim_check(3, 5, (65, 1), 80, BF16),
    maxsim_check(3, 5, (65, 0, 7), 80, BF16, coded=True),
    maxsim_check(2, 20, (63, 65), 256, FP16, coded=True),
    maxsim_check(1, 4, (100,), 96, FP32, coded=True),
    entropy_check(1, 1, FP32),
    entropy_check(5, 1000, FP16),
    entropy_check(3, 20_000, BF16),
    entropy_check(2, 8193, FP32),
    encode_check(1, 64, 4, FP32),
    encode_check(65, 80, 2, BF16),
    encode_check(63, 96, 4, FP16),
    encode_check(100, 128, 4, BF16),
    encode_check(30, 256, 2, FP32),
    scores_check(1, 64, 1, 1, 4, FP32),
    scores_check(65, 80, 4, 3, 2, BF16),
    scores_check(63, 256, 8, 8, 4, FP16),
    scores_check(40, 128, 1, 2, 2, FP32),
    index_check(1, 3, 1.1),
    index_check(1000, 65, 0.5),
    index_check(5000, 63, 0.01),
    index_check(65, 100, -1.0),
    gather_check(1, 1, 64, FP32),
    gather_check(65, 63, 80, BF16),
    gather_check(1000, 20, 256, FP16),
    mass_check(1, 1, 64, 1, FP32),
    mass_check(65, 65, 80, 4, FP32),
    mass_check(7, 130, 96, 8, BF16),
    mass_check(10, 100, 128, 1, FP16, start=3),
    mass_check(3, 70, 256, 2, FP32, start=0),
)
