"""Time every op on a GPU against its floor and its rivals: `python -m agentmem.kernels.bench`.

An op is timed only if it agrees with its definition on this GPU first (`verify`); a red op is refused. Each line is
read against two ceilings measured on the same GPU: a large copy and a large bf16 matrix product. Times are of CUDA
graph replays over rotating inputs, so that neither launches nor caches flatter them.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
import triton

from .case import Case, Inputs
from .cases import CASES
from .checks import CHECKS
from .launch import INTERPRETED
from .measure import Timing, copy_gb_per_s, input_sets, l2_bytes, matmul_tflop_per_s, timed
from .rivals import ON_HOST, RIVALS, Rival, context
from .verify import red_ops

NO_GPU = (
    "nothing timed: {} here. The kernels' times need a GPU of compute capability 8.0 or newer; without one, check\n"
    "results with `TRITON_INTERPRET=1 python -m agentmem.kernels.checks`, and registers with\n"
    "`python -m agentmem.kernels.aot`."
)


@dataclass(frozen=True)
class Ceilings:
    """What this GPU does on the two simplest loads."""

    copy_gb_per_s: float
    matmul_tflop_per_s: float

    def floor_us(self, case: Case) -> float:
        """No version of the op can be much faster: the larger of its bytes' and its FLOPs' time."""
        return max(case.moved_bytes / self.copy_gb_per_s / 1e3, case.flops / self.matmul_tflop_per_s / 1e6)


@dataclass(frozen=True)
class Row:
    """One timed case."""

    op: str
    label: str
    timing: Timing
    input_sets: int
    gb_per_s: float
    tflop_per_s: float
    share_of_copy: float
    share_of_matmul: float
    floor_us: float
    rivals: dict[str, float | str]


TARGETS: dict[str, tuple[str, float]] = {
    "quantize_pack/int4-bfloat16-d128": ("share_of_copy", 0.70),
    "block_score_topk/bound-bfloat16-d128": ("median_us", 10.0),
    "sparse_paged_attention/int4v4-bfloat16-d128-q1x4-turned": ("median_us", 15.0),
    "kmeans_assign/131072x2048-bfloat16-d128": ("share_of_matmul", 0.50),
    "maxsim/32x10000x300-bfloat16-d128": ("share_of_copy", 0.60),
}
"""Case -> what it is to reach on an H100: at most this time, or at least this share."""


def make_sets(case: Case) -> list[Inputs]:
    """Inputs to rotate among: made until the cache cannot hold what they move."""
    device, properties = torch.device("cuda"), torch.cuda.get_device_properties(0)
    before = torch.cuda.memory_allocated()
    sets = [case.make(device)]
    held = torch.cuda.memory_allocated() - before
    count = input_sets(case.moved_bytes, held, l2=l2_bytes(), memory=properties.total_memory)
    return sets + [case.make(device) for _ in range(count - 1)]


def time_rival(name: str, rival: Rival, sets: Sequence[Inputs]) -> float | str:
    """A rival's microseconds over the same inputs, or why it did not run."""
    try:
        if name in ON_HOST:
            return timed([rival(sets[0])], graph=False, warm_ups=1, repeats=3).median_us
        return timed([rival(inputs) for inputs in sets]).median_us
    except Exception as error:  # a rival that cannot run here is named with its reason, not silently left out
        reason = (str(error).splitlines() or [""])[0][:80]
        return f"did not run: {type(error).__name__}: {reason}"


def time_case(case: Case, ceilings: Ceilings) -> Row:
    """Time one case and its rivals."""
    torch.manual_seed(0)
    sets = make_sets(case)
    timing = timed([partial(case.run, *args, **options) for args, options in sets])
    rivals = {name: time_rival(name, rival, sets) for name, rival in RIVALS.get(case.op, {}).items()}
    context.cache_clear()
    gb, tflop = case.moved_bytes / timing.median_us / 1e3, case.flops / timing.median_us / 1e6
    return Row(
        case.op,
        case.label,
        timing,
        len(sets),
        gb,
        tflop,
        gb / ceilings.copy_gb_per_s,
        tflop / ceilings.matmul_tflop_per_s,
        ceilings.floor_us(case),
        rivals,
    )


def verdict(row: Row) -> str:
    """Whether a case with a target reaches it; empty without one."""
    name = f"{row.op}/{row.label}"
    if name not in TARGETS:
        return ""
    what, goal = TARGETS[name]
    if what == "median_us":
        reached = row.timing.median_us <= goal
        return f"target {goal:.0f} us: {'reached' if reached else 'MISSED'}"
    reached = float(getattr(row, what)) >= goal
    return f"target {goal:.0%} of {what.removeprefix('share_of_')}: {'reached' if reached else 'MISSED'}"


def show(row: Row) -> str:
    """One case as text."""
    t = row.timing
    lines = [
        f"{row.op}/{row.label}",
        f"  {t.median_us:9.1f} us ({t.low_us:.1f} to {t.high_us:.1f}, {'graph' if t.graph else 'launches'})"
        f"  floor {row.floor_us:.1f} us  {row.gb_per_s:7.0f} GB/s ({row.share_of_copy:.0%} of copy)"
        f"  {row.tflop_per_s:6.1f} TFLOP/s ({row.share_of_matmul:.0%} of matmul)  {verdict(row)}".rstrip(),
    ]
    for name, took in row.rivals.items():
        lines.append(f"  {took:9.1f} us  {name}" if isinstance(took, float) else f"  {name}: {took}")
    return "\n".join(lines)


def commit() -> str:
    """The checkout's commit, marked if it has changes; empty outside a checkout."""
    here = Path(__file__).resolve().parent
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607 - the user's own git
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip()


def setting(ceilings: Ceilings) -> dict[str, Any]:
    """What must be known to run this again."""
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "multiprocessors": properties.multi_processor_count,
        "compute_capability": f"{properties.major}.{properties.minor}",
        "memory_bytes": properties.total_memory,
        "l2_bytes": l2_bytes(),
        "torch": torch.__version__,
        "triton": triton.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "commit": commit(),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        **asdict(ceilings),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify, then time; 2 without a GPU, 1 if an op was refused."""
    parser = argparse.ArgumentParser(prog="python -m agentmem.kernels.bench", description=__doc__)
    parser.add_argument("--op", default="", help="only ops whose name contains this")
    parser.add_argument("--json", type=Path, help="also write the rows here, with the machine and versions")
    asked = parser.parse_args(arguments)
    if not torch.cuda.is_available() or INTERPRETED:
        print(
            NO_GPU.format("TRITON_INTERPRET is set" if INTERPRETED else "torch sees no CUDA device"),
            file=sys.stderr,
        )
        return 2
    cases = [case for case in CASES if case.timed and asked.op in case.op]
    ops = {case.op for case in cases}
    red = red_ops(tuple(check for check in CHECKS if check.op in ops), torch.device("cuda"))
    for op, found in red.items():
        print(f"REFUSED {op}: it disagrees with its definition on this GPU", *found, sep="\n  ", flush=True)
    ceilings = Ceilings(copy_gb_per_s(), matmul_tflop_per_s())
    about = setting(ceilings)
    print(*(f"{name}: {value}" for name, value in about.items()), sep="\n", flush=True)
    rows = []
    for case in cases:
        if case.op not in red:
            rows.append(time_case(case, ceilings))
            print(show(rows[-1]), flush=True)
            torch.cuda.empty_cache()
    if asked.json:
        kept = {"setting": about, "rows": [asdict(row) for row in rows], "refused": red}
        asked.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
