"""The definitions of the ops on KV pages, in plain torch: quantise, select, attend, merge, rotate.

Written to be read, not to be fast, though they are also the path on a machine without a GPU. Arithmetic is in
fp32 (fp64 when the inputs are fp64). Axes: `B` batch, `Hq`/`H` query and KV heads, `T` tokens, `P` pages, `D` head dim.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .layout import GROUP, PAGE, PLAIN, Attended, PageRotation, Pages, Selection, pages_for

HALF_MAX = 65504.0
SCORE_MAX = 3.0e38


def wide(x: Tensor) -> Tensor:
    """fp32, unless the caller works in fp64."""
    return x if x.dtype == torch.float64 else x.float()


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the pairs `(j, j + D/2)` of the last axis."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cos - high * sin, high * cos + low * sin], dim=-1)


def to_pages(x: Tensor, fill: float = 0.0) -> Tensor:
    """`[B, H, T, D]` to `[B, H, P, 64, D]`, the last page padded with `fill`."""
    batch, heads, tokens, dim = x.shape
    padded = torch.nn.functional.pad(x, (0, 0, 0, pages_for(tokens) * PAGE - tokens), value=fill)
    return padded.view(batch, heads, -1, PAGE, dim)


def summarise(k: Tensor, cos: Tensor | None, sin: Tensor | None) -> tuple[Tensor, Tensor]:
    """Each page's least and greatest key per channel, after turning by the offset inside the page."""
    paged = to_pages(k)
    if cos is not None and sin is not None:
        paged = turn(paged.float(), cos, sin).to(k.dtype)
    held = to_pages(torch.ones_like(k, dtype=torch.bool))
    low = paged.masked_fill(~held, torch.inf).amin(dim=3)
    return low.contiguous(), paged.masked_fill(~held, -torch.inf).amax(dim=3).contiguous()


def plain_pages(k: Tensor, v: Tensor, *, cos: Tensor | None = None, sin: Tensor | None = None) -> Pages:
    """Lay `[B, H, T, D]` floats out as unquantised pages."""
    low, high = summarise(k, cos, sin)
    return Pages(
        k=to_pages(k).contiguous(),
        v=to_pages(v).contiguous(),
        dim=k.shape[-1],
        k_bits=PLAIN,
        v_bits=PLAIN,
        k_min=low,
        k_max=high,
    )


def encode(x: Tensor, held: Tensor, axis: int, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (unpacked), fp16 scale and fp16 zero of the groups along `axis`.

    zero = fp16(min); scale = fp16((max - zero) / (2^bits - 1)); code = floor((x - zero) / scale + 1/2), clamped.
    A group holding NaN, Inf or a magnitude over 65504 gets codes 0 and zero NaN: it reads back as NaN.
    """
    x, levels = x.float(), float(2**bits - 1)
    low = x.masked_fill(~held, torch.inf).amin(dim=axis, keepdim=True)
    high = x.masked_fill(~held, -torch.inf).amax(dim=axis, keepdim=True)
    bad = (held & ~(x.abs() <= HALF_MAX)).any(dim=axis, keepdim=True)
    zero = torch.where(bad, torch.nan, low).half()
    # by a tensor: CUDA divides by a number through its reciprocal, which rounds twice
    step = (high - zero.float()) / torch.full_like(high, levels)
    scale = torch.where(bad, 0.0, step).clamp(min=0.0, max=HALF_MAX).half()
    inverse = torch.where(scale > 0, 1.0 / scale.float(), 0.0)
    code = ((x - zero.float()) * inverse + 0.5).floor().clamp(0.0, levels)
    code = torch.where(held & ~bad, code, 0.0).to(torch.uint8)
    return code, scale.squeeze(axis), zero.squeeze(axis)


def pack_codes(codes: Tensor, bits: int) -> Tensor:
    """Pack along the last axis: field `f` of byte `j` holds channel `j + f * (D * bits / 8)`."""
    fields = codes.chunk(8 // bits, dim=-1)
    packed = torch.zeros_like(fields[0])
    for number, part in enumerate(fields):
        packed |= part << (number * bits)
    return packed.contiguous()


def unpack_codes(packed: Tensor, bits: int) -> Tensor:
    """The inverse of `pack_codes`."""
    return torch.cat([(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)], dim=-1)


def quantize_pack(
    k: Tensor,
    v: Tensor,
    *,
    k_bits: int = 4,
    v_bits: int = 4,
    cos: Tensor | None = None,
    sin: Tensor | None = None,
) -> Pages:
    """Quantise keys per channel in groups of 64 tokens, values per token in groups of 64 channels (KIVI)."""
    dim = k.shape[-1]
    held = to_pages(torch.ones_like(k, dtype=torch.bool))
    k_codes, k_scale, k_zero = encode(to_pages(k), held, 3, k_bits)
    parts = [
        encode(x, m, 4, v_bits)
        for x, m in zip(torch.split(to_pages(v), GROUP, -1), torch.split(held, GROUP, -1), strict=True)
    ]
    v_codes, v_scale, v_zero = (
        torch.cat([p[0] for p in parts], dim=-1),
        *(torch.stack([p[i] for p in parts], dim=-1) for i in (1, 2)),
    )
    blank = ~held[..., :1]
    low, high = summarise(k, cos, sin)
    return Pages(
        k=pack_codes(k_codes, k_bits),
        v=pack_codes(v_codes, v_bits),
        dim=dim,
        k_bits=k_bits,
        v_bits=v_bits,
        k_min=low,
        k_max=high,
        k_scale=k_scale.contiguous(),
        k_zero=k_zero.contiguous(),
        v_scale=v_scale.masked_fill(blank, 0.0).contiguous(),
        v_zero=v_zero.masked_fill(blank, 0.0).contiguous(),
    )


def page_floats(pages: Pages) -> tuple[Tensor, Tensor]:
    """Keys and values of every page as fp32 `[B, H, P, 64, D]` (fp64 pages stay fp64)."""
    k, v = wide(pages.k), wide(pages.v)
    if pages.k_scale is not None and pages.k_zero is not None:
        codes = unpack_codes(pages.k, pages.k_bits).float()
        k = codes * pages.k_scale.float()[:, :, :, None] + pages.k_zero.float()[:, :, :, None]
    if pages.v_scale is not None and pages.v_zero is not None:
        spread = [
            s.float().repeat_interleave(GROUP, -1)[..., : pages.dim] for s in (pages.v_scale, pages.v_zero)
        ]
        v = unpack_codes(pages.v, pages.v_bits).float() * spread[0] + spread[1]
    return k, v


def dequantize(pages: Pages, tokens: int, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Keys and values `[B, H, tokens, D]` back from their codes."""
    k, v = page_floats(pages)
    back = [x.flatten(2, 3)[:, :, :tokens].to(dtype).contiguous() for x in (k, v)]
    return back[0], back[1]


def turn_back(q: Tensor, rotation: PageRotation | None, heads: int) -> Tensor:
    """Queries `[B, H, 1, M, D]` seen from each page's base: `[B, H, P, M, D]`, turned by minus the base angle."""
    if rotation is None:
        return q
    rows = rotation.rows.long()
    cos, sin = rotation.cos[rows], rotation.sin[rows]
    return turn(q, cos[:, None, :, None].to(q.dtype), -sin[:, None, :, None].to(q.dtype))


def block_score_topk(
    q: Tensor,
    low: Tensor,
    high: Tensor | None,
    k: int,
    *,
    n_blocks: Tensor | None = None,
    sinks: int = 1,
    recent: int = 1,
    reduce: str = "max",
    rotation: PageRotation | None = None,
) -> Selection:
    """Score every page by the query's bound on it (Quest) or by `q . centre`, and take the best `k`."""
    batch, heads = q.shape[0], low.shape[1]
    queries = turn_back(wide(q).view(batch, heads, 1, -1, q.shape[-1]), rotation, heads)
    least = wide(low)[:, :, :, None]
    bound = (
        queries * least
        if high is None
        else torch.maximum(queries * least, queries * wide(high)[:, :, :, None])
    )
    per_head = bound.sum(dim=-1).expand(batch, heads, low.shape[2], -1)
    score = per_head.amax(dim=-1) if reduce == "max" else per_head.mean(dim=-1)
    score = torch.where(score.isnan(), -SCORE_MAX, score).clamp(-SCORE_MAX, SCORE_MAX)

    block = torch.arange(low.shape[2], device=q.device)
    count = torch.full((batch,), low.shape[2], device=q.device) if n_blocks is None else n_blocks
    last = count.view(batch, 1, 1)
    score = score.masked_fill((block < sinks) | (block >= last - recent), torch.inf)
    score = score.masked_fill(block >= last, -torch.inf)
    order = torch.sort(score, dim=-1, descending=True, stable=True)
    missing = max(0, k - low.shape[2])
    ids = torch.nn.functional.pad(order.indices[..., :k], (0, missing), value=-1)
    scores = torch.nn.functional.pad(order.values[..., :k], (0, missing), value=-torch.inf)
    return Selection(ids.masked_fill(scores == -torch.inf, -1).to(torch.int32), scores.contiguous())


def sparse_paged_attention(
    q: Tensor,
    pages: Pages,
    table: Tensor,
    lengths: Tensor,
    *,
    scale: float | None = None,
    rotation: PageRotation | None = None,
    splits: int | None = None,
) -> Attended:
    """Attend from every query to all the tokens of the pages its KV head's row of `table` names."""
    batch, heads, slots = table.shape
    factor = pages.dim**-0.5 if scale is None else scale
    at = table.clamp(min=0).long()
    head = torch.arange(heads, device=q.device)[None, :, None]

    def member(held: Tensor) -> Tensor:
        """Which row of a tensor each sequence reads: its own, or the only one."""
        return torch.arange(batch, device=q.device).clamp(max=held.shape[0] - 1)[:, None, None]

    held = {name: getattr(pages, name) for name in ("k", "v", "k_scale", "k_zero", "v_scale", "v_zero")}
    chosen = {name: part[member(part), head, at] for name, part in held.items() if part is not None}
    keys, values = page_floats(replace(pages, **chosen))
    if rotation is not None:
        rows = rotation.rows.long()[member(rotation.rows), at]
        inside = turn(keys, rotation.offset_cos.to(keys.dtype), rotation.offset_sin.to(keys.dtype))
        keys = turn(
            inside,
            rotation.cos[rows][..., None, :].to(keys.dtype),
            rotation.sin[rows][..., None, :].to(keys.dtype),
        )
    here = torch.arange(PAGE, device=q.device) < lengths[member(lengths), at][..., None]
    seen = (here & (table >= 0)[..., None]).view(batch, heads, 1, slots * PAGE)

    queries = wide(q).view(batch, heads, -1, pages.dim)
    score = (queries @ keys.flatten(2, 3).transpose(2, 3) * factor).masked_fill(~seen, -torch.inf)
    lse = score.logsumexp(dim=-1)
    weight = (score - lse.masked_fill(lse == -torch.inf, 0.0)[..., None]).exp()
    # an unseen cell must not count, even where it holds NaN
    out = weight @ values.flatten(2, 3).masked_fill(~seen.transpose(2, 3), 0.0)
    return Attended(out.view(q.shape).to(q.dtype), lse.view(q.shape[:-1]))


def merge_lse(outs: Tensor, lses: Tensor) -> Attended:
    """Merge attention over disjoint key sets: `outs` `[S, ..., D]`, `lses` `[S, ...]`."""
    lse = wide(lses).logsumexp(dim=0)
    weight = (wide(lses) - lse.masked_fill(lse == -torch.inf, 0.0)).exp()[..., None]
    # a part that saw nothing may hold anything
    out = (weight * wide(outs).masked_fill(weight == 0, 0.0)).sum(dim=0)
    return Attended(out.to(outs.dtype), lse)


def rotate(x: Tensor, cos: Tensor, sin: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Turn the first `2 * cos.shape[-1]` channels of `[B, H, T, D]` by each token's angle; the rest pass."""
    half = cos.shape[-1]
    c, s = (wide(t).view(-1, 1, *t.shape[-2:]) for t in (cos, sin))
    turned = turn(wide(x[..., : 2 * half]), c, s).to(x.dtype)
    moved = torch.cat([turned, x[..., 2 * half :]], dim=-1)
    return moved if out is None else out.copy_(moved)
