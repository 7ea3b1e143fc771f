"""agentmem: memory for long-horizon LLM agents. `Memory` is where to begin."""

from agentmem.aio import AsyncMemory
from agentmem.errors import AgentMemError
from agentmem.memory import Memory
from agentmem.types import (
    Event,
    ForgetReport,
    HistoryEntry,
    Note,
    Recall,
    RecallChunk,
    RecalledItem,
    Receipt,
    Stats,
)

__version__ = "0.1.0"
__all__ = [
    "AgentMemError",
    "AsyncMemory",
    "Event",
    "ForgetReport",
    "HistoryEntry",
    "Memory",
    "Note",
    "Recall",
    "RecallChunk",
    "RecalledItem",
    "Receipt",
    "Stats",
]
