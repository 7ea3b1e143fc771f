"""Shows a recall to whoever traces the run: LangSmith, `astream_events`. Numbers and ids, words only if asked for."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import RunnableConfig, RunnableLambda, patch_config

from agentmem.types import Namespace, Recall

RUN_NAME = "agentmem.recall"


def summary(
    recall: Recall, namespace: Namespace, at: datetime, *, content: bool, flags: Sequence[str] = ()
) -> dict[str, Any]:
    """What a recall at this moment did, as plain JSON, with the command that prints the same of the same question.

    `flags` are those of `agentmem recall` that it was asked with.
    """
    trace = recall.trace
    told: dict[str, Any] = {
        "namespace": list(namespace),
        "at": at.isoformat(),
        "repeat": _command(namespace, at, trace.budget_tokens, trace.query if content else "QUESTION", flags),
        "gate": trace.gate,
        "tiers": list(trace.tiers),
        "items": [
            {
                "id": item.id,
                "tier": item.tier,
                "kind": item.kind,
                "score": round(item.score, 4),
                "tokens": item.tokens,
            }
            for item in recall.items
        ],
        "tokens": trace.tokens,
        "budget_tokens": trace.budget_tokens,
        "candidates": trace.candidates,
        "folded": trace.folded,
        "rereads": [
            {"by": look.by, "found": look.found, "ms": round(look.seconds * 1e3, 2)} for look in trace.rereads
        ],
        "ms": round(trace.seconds * 1e3, 2),
        "embed_ms": round(trace.embed_seconds * 1e3, 2),
        "channels": {
            channel.name: {"proposed": channel.proposed, "ms": round(channel.seconds * 1e3, 2)}
            for channel in trace.channels
        },
    }
    if content:
        told["query"], told["text"] = trace.query, recall.text
    return told


def _command(
    namespace: Namespace, at: datetime, budget_tokens: int, question: str, flags: Sequence[str]
) -> str:
    scope = [part for label in namespace for part in ("-n", label)]
    given = ["--explain", *scope, "-b", str(budget_tokens), "--at", at.isoformat(), *flags, "--", question]
    return shlex.join(["agentmem", "recall", *given])


def show(told: dict[str, Any], config: RunnableConfig | None) -> None:
    """Add a run of its own below the node's, with the summary as its metadata."""
    _runnable(told).invoke(told, _with(told, config))


async def ashow(told: dict[str, Any], config: RunnableConfig | None) -> None:
    """`show`, for asynchronous runs."""
    await _runnable(told).ainvoke(told, _with(told, config))


def is_traced(config: RunnableConfig | None) -> bool:
    """Whether anyone listens."""
    callbacks = (config or {}).get("callbacks")
    return bool(callbacks.handlers if isinstance(callbacks, BaseCallbackManager) else callbacks)


def _runnable(told: dict[str, Any]) -> RunnableLambda[dict[str, Any], dict[str, Any]]:
    async def give(_: dict[str, Any]) -> dict[str, Any]:
        return told

    return RunnableLambda(lambda _: told, afunc=give, name=RUN_NAME)


def _with(told: dict[str, Any], config: RunnableConfig | None) -> RunnableConfig:
    child = patch_config(config)
    child["run_name"] = RUN_NAME
    child["metadata"] = {**(child.get("metadata") or {}), "agentmem": told}
    return child
