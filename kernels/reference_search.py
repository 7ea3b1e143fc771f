"""The definitions of clustering, late interaction, entropy, polar codes and token compaction, in plain torch.

Written to be read, not to be fast, though they are also the path on a machine without a GPU. Arithmetic is in
fp32 (fp64 for fp64 inputs). Axes: `Z` problems, `N` points, `K` centroids, `D` dim, `T` tokens, `V` vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .layout import Assignment, Clusters, Kept, PolarKeys, Surprise
from .polar_code import SPLIT, angle_edges, angle_table, radius_edges, radius_table
from .reference_pages import wide


def kmeans_assign(x: Tensor, centroids: Tensor) -> Assignment:
    """The nearest centroid of each point, by `|c|^2 - 2 x.c`; a point that is NaN goes to centroid 0."""
    points, means = wide(x), wide(centroids)
    score = (means * means).sum(dim=-1).unsqueeze(-2) - 2.0 * points @ means.transpose(-1, -2)
    best, ids = score.nan_to_num(nan=torch.inf, posinf=torch.inf, neginf=-torch.inf).min(dim=-1)
    distance = (best + (points * points).sum(dim=-1)).clamp(min=0.0)
    return Assignment(ids.to(torch.int32), distance)


def kmeans_update(x: Tensor, ids: Tensor, old: Tensor) -> Tensor:
    """The mean of each centroid's points, fp32; a centroid without points stays where it was."""
    clusters = old.shape[-2]
    total = torch.zeros(*x.shape[:-2], clusters, x.shape[-1], dtype=wide(x).dtype, device=x.device)
    at = ids.long()
    total.scatter_add_(-2, at.unsqueeze(-1).expand(x.shape), wide(x))
    count = torch.zeros(*x.shape[:-2], clusters, dtype=total.dtype, device=x.device)
    count.scatter_add_(-1, at, torch.ones_like(at, dtype=total.dtype))
    return torch.where(count.unsqueeze(-1) > 0, total / count.clamp(min=1).unsqueeze(-1), wide(old))


def kmeans(x: Tensor, initial: Tensor, *, iterations: int) -> Clusters:
    """Lloyd's algorithm for a fixed number of iterations from given centroids."""
    means = wide(initial)
    nearest = kmeans_assign(x, means.to(x.dtype))
    for _ in range(iterations):
        nearest = kmeans_assign(x, means.to(x.dtype))
        means = kmeans_update(x, nearest.ids, means)
    return Clusters(means, nearest.ids, nearest.distance)


def maxsim(
    queries: Tensor,
    docs: Tensor,
    offsets: Tensor,
    *,
    query_lengths: Tensor | None = None,
    scale: Tensor | None = None,
) -> Tensor:
    """Sum over query tokens of the best dot product in the document (ColBERT): `[Q, documents]` fp32."""
    words = wide(docs) if scale is None else docs.float() * scale.float()[:, None]
    held = torch.full((queries.shape[0],), queries.shape[1], device=queries.device)
    used = torch.arange(queries.shape[1], device=queries.device) < (
        held if query_lengths is None else query_lengths
    ).unsqueeze(-1)
    columns = []
    for start, end in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        if start == end:
            columns.append(torch.full((queries.shape[0],), -torch.inf, device=queries.device))
            continue
        best = (wide(queries) @ words[start:end].T).amax(dim=-1)
        columns.append(best.masked_fill(~used, 0.0).sum(dim=-1))
    return torch.stack(columns, dim=-1)


def quantize_tokens(x: Tensor) -> tuple[Tensor, Tensor]:
    """Symmetric int8 codes `[N, D]` and an fp16 scale per row `[N]`, for `maxsim` over int8 documents."""
    scale = (wide(x).abs().amax(dim=-1) / 127.0).half()
    step = torch.where(scale > 0, scale.float(), 1.0).unsqueeze(-1)
    return (wide(x) / step).round().clamp(-127, 127).to(torch.int8), scale


def token_entropy(logits: Tensor, targets: Tensor) -> Surprise:
    """Surprise of each row's target and entropy of each row; a negative target has surprise 0."""
    log_p = wide(logits).log_softmax(dim=-1)
    picked = log_p.gather(-1, targets.clamp(min=0).long().unsqueeze(-1)).squeeze(-1)
    # p log p is 0 where p is 0
    entropy = -torch.where(log_p == -torch.inf, 0.0, log_p.exp() * log_p).sum(dim=-1)
    return Surprise(torch.where(targets < 0, 0.0, -picked), entropy)


def polar_encode(k: Tensor, rotation: Tensor, *, bits: int = 4) -> PolarKeys:
    """Code keys as one angle and one radius per channel pair, after a random rotation."""
    norm = wide(k).norm(dim=-1)
    y = wide(k) @ rotation.to(wide(k).dtype)
    return PolarKeys(polar_codes(y, norm, bits), norm.half())


def polar_codes(y: Tensor, norm: Tensor, bits: int) -> Tensor:
    """Packed codes of already rotated keys: pair `j` is channels `(j, j + D/2)`."""
    split, half = SPLIT[bits], y.shape[-1] // 2
    a, b = y[..., :half], y[..., half:]
    sectors = 2 ** (split.angle - 2)
    cos, sin = angle_edges(split.angle, y.device).to(y.dtype)
    inside = b.abs().unsqueeze(-1) * cos > a.abs().unsqueeze(-1) * sin
    quadrant = (a < 0).long() + 2 * (b < 0).long()
    radius = (a * a + b * b).unsqueeze(-1) * half
    edges = radius_edges(split.radius, y.device).to(y.dtype)
    level = (radius > (norm * norm)[..., None, None] * edges * edges).sum(dim=-1)
    code: Tensor = level + (inside.sum(dim=-1) + quadrant * sectors) * 2**split.radius
    if bits == 4:
        return code.to(torch.uint8).contiguous()
    low, high = code.chunk(2, dim=-1)
    return (low | (high << 4)).to(torch.uint8).contiguous()


def polar_decode(keys: PolarKeys, rotation: Tensor, *, bits: int = 4) -> Tensor:
    """Keys `[B, H, T, D]` fp32 back from their codes."""
    code = keys.codes.long()
    if bits == 2:
        code = torch.cat([code & 15, code >> 4], dim=-1)
    split = SPLIT[bits]
    radius = radius_table(split.radius, code.device)[code % 2**split.radius]
    cos, sin = angle_table(split.angle, code.device)[:, code // 2**split.radius]
    y = torch.cat([radius * cos, radius * sin], dim=-1)
    length: Tensor = keys.norm.float() * float(code.shape[-1]) ** -0.5
    return (y * length.unsqueeze(-1)) @ rotation.T.float()


def polar_scores(
    q: Tensor, keys: PolarKeys, rotation: Tensor, *, bits: int = 4, scale: float | None = None
) -> Tensor:
    """`scale * q . k` for all queries and coded keys of the same KV head: `[B, Hq, Tq, T]` fp32."""
    batch, heads = keys.norm.shape[:2]
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    k = polar_decode(keys, rotation, bits=bits)
    queries = q.float().view(batch, heads, -1, q.shape[-1])
    return (queries @ k.transpose(2, 3) * factor).view(*q.shape[:3], -1)


def keep_index(mask: Tensor, budget: int) -> Kept:
    """The positions of the first `budget` true cells of each row, in order."""
    count = mask.sum(dim=-1)
    order = torch.sort(mask.int(), dim=-1, descending=True, stable=True).indices[..., :budget]
    slot = torch.arange(budget, device=mask.device)
    index = torch.nn.functional.pad(order, (0, max(0, budget - mask.shape[-1])), value=-1)
    return Kept(index.masked_fill(slot >= count.unsqueeze(-1), -1).to(torch.int32), count.to(torch.int32))


def gather_tokens(k: Tensor, v: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """The kept tokens' keys and values, in the order of `index`; zeros where it is -1."""
    at = index.clamp(min=0).long().unsqueeze(-1).expand(*index.shape, k.shape[-1])
    blank = (index < 0).unsqueeze(-1)
    return k.gather(2, at).masked_fill(blank, 0.0), v.gather(2, at).masked_fill(blank, 0.0)


def attention_mass(q: Tensor, k: Tensor, *, start: int | None = None, scale: float | None = None) -> Tensor:
    """Attention that each key receives, summed over queries and the query heads that share it: `[B, H, T]`."""
    heads, tokens = k.shape[1:3]
    first = tokens - q.shape[2] if start is None else start
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    queries = wide(q).view(q.shape[0], heads, -1, *q.shape[2:])
    score = queries @ wide(k).unsqueeze(2).transpose(-1, -2) * factor
    later = torch.arange(tokens, device=q.device) > first + torch.arange(q.shape[2], device=q.device)[:, None]
    mass: Tensor = score.masked_fill(later, -torch.inf).softmax(dim=-1).sum(dim=(2, 3))
    return mass
