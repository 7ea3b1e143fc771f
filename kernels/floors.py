"""The two-number floor of every timed case, without a GPU: `python -m agentmem.kernels.floors`.

A case can be no faster than its bytes at the memory's rate, nor than its FLOPs at the tensor cores'. The rates are a
data sheet's; `bench` measures both on the GPU it runs on and shows floors by those.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .case import Case
from .cases import CASES

H100_GB_PER_S = 3350.0
H100_TFLOP_PER_S = 989.0
"""H100 SXM5, NVIDIA's data sheet: HBM3, and dense bf16."""


def floor_row(case: Case, gb_per_s: float, tflop_per_s: float) -> str:
    """One case as a row of the table."""
    by_bytes, by_flops = case.moved_bytes / gb_per_s / 1e3, case.flops / tflop_per_s / 1e6
    return (
        f"| {case.name} | {case.moved_bytes / 1e6:.2f} | {case.flops / 1e9:.3f} | {by_bytes:.2f} | {by_flops:.2f} "
        f"| {'bytes' if by_bytes >= by_flops else 'FLOPs'} |"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m agentmem.kernels.floors", description=__doc__)
    parser.add_argument("--gb-per-s", type=float, default=H100_GB_PER_S, help="memory bandwidth")
    parser.add_argument("--tflop-per-s", type=float, default=H100_TFLOP_PER_S, help="bf16 rate, dense")
    asked = parser.parse_args(arguments)
    print(
        "| case | MB moved | GFLOP | us by bytes | us by FLOPs | bound by |",
        "|---|---|---|---|---|---|",
        sep="\n",
    )
    for case in CASES:
        if case.timed:
            print(floor_row(case, asked.gb_per_s, asked.tflop_per_s))
    return 0


if __name__ == "__main__":
    sys.exit(main())
