"""Sends launches through Triton's own runtime to a GPU that is not there; run as a script, outside the interpreter.

Binder, tuner and compiler are the real ones; the driver beneath them launches nothing and times by a given rule. Prints
one JSON object for the cases named on the command line: what was launched, and what the ahead-of-time compiler makes of
the same cases.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable
from typing import Any

import torch
import triton
from agentmem.kernels import aot, check
from triton.backends.compiler import GPUTarget

TARGET = GPUTarget("cuda", 90, 32)
launched: list[tuple[str, int, tuple[int, ...]]] = []
loaded: list[str] = []


class Launcher:
    """Notes the kernel, its warps and its grid."""

    def __init__(self, source: Any, metadata: Any) -> None:
        self.kernel, self.warps = metadata.name, metadata.num_warps

    def __call__(self, *grid_and_arguments: Any) -> None:
        launched.append((self.kernel, self.warps, grid_and_arguments[:3]))


class Loader:
    """Says what an H100 would, and notes the binaries."""

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": 232_448, "multiprocessor_count": 132, "warpSize": 32}

    def load_binary(self, name: str, binary: bytes, *given: Any) -> tuple[int, ...]:
        loaded.append(hashlib.sha256(binary).hexdigest())
        # module, function, registers, spills, most threads
        return (1, 1, 64, 0, 1024)


class IdleDriver:
    """Stands where the CUDA driver would."""

    utils, launcher_cls = Loader(), Launcher

    def get_current_device(self) -> int:
        return 0

    def set_current_device(self, device: int) -> None:
        pass

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> GPUTarget:
        return TARGET

    def get_benchmarker(self) -> Callable[..., list[float]]:
        def later_is_faster(call: Callable[[], None], quantiles: object = None) -> list[float]:
            call()
            return [1.0 / len(launched)] * 3

        return later_is_faster


def main() -> None:
    triton.runtime.driver.set_active(IdleDriver())
    cases = [case for case in aot.CASES if case.name in sys.argv[1:]]
    ahead = [
        hashlib.sha256(aot.binary(launch, choice, TARGET.arch).asm["cubin"]).hexdigest()
        for case in cases
        for launch in aot.launches(case)
        for choice in launch.choices
    ]
    torch.cuda.device = lambda device: contextlib.nullcontext()  # type: ignore[misc, assignment]
    check.is_recording = lambda: True  # the wrappers accept tensors without memory
    for case in cases:
        case.call(torch.device("meta"))
        case.call(torch.device("meta"))
    print(json.dumps({"launched": launched, "loaded": loaded, "ahead": ahead}))


if __name__ == "__main__":
    main()
