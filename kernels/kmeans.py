"""k-means on the GPU: assignment by online argmin, update by segments; deterministic, and compiled once for any N, K.

assign: id_n = argmin_k |c_k|^2 - 2 x_n . c_k, lowest on a tie; the N x K table is never stored (FlashAssign of
Flash-KMeans). With LANEWISE every lane keeps its own running minimum and the tile it came from, and one reduction
is done at the end; without, each tile is reduced, which leaves registers for a wider tile. Tuning decides.
update: points are put in the order of their ids by a stable sort; each centroid's run is summed in that order by a
fixed number of programs, and their sums added in order. No float atomics: the same input gives the same bits.

Axes: `Z` problems (heads, or 1), `N` points, `K` centroids, `D` dim.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import INTERPRETED, Choice, Kernel, cdiv, jit_any_size, pow2
from .layout import Assignment, Clusters
from .mma import dot, dot_rows

ASSIGN_CHOICES = (
    Choice(8, 3, {"BN": 128, "BK": 64, "LANEWISE": 1}),
    Choice(4, 3, {"BN": 64, "BK": 64, "LANEWISE": 1}),
    Choice(8, 3, {"BN": 128, "BK": 128, "LANEWISE": 0}),
    Choice(8, 2, {"BN": 64, "BK": 256, "LANEWISE": 0}),
)
RESIDENT_DIM = 128
"""Widest 16-bit point that stays in registers while the centroids go by."""


@jit_any_size
def assign_body(
    p_x: tl.tensor,
    p_c: tl.tensor,
    p_square: tl.tensor,
    p_ids: tl.tensor,
    p_distance: tl.tensor,
    n_points: tl.tensor,
    n_clusters: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    RESIDENT: tl.constexpr,
    UPCAST: tl.constexpr,
    BN: tl.constexpr,
    BK: tl.constexpr,
    LANEWISE: tl.constexpr,
) -> None:
    o_n = tl.program_id(0) * BN + tl.arange(0, BN)
    problem = tl.program_id(1).to(tl.int64)
    o_lane = tl.arange(0, BK)
    o_d = tl.arange(0, BD)
    m_n = o_n < n_points
    o_x = (problem * n_points + o_n) * D
    p_means = p_c + problem * n_clusters * D
    if RESIDENT:
        # [BN, BD]
        b_x = tl.load(p_x + o_x[:, None] + o_d[None, :], mask=m_n[:, None] & (o_d < D)[None, :], other=0.0)
    best = tl.full([BN], float("inf"), tl.float32)
    b_ids = tl.zeros([BN], tl.int32)
    if LANEWISE:
        b_best = tl.full([BN, BK], float("inf"), tl.float32)
        b_tile = tl.zeros([BN, BK], tl.int32)
    for start in range(0, n_clusters, BK):
        o_k = start + o_lane
        m_k = o_k < n_clusters
        o_c = o_k.to(tl.int64) * D
        if RESIDENT:
            # [BD, BK]
            b_c = tl.load(
                p_means + o_c[None, :] + o_d[:, None], mask=(o_d < D)[:, None] & m_k[None, :], other=0.0
            )
            b_dot = dot(b_x, b_c, UPCAST)
        else:
            b_dot = dot_rows(p_x, o_x, m_n, p_means, o_c, m_k, D, BD, UPCAST)
        b_square = tl.load(p_square + problem * n_clusters + o_k, mask=m_k, other=float("inf"))
        b_score = b_square[None, :] - 2.0 * b_dot
        if LANEWISE:
            nearer = b_score < b_best
            b_best = tl.where(nearer, b_score, b_best)
            b_tile = tl.where(nearer, start, b_tile)
        else:
            least = tl.min(b_score, axis=1)
            at = tl.min(tl.where(b_score == least[:, None], o_k[None, :], 2147483647), axis=1)
            b_ids = tl.where(least < best, at, b_ids)
            best = tl.where(least < best, least, best)
    if LANEWISE:
        best = tl.min(b_best, axis=1)
        b_ids = tl.min(tl.where(b_best == best[:, None], b_tile + o_lane[None, :], 2147483647), axis=1)
    b_norm = tl.zeros([BN], tl.float32)
    for start in range(0, D, BD):
        o_e = start + o_d
        b_more = tl.load(p_x + o_x[:, None] + o_e[None, :], mask=m_n[:, None] & (o_e < D)[None, :], other=0.0)
        b_norm += tl.sum(b_more.to(tl.float32) * b_more.to(tl.float32), axis=1)
    b_distance = best + b_norm
    # not a maximum: it would drop a NaN
    b_distance = tl.where(b_distance < 0.0, 0.0, b_distance)
    tl.store(p_ids + problem * n_points + o_n, b_ids, mask=m_n)
    tl.store(p_distance + problem * n_points + o_n, b_distance, mask=m_n)


@jit_any_size
def sum_body(
    p_x: tl.tensor,
    p_order: tl.tensor,
    p_start: tl.tensor,
    p_part: tl.tensor,
    n_points: tl.tensor,
    n_clusters: tl.tensor,
    n_chunks: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
    BR: tl.constexpr,
) -> None:
    cluster = tl.program_id(0)
    split = tl.program_id(1)
    problem = (tl.program_id(2) // n_chunks).to(tl.int64)
    o_d = (tl.program_id(2) % n_chunks) * BD + tl.arange(0, BD)
    m_d = o_d < D
    begin = tl.load(p_start + problem * (n_clusters + 1) + cluster)
    end = tl.load(p_start + problem * (n_clusters + 1) + cluster + 1)
    each = (end - begin + tl.num_programs(1) - 1) // tl.num_programs(1)
    first = begin + split * each
    last = tl.minimum(first + each, end)
    b_sum = tl.zeros([BD], tl.float32)
    for start in range(first, last, BR):
        o_r = start + tl.arange(0, BR)
        m_r = o_r < last
        row = tl.load(p_order + problem * n_points + o_r, mask=m_r, other=0).to(tl.int64)
        # [BR, BD]
        b_x = tl.load(
            p_x + (problem * n_points + row)[:, None] * D + o_d[None, :],
            mask=m_r[:, None] & m_d[None, :],
            other=0.0,
        )
        b_sum += tl.sum(b_x.to(tl.float32), axis=0)
    problems = tl.num_programs(2) // n_chunks
    o_part = (split.to(tl.int64) * problems + problem) * n_clusters + cluster
    tl.store(p_part + o_part * D + o_d, b_sum, mask=m_d)


@jit_any_size
def mean_body(
    p_part: tl.tensor,
    p_start: tl.tensor,
    p_old: tl.tensor,
    p_new: tl.tensor,
    n_clusters: tl.tensor,
    n_splits: tl.tensor,
    n_total: tl.tensor,
    D: tl.constexpr,
    BD: tl.constexpr,
) -> None:
    pid = tl.program_id(0)
    problem, cluster = (pid // n_clusters).to(tl.int64), pid % n_clusters
    p_from = p_start + problem * (n_clusters + 1) + cluster
    count = tl.load(p_from + 1) - tl.load(p_from)
    for chunk in tl.static_range(0, D, BD):
        o_d = chunk + tl.arange(0, BD)
        m_d = o_d < D
        o_part = pid.to(tl.int64) * D + o_d
        b_old = tl.load(p_old + o_part, mask=m_d, other=0.0).to(tl.float32)
        o_cell = o_part
        b_sum = tl.zeros([BD], tl.float32)
        for _ in range(n_splits):
            b_sum += tl.load(p_part + o_part, mask=m_d, other=0.0)
            o_part += n_total * D
        b_new = tl.where(count > 0, b_sum / tl.maximum(count, 1).to(tl.float32), b_old)
        tl.store(p_new + o_cell, b_new, mask=m_d)


assign = Kernel(assign_body, ASSIGN_CHOICES, key=("D", "RESIDENT"))
sum_runs = Kernel(sum_body, (Choice(4, 2, {"BR": 16}), Choice(4, 2, {"BR": 32})), key=("D",))
take_means = Kernel(mean_body, (Choice(1),))


def check_problem(
    op: str, x: Tensor, centroids: Tensor, dtypes: tuple[torch.dtype, ...]
) -> tuple[int, int, int, int]:
    """Check points against centroids; `Z, N, K, D`."""
    check.option(op, x.ndim in (2, 3), f"x has shape {list(x.shape)}, must be [N, D] or [Z, N, D]")
    check.tensor(op, "x", x, (None,) * x.ndim, check.FLOATS)
    check.tensor(op, "centroids", centroids, (*x.shape[:-2], None, x.shape[-1]), dtypes)
    check.same_device(op, x, centroids)
    problems = x.shape[0] if x.ndim == 3 else 1
    points, dim, clusters = x.shape[-2], x.shape[-1], centroids.shape[-2]
    check.option(
        op, points > 0 and clusters > 0, f"{points} points and {clusters} centroids; both must be positive"
    )
    check.option(op, 1 <= dim <= 4096, f"dim is {dim}, must be 1 to 4096")
    check.option(
        op,
        problems * pow2(dim) // 128 < 65536,
        f"{problems} problems of dim {dim} are too many for one launch",
    )
    return problems, points, clusters, dim


def kmeans_assign(x: Tensor, centroids: Tensor) -> Assignment:
    """Give each point its nearest centroid.

    Args:
        x: `[N, D]` or `[Z, N, D]` floats.
        centroids: `[K, D]` or `[Z, K, D]` in x's dtype (cast fp32 means to it for the tensor cores).

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    A point that is NaN goes to centroid 0 at distance NaN. Moves `Z (N + K) D` elements and 8 bytes a point;
    `2 Z N K D` FLOPs.
    """
    problems, points, clusters, dim = check_problem("kmeans_assign", x, centroids, (x.dtype,))
    ids = torch.empty(x.shape[:-1], dtype=torch.int32, device=x.device)
    distance = torch.empty(x.shape[:-1], dtype=torch.float32, device=x.device)
    square = centroids.float().square().sum(dim=-1)
    wide = x.dtype == torch.float32
    resident = dim <= RESIDENT_DIM and not wide
    assign(
        lambda meta: (cdiv(points, meta["BN"]), problems),
        x,
        centroids,
        square,
        ids,
        distance,
        points,
        clusters,
        fits=lambda choice: resident or (choice.num_warps == 8 and choice.blocks["BK"] == 64),
        D=dim,
        BD=pow2(dim, 16) if resident else 32 if wide else 64,
        RESIDENT=resident,
        UPCAST=INTERPRETED,
    )
    return Assignment(ids, distance)


def kmeans_update(x: Tensor, ids: Tensor, old: Tensor) -> Tensor:
    """Each centroid's mean of its points, fp32, bit-equal on every run; one without points stays at `old`.

    Args:
        x: `[N, D]` or `[Z, N, D]` floats. ids: int32 `[..., N]`, 0 to K - 1. old: `[..., K, D]` floats.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    A NaN point makes its centroid NaN. Moves `Z N D` elements gathered by row, a radix sort of `Z N` ids, and
    `4 splits Z K D` bytes each way; `Z N D` FLOPs.
    """
    op = "kmeans_update"
    problems, points, clusters, dim = check_problem(op, x, old, check.FLOATS)
    check.tensor(op, "ids", ids, tuple(x.shape[:-1]), (torch.int32,))
    check.same_device(op, x, ids)
    ordered = torch.sort(ids.view(problems, points), dim=-1, stable=True)
    bounds = torch.arange(clusters + 1, dtype=torch.int32, device=x.device).repeat(problems, 1)
    starts = torch.searchsorted(ordered.values, bounds, out_int32=True)
    # enough programs to fill the GPU, and a few even then, so that one crowded centroid is not one program's work
    splits = min(cdiv(points, 256), max(4, min(16, 4096 // (problems * clusters))))
    part = torch.empty(splits, problems * clusters, dim, dtype=torch.float32, device=x.device)
    new = torch.empty(old.shape, dtype=torch.float32, device=x.device)
    block = min(128, pow2(dim))
    chunks = cdiv(dim, block)
    sum_runs(
        lambda meta: (clusters, splits, problems * chunks),
        x,
        ordered.indices,
        starts,
        part,
        points,
        clusters,
        chunks,
        D=dim,
        BD=block,
    )
    take_means(
        lambda meta: (problems * clusters,),
        part,
        starts,
        old,
        new,
        clusters,
        splits,
        problems * clusters,
        D=dim,
        BD=block,
    )
    return new


def kmeans(x: Tensor, initial: Tensor, *, iterations: int) -> Clusters:
    """Lloyd's algorithm for a fixed number of iterations: no test of convergence, so nothing waits for the GPU.

    Args:
        x: `[N, D]` or `[Z, N, D]` floats. initial: `[..., K, D]` floats, for example a sample of the points.
        iterations: rounds of assignment and update; 0 assigns only.

    Returns:
        fp32 centroids after the last update, and the assignment that it was computed from.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    Moves and computes `iterations` times what `kmeans_assign` and `kmeans_update` do.
    """
    means = initial.float().contiguous()
    nearest = kmeans_assign(x, means.to(x.dtype))
    for turn in range(iterations):
        if turn:
            nearest = kmeans_assign(x, means.to(x.dtype))
        means = kmeans_update(x, nearest.ids, means)
    return Clusters(means, nearest.ids, nearest.distance)
