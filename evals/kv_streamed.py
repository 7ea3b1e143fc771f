"""What is measured while a text without end is read."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

SINKS = 4


@dataclass(slots=True)
class Streamed:
    """What was measured: natural log losses (sums) over the tokens compared, bytes held as it went, facts recalled."""

    tokens: int = 0
    compared: int = 0
    loss: float = 0.0
    reference_loss: float = 0.0
    greatest_position: int = 0
    facts: int = 0
    recalled: int = 0
    in_window: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    """`tokens` read, `cache_bytes` held, `process_mib` resident."""
    seconds: float = 0.0

    @property
    def perplexity(self) -> float:
        """Of the stream."""
        return float(np.exp(self.loss / max(1, self.compared)))

    @property
    def reference_perplexity(self) -> float:
        """Of the same tokens, read anew."""
        return float(np.exp(self.reference_loss / max(1, self.compared)))
