"""What a layer keeps when its budget is full: one idea, one file.

`Full` keeps everything, and so do `BlockRetrieval` and `ClusteredRetrieval`, what is far in few bits; `PrecisionTiers`
lets what is far go down in steps; `FadingState` folds it into a state of fixed size; `HeadSplit` lets one of these keep
it for some heads only. `SinkRecent`, `TokenEntropy`, `SnapKV`, `H2O`, `TOVA`, `ExpectedAttention` and `Ladder` free the
rest for good. Each file names its source, formula and defaults. What must come back bit by bit is no policy, which says
what goes, but a snapshot of a whole text: `agentmem.kv.snapshot` and `ExactKV`.
"""

from __future__ import annotations

from agentmem.kv.policies.block_retrieval import BlockRetrieval
from agentmem.kv.policies.clustered import ClusteredRetrieval
from agentmem.kv.policies.expected_attention import ExpectedAttention
from agentmem.kv.policies.fading_state import FadingState
from agentmem.kv.policies.full import Full
from agentmem.kv.policies.h2o import H2O
from agentmem.kv.policies.head_split import HeadSplit
from agentmem.kv.policies.ladder import Ladder
from agentmem.kv.policies.paged import Paged
from agentmem.kv.policies.policy import Policy, Rolling, Step
from agentmem.kv.policies.precision_tiers import PrecisionTiers
from agentmem.kv.policies.sink_recent import SinkRecent
from agentmem.kv.policies.snapkv import SnapKV
from agentmem.kv.policies.token_entropy import TokenEntropy
from agentmem.kv.policies.tova import TOVA

__all__ = [
    "H2O",
    "TOVA",
    "BlockRetrieval",
    "ClusteredRetrieval",
    "ExpectedAttention",
    "FadingState",
    "Full",
    "HeadSplit",
    "Ladder",
    "Paged",
    "Policy",
    "PrecisionTiers",
    "Rolling",
    "SinkRecent",
    "SnapKV",
    "Step",
    "TokenEntropy",
]
