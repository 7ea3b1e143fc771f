"""Launch checks shared by the kernels' wrappers: shape, dtype, device, contiguity.

Kernel bodies check nothing, so every address they form must be vouched for here. Only metadata is read: no
check waits for the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .launch import INTERPRETED, is_recording

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
INTEGERS = (torch.int32, torch.int64)


class KernelShapeError(ValueError):
    """A tensor's shape, layout or device, or an option, does not fit the op."""


class KernelDtypeError(TypeError):
    """A tensor's dtype is not one that the op takes."""


def tensor(
    op: str, name: str, value: Tensor, shape: Sequence[int | None], dtypes: Sequence[torch.dtype]
) -> None:
    """Check one operand; `None` in `shape` leaves that axis free.

    Raises:
        KernelDtypeError: the dtype is none of `dtypes`.
        KernelShapeError: wrong rank or axis length, not contiguous, or on a device that cannot run the kernel.
    """
    if value.dtype not in dtypes:
        wanted = " or ".join(str(d).removeprefix("torch.") for d in dtypes)
        found = str(value.dtype).removeprefix("torch.")
        raise KernelDtypeError(f"{op}: {name} is {found}, must be {wanted}; convert it first")
    fits = len(shape) == value.ndim and all(
        want in (None, have) for want, have in zip(shape, value.shape, strict=True)
    )
    if not fits:
        wanted = "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"
        raise KernelShapeError(f"{op}: {name} has shape {list(value.shape)}, must be {wanted}")
    if not value.is_contiguous():
        raise KernelShapeError(f"{op}: {name} is not contiguous; pass {name}.contiguous()")
    if not (value.is_cuda or INTERPRETED or is_recording()):
        raise KernelShapeError(
            f"{op}: {name} is on {value.device}, the Triton kernel needs CUDA; move it there, or use the "
            "reference (AGENTMEM_KERNELS=reference), or run the interpreter (TRITON_INTERPRET=1)"
        )


def same_device(op: str, *tensors: Tensor | None) -> None:
    """Refuse operands on different devices."""
    devices = {str(t.device) for t in tensors if t is not None}
    if len(devices) > 1:
        raise KernelShapeError(f"{op}: operands are on {', '.join(sorted(devices))}; move them to one device")


def option(op: str, ok: bool, message: str) -> None:
    """Refuse an option's value, saying which op it was for."""
    if not ok:
        raise KernelShapeError(f"{op}: {message}")


def head_dim(op: str, dim: int) -> None:
    """Refuse a head dimension the packed layout cannot hold."""
    option(
        op, dim % 16 == 0 and 16 <= dim <= 256, f"head dim is {dim}, must be a multiple of 16, at most 256"
    )


def groups(op: str, q_heads: int, kv_heads: int) -> int:
    """Query heads per KV head.

    Raises:
        KernelShapeError: the KV heads do not divide the query heads.
    """
    option(
        op,
        kv_heads > 0 and q_heads % kv_heads == 0,
        f"{q_heads} query heads do not share {kv_heads} KV heads",
    )
    return q_heads // kv_heads
