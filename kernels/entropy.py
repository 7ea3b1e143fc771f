"""Surprise of the token that came and entropy of the distribution, in one read of the logits.

With m the running maximum, s = sum exp(x - m) and u = sum exp(x - m)(x - m):
    surprise = log s + m - x_target;  entropy = log s - u / s

Used by SirLLM-type policies (arXiv 2405.12528). A row is dealt to several programs when there are few rows.

Axes: `T` rows, `V` vocabulary, `S` programs per row.
"""

from __future__ import annotations

import torch
import triton.language as tl
from torch import Tensor

from . import check
from .launch import Choice, Kernel, cdiv, jit, pow2
from .layout import Surprise

CHOICES = (Choice(4, 2, {"BV": 2048}), Choice(8, 2, {"BV": 4096}), Choice(8, 3, {"BV": 2048}))
FILL_PROGRAMS = 264
LEAST_SLICE = 4096
"""Logits below which a slice is not worth a program."""


@jit
def scan_body(
    p_logits: tl.tensor,
    p_part: tl.tensor,
    n_vocab: tl.tensor,
    n_each: tl.tensor,
    BV: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    first = tl.program_id(1) * n_each
    last = tl.minimum(first + n_each, n_vocab)
    top = float("-inf")
    total = 0.0
    moment = 0.0
    for start in range(first, last, BV):
        o_v = start + tl.arange(0, BV)
        # [BV]
        b_x = tl.load(p_logits + row * n_vocab + o_v, mask=o_v < last, other=float("-inf")).to(tl.float32)
        above = tl.maximum(top, tl.max(b_x, axis=0))
        base = tl.where(above == float("-inf"), 0.0, above)
        keep = tl.exp(top - base)
        b_e = tl.exp(b_x - base)
        drop = tl.where(total > 0.0, total * (top - base), 0.0)
        moment = tl.where(total > 0.0, keep * (moment + drop), 0.0)
        moment += tl.sum(tl.where(b_x == float("-inf"), 0.0, b_e * (b_x - base)), axis=0)
        total = total * keep + tl.sum(b_e, axis=0)
        top = above
    p_cell = p_part + (row * tl.num_programs(1) + tl.program_id(1)) * 3
    tl.store(p_cell, top)
    tl.store(p_cell + 1, total)
    tl.store(p_cell + 2, moment)


@jit
def close_body(
    p_logits: tl.tensor,
    p_targets: tl.tensor,
    p_part: tl.tensor,
    p_surprise: tl.tensor,
    p_entropy: tl.tensor,
    n_vocab: tl.tensor,
    n_parts: tl.tensor,
    BS: tl.constexpr,
) -> None:
    row = tl.program_id(0).to(tl.int64)
    o_s = tl.arange(0, BS)
    p_cell = p_part + (row * n_parts + o_s) * 3
    # [S] each
    b_top = tl.load(p_cell, mask=o_s < n_parts, other=float("-inf"))
    b_total = tl.load(p_cell + 1, mask=o_s < n_parts, other=0.0)
    b_moment = tl.load(p_cell + 2, mask=o_s < n_parts, other=0.0)
    top = tl.max(b_top, axis=0)
    b_shift = tl.where(b_top == float("-inf"), 0.0, b_top - top)
    b_keep = tl.where(b_top == float("-inf"), 0.0, tl.exp(b_shift))
    # a slice that is NaN has total NaN whatever its maximum says
    b_keep = tl.where(b_total == b_total, b_keep, float("nan"))
    total = tl.sum(b_total * b_keep, axis=0)
    moment = tl.sum(b_keep * (b_moment + b_total * b_shift), axis=0)
    target = tl.load(p_targets + row).to(tl.int64)
    known = (target >= 0) & (target < n_vocab)
    logit = tl.load(p_logits + row * n_vocab + target, mask=known, other=float("nan")).to(tl.float32)
    surprise = tl.log(total) + top - logit
    tl.store(p_surprise + row, tl.where(target < 0, 0.0, surprise))
    tl.store(p_entropy + row, tl.log(total) - moment / total)


scan = Kernel(scan_body, CHOICES)
close = Kernel(close_body, (Choice(1),))


def token_entropy(logits: Tensor, targets: Tensor) -> Surprise:
    """Surprise and entropy of every row, in nats, fp32.

    Args:
        logits: `[T, V]` floats; -inf is probability 0.
        targets: `[T]` int32 or int64; a negative target has surprise 0, one past the vocabulary NaN.

    Raises:
        KernelShapeError, KernelDtypeError: an operand does not fit.

    NaN and +inf make their row NaN. Moves `T V` elements and 8 bytes a row out; 4 FLOPs and one exponential an element.
    """
    op = "token_entropy"
    check.tensor(op, "logits", logits, (None, None), check.FLOATS)
    rows, vocab = logits.shape
    check.tensor(op, "targets", targets, (rows,), check.INTEGERS)
    check.same_device(op, logits, targets)
    check.option(op, vocab > 0, "the vocabulary is empty")
    surprise, entropy = (torch.empty(rows, dtype=torch.float32, device=logits.device) for _ in range(2))
    if rows == 0:
        return Surprise(surprise, entropy)
    slices = max(1, min(cdiv(FILL_PROGRAMS, rows), cdiv(vocab, LEAST_SLICE)))
    each = cdiv(vocab, slices)
    slices = cdiv(vocab, each)
    part = torch.empty(rows, slices, 3, dtype=torch.float32, device=logits.device)
    scan(lambda meta: (rows, slices), logits, part, vocab, each)
    close(lambda meta: (rows,), logits, targets, part, surprise, entropy, vocab, slices, BS=pow2(slices))
    return Surprise(surprise, entropy)
