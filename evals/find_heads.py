"""Find which heads of the packaged recall model look far back, and write them beside it.

python -m agentmem.evals.find_heads [--out evals/data/recaller/retrieval_heads.json]

The method is `agentmem.kv.heads`; a text tells 16 facts and asks for them 400 tokens later.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from agentmem.kv.heads import retrieval_gates, retrieval_heads

from . import recaller
from .needles import FACTS
from .recaller_text import needles

SEED, TEXTS, DISTRACTORS = 5, 60, 400


def texts(count: int = TEXTS) -> Iterator[tuple[Tensor, Tensor]]:
    """Token ids and the positions that ask."""
    for number in range(count):
        reading = needles(np.random.default_rng([SEED, number]), FACTS, DISTRACTORS)
        yield torch.from_numpy(reading.ids), torch.from_numpy(reading.asked)


def main() -> None:
    """Print the gates; keep them where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="also write gates and heads here, as JSON")
    asked = parser.parse_args()
    gates = retrieval_gates(recaller.model(), texts())
    for layer, row in enumerate(gates.tolist()):
        print(f"layer {layer}: " + ", ".join(f"{gate:.2f}" for gate in row))
    if asked.out:
        rounded = [[round(gate, 3) for gate in row] for row in gates.tolist()]
        found = {"gates": rounded, "retrieval": retrieval_heads(gates)}
        asked.out.write_text(json.dumps(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
