"""Which code runs an op on tensors: the Triton kernel on a CUDA device, the plain-torch reference elsewhere.

`AGENTMEM_KERNELS=reference` or `=triton` forces one of them, for comparing and for debugging. Nothing is
imported until an op is asked for; this file knows names, not tensors.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from agentmem.errors import InvalidInputError, MissingExtraError, UnknownPluginError

SWITCH = "AGENTMEM_KERNELS"
REFERENCE = "agentmem.kernels.reference"
KERNELS = {
    "attention_mass": "agentmem.kernels.mass",
    "block_score_topk": "agentmem.kernels.select",
    "dequantize": "agentmem.kernels.dequantize",
    "gather_tokens": "agentmem.kernels.compact",
    "keep_index": "agentmem.kernels.compact",
    "kmeans": "agentmem.kernels.kmeans",
    "kmeans_assign": "agentmem.kernels.kmeans",
    "kmeans_update": "agentmem.kernels.kmeans",
    "maxsim": "agentmem.kernels.maxsim",
    "merge_lse": "agentmem.kernels.merge",
    "polar_encode": "agentmem.kernels.polar",
    "polar_scores": "agentmem.kernels.polar",
    "quantize_pack": "agentmem.kernels.quantize",
    "rotate": "agentmem.kernels.rotate",
    "sparse_paged_attention": "agentmem.kernels.attend",
    "token_entropy": "agentmem.kernels.entropy",
}
"""Op -> the module of its kernel; its reference has the same name in `REFERENCE`."""
PARTS = {
    "Attended": "agentmem.kernels.layout",
    "PageRotation": "agentmem.kernels.layout",
    "Pages": "agentmem.kernels.layout",
    "PolarKeys": "agentmem.kernels.layout",
    "page_lengths": "agentmem.kernels.layout",
    "page_rotation": "agentmem.kernels.tables",
    "pair_order": "agentmem.kernels.tables",
    "plain_pages": REFERENCE,
    "polar_decode": REFERENCE,
    "quantize_tokens": REFERENCE,
    "random_rotation": "agentmem.kernels.polar_code",
    "rope_tables": "agentmem.kernels.tables",
    "rope_tables_by_type": "agentmem.kernels.tables",
}
"""What the ops are fed with: types, tables and layouts, with one implementation each."""


def op(name: str, *, cuda: bool) -> Callable[..., Any]:
    """The function that runs this op on a CUDA device or elsewhere.

    Raises:
        UnknownPluginError: there is no such op.
        MissingExtraError: torch, or Triton where it was asked for, is not installed.
        InvalidInputError: `AGENTMEM_KERNELS` is set to something else than `reference` or `triton`.
    """
    if name not in KERNELS:
        raise UnknownPluginError(f"no op named {name!r}; known: {', '.join(sorted(KERNELS))}")
    found: Callable[..., Any] = _load(KERNELS[name] if on_kernels(cuda=cuda) else REFERENCE, name)
    return found


def on_kernels(*, cuda: bool) -> bool:
    """Whether ops run as Triton kernels on a CUDA device, or elsewhere.

    Raises:
        InvalidInputError: `AGENTMEM_KERNELS` is set to something else than `reference` or `triton`.
    """
    wanted = os.environ.get(SWITCH, "")
    if wanted not in ("", "reference", "triton"):
        raise InvalidInputError(f"{SWITCH} is {wanted!r}; set it to 'reference' or 'triton', or unset it")
    return wanted == "triton" or (not wanted and cuda and find_spec("triton") is not None)


def run(name: str, first: Any, *rest: Any, **options: Any) -> Any:
    """Run an op where its first operand lies; signatures and results are in the op's docstring.

    Raises:
        As `op`, and what the op itself raises.
    """
    return op(name, cuda=bool(first.is_cuda))(first, *rest, **options)


def part(name: str) -> Any:
    """A type, table or layout that goes with the ops.

    Raises:
        UnknownPluginError: there is no such part.
        MissingExtraError: torch is not installed.
    """
    if name not in PARTS:
        raise UnknownPluginError(f"no kernel part named {name!r}; known: {', '.join(sorted(PARTS))}")
    return _load(PARTS[name], name)


@lru_cache
def _load(module: str, attribute: str) -> Any:
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "triton"):
            raise
        raise MissingExtraError(f"{attribute} ({error.name})", "kv") from error
