"""Compile every kernel ahead of time, without a GPU, and refuse spills: `python -m agentmem.kernels.aot`.

Each case of `cases.py` is launched on tensors of the `meta` device while launches are recorded, so what is
compiled is exactly what a GPU would be asked to run: the same dtypes, constants, alignment and tuning choices.
The gate: no stack frame and no local memory (a spill needs both), at most 255 registers a thread, and shared
memory within the architecture's limit.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from .case import Case
from .cases import CASES
from .launch import INTERPRETED, Choice, Launch, recording

SHARED_LIMIT = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}
"""Shared memory a block may use, by compute capability."""
TYPES = {
    torch.float32: "fp32",
    torch.float16: "fp16",
    torch.bfloat16: "bf16",
    torch.int64: "i64",
    torch.int32: "i32",
    torch.int8: "i8",
    torch.uint8: "u8",
    torch.bool: "i1",
}


@dataclass(frozen=True)
class Built:
    """What one compiled kernel asks of the GPU."""

    case: str
    kernel: str
    arch: int
    choice: Choice
    registers: int
    stack_bytes: int
    local_bytes: int
    shared_bytes: int

    @property
    def faults(self) -> list[str]:
        """Why the gate refuses it; empty when it passes."""
        found = []
        if self.stack_bytes or self.local_bytes:
            found.append(f"spills ({self.stack_bytes} B stack, {self.local_bytes} B local)")
        if self.shared_bytes > SHARED_LIMIT[self.arch]:
            found.append(f"{self.shared_bytes} B shared memory, limit {SHARED_LIMIT[self.arch]}")
        return found

    def __str__(self) -> str:
        blocks = " ".join(f"{k}={v}" for k, v in self.choice.blocks.items())
        used = f"sm_{self.arch:<3} {self.registers:3} regs {self.shared_bytes:6} B shared"
        choice = f"warps={self.choice.num_warps} stages={self.choice.num_stages} {blocks}"
        return f"{'; '.join(self.faults) or 'ok':4} {used}  {self.kernel} [{self.case}] {choice}"


def source(launch: Launch, choice: Choice) -> ASTSource:
    """The launch as the compiler sees it, specialised as at run time: 1 is a constant, multiples of 16 are marked."""
    names, params = launch.kernel.body.arg_names, launch.kernel.body.params
    values = dict(zip(names, launch.args, strict=False)) | dict(launch.constants) | dict(choice.blocks)
    signature: dict[str, str] = {}
    constants: dict[tuple[int, ...], Any] = {}
    attrs: dict[tuple[int, ...], Any] = {}
    for place, name in enumerate(names):
        value = values[name]
        if isinstance(value, torch.Tensor):
            signature[name] = "*" + TYPES[value.dtype]
            attrs[(place,)] = [["tt.divisibility", 16]]
        elif (
            place >= len(launch.args)
            or value is None
            or (type(value) is int and value == 1 and not params[place].do_not_specialize)
        ):
            signature[name] = "constexpr"
            constants[(place,)] = value
        elif isinstance(value, float):
            signature[name] = "fp32"
        else:
            signature[name] = "i32" if -(2**31) <= value < 2**31 else "i64"
            if value % 16 == 0 and not params[place].do_not_specialize:
                attrs[(place,)] = [["tt.divisibility", 16]]
    return ASTSource(launch.kernel.body, signature=signature, constexprs=constants, attrs=attrs)


def binary(launch: Launch, choice: Choice, arch: int) -> Any:
    """The launch compiled for `sm_<arch>` with the bundled assembler."""
    return triton.compile(
        source(launch, choice),
        target=GPUTarget("cuda", arch, 32),
        options={
            "num_warps": choice.num_warps,
            "num_stages": choice.num_stages,
            "enable_fp_fusion": launch.kernel.fma,
        },
    )


def build(case: str, launch: Launch, choice: Choice, arch: int) -> Built:
    """Compile, and read the resources off the binary."""
    compiled = binary(launch, choice, arch)
    used = resources(compiled.asm["cubin"])
    return Built(
        case=case,
        kernel=launch.kernel.name,
        arch=arch,
        choice=choice,
        registers=used["REG"],
        stack_bytes=used["STACK"],
        local_bytes=used["LOCAL"],
        shared_bytes=int(compiled.metadata.shared),
    )


def resources(cubin: bytes) -> dict[str, int]:
    """`cuobjdump -res-usage` of one binary, as numbers."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        told = subprocess.run(  # noqa: S603 - the tool comes inside the Triton wheel
            [triton.knobs.nvidia.cuobjdump.path, "-res-usage", file.name],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    line = next(line for line in told.splitlines() if "REG:" in line)
    return {name: int(number) for name, number in re.findall(r"([A-Z]+):(\d+)", line)}


def launches(case: Case) -> list[Launch]:
    """What the case would launch, with nothing computed."""
    with recording() as seen:
        case.call(torch.device("meta"))
    return list(seen)


def build_case(case: Case, archs: Iterable[int], first_choice_only: bool) -> list[Built]:
    """Compile all that one case launches."""
    return [
        build(case.name, launch, choice, arch)
        for launch in launches(case)
        for choice in (launch.choices[:1] if first_choice_only else launch.choices)
        for arch in archs
    ]


def build_named(name: str, archs: tuple[int, ...], first_choice_only: bool) -> list[Built]:
    """`build_case` by name: what a worker process is sent."""
    return build_case(next(case for case in CASES if case.name == name), archs, first_choice_only)


def build_all(
    wanted: Callable[[Case], bool], archs: tuple[int, ...], *, first_choice_only: bool = False, jobs: int = 1
) -> Iterator[Built]:
    """Compile the cases that `wanted` accepts, `jobs` at a time."""
    names = [case.name for case in CASES if wanted(case)]
    if jobs == 1:
        for name in names:
            yield from build_named(name, archs, first_choice_only)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for built in pool.map(build_named, names, [archs] * len(names), [first_choice_only] * len(names)):
            yield from built


def main() -> int:
    """Print the binaries that the gate refuses, and exit 1 if there are any."""
    parser = argparse.ArgumentParser(prog="python -m agentmem.kernels.aot", description=__doc__)
    parser.add_argument(
        "--arch", type=int, nargs="+", default=sorted(SHARED_LIMIT), help="compute capabilities"
    )
    parser.add_argument("--op", default="", help="only cases whose name contains this")
    parser.add_argument("--sample", action="store_true", help="only one case of each op")
    parser.add_argument("--first", action="store_true", help="only each kernel's first tuning choice")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="also print the binaries that pass")
    asked = parser.parse_args()
    if INTERPRETED:
        print("unset TRITON_INTERPRET: the interpreter has nothing to compile", file=sys.stderr)
        return 2
    sample = {case.op: case.name for case in reversed(CASES)}.values()

    def wanted(case: Case) -> bool:
        return asked.op in case.name and (not asked.sample or case.name in sample)

    count = refused = 0
    for built in build_all(wanted, tuple(asked.arch), first_choice_only=asked.first, jobs=asked.jobs):
        count += 1
        refused += bool(built.faults)
        if asked.verbose or built.faults:
            print(built, flush=True)
    print(f"{count} binaries, {refused} refused")
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
