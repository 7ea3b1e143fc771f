"""The small shapes on which every kernel is compared with its definition; run as a module, it compares them all."""

from __future__ import annotations

import argparse
import sys

import torch

from .checks_pages import PAGE_CHECKS
from .checks_search import SEARCH_CHECKS
from .verify import Check, red_ops

CHECKS: tuple[Check, ...] = (*PAGE_CHECKS, *SEARCH_CHECKS)


def main() -> int:
    """Print what is wrong; exit 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m agentmem.kernels.checks", description=__doc__)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    asked = parser.parse_args()
    red = red_ops(CHECKS, torch.device(asked.device))
    for lines in red.values():
        print("\n".join(lines))
    print(f"{len(CHECKS)} checks of {len({c.op for c in CHECKS})} ops, {len(red)} ops red")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
