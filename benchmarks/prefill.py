"""How soon a local model says its first word about a question: recall and prefill one after the other, or overlapped.

The packaged sample and its questions, or LoCoMo's with `--data`; the offline embedder, each question embedded anew; a
Llama of 8 layers of 512 with random weights (what reading costs does not depend on what they are), one token a word.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import llama_shapes
from measure import Row, spread

from agentmem import Memory
from agentmem.kv import Prefill
from agentmem.registry import load

_SAMPLE = Path(__file__).parents[1] / "evals" / "data" / "sample_conversation.json"
_ASKED = (1, 2, 3, 4)
_BUDGET = 1000


def rows(data: Path | None, folder: Path) -> Iterator[Row]:
    """Every answerable question of the first conversation both ways, in turn."""
    conversation = load("datasets", "locomo")(data or _SAMPLE).conversations[0]
    asked = [one.text for one in conversation.questions if one.category in _ASKED and one.evidence]
    model, tokenizer = llama_shapes.model(), llama_shapes.tokenizer()
    taken: dict[str, list[float]] = {"serial": [], "overlapped": []}
    early = total = 0
    with Memory(folder / "prefill.db", embedder="offline") as memory:
        memory.remember([turn.message() for turn in conversation.turns])
        ways = {"serial": _serial, "overlapped": _overlapped}
        for question in ["warm up", *asked]:
            for name, way in ways.items():
                memory.core.embedder.clear()
                seconds, tokens, read_early = _timed(way, Prefill(model, tokenizer), memory, question)
                if question != "warm up":
                    taken[name].append(seconds)
                    total, early = total + tokens, early + read_early
    yield Row("first token, recall and then prefill", "agentmem", spread(taken["serial"]))
    yield Row("first token, prefill while recalling", "agentmem", spread(taken["overlapped"]))
    yield Row("tokens read before all was found", "agentmem", f"{2 * early / total:.0%}")
    quicker = sum(two < one for one, two in zip(taken["serial"], taken["overlapped"], strict=True))
    yield Row("questions that the overlap made quicker", "agentmem", f"{quicker} of {len(asked)}")


def _timed(
    way: Callable[[Prefill, Memory, str], int], prefill: Prefill, memory: Memory, question: str
) -> tuple[float, int, int]:
    """Seconds to the first token, tokens of the prompt, and how many were read before all evidence was there."""
    began = time.perf_counter()
    early = way(prefill, memory, question)
    given = prefill.inputs(f"\n{question}\n")
    prefill.model.generate(**given, max_new_tokens=1, do_sample=False)
    return time.perf_counter() - began, int(given["input_ids"].shape[1]), early


def _serial(prefill: Prefill, memory: Memory, question: str) -> int:
    prefill.read(memory.recall(question, budget_tokens=_BUDGET).text)
    return 0


def _overlapped(prefill: Prefill, memory: Memory, question: str) -> int:
    early: list[int] = []

    def found() -> Iterator[Any]:
        for chunk in memory.recall_stream(question, budget_tokens=_BUDGET):
            early.append(prefill.tokens)
            yield chunk

    prefill.read_all(found())
    return early[-1]
