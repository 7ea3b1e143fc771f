"""What agentmem asks of the parts it is given: embedder, tokenizer, channel, store, event loop.

Each contract says what a caller may rely on. Nothing here does anything.
"""

from agentmem.contracts.parts import (
    Channel,
    Embedder,
    Query,
    TextKind,
    Tokenizer,
)
from agentmem.contracts.running import (
    AsyncBridge,
    Executor,
    Running,
)
from agentmem.contracts.store import (
    Store,
)
from agentmem.contracts.values import (
    EventMentions,
    FoundMention,
    MaintenanceStep,
    Mention,
    OwnerKind,
    Passage,
    Precision,
    PreparedEvent,
    Progress,
    Scored,
    Selection,
    StoredPassage,
    Vectors,
)

__all__ = [
    "AsyncBridge",
    "Channel",
    "Embedder",
    "EventMentions",
    "Executor",
    "FoundMention",
    "MaintenanceStep",
    "Mention",
    "OwnerKind",
    "Passage",
    "Precision",
    "PreparedEvent",
    "Progress",
    "Query",
    "Running",
    "Scored",
    "Selection",
    "Store",
    "StoredPassage",
    "TextKind",
    "Tokenizer",
    "Vectors",
]
