"""How soon a model can begin to read: the first chunk of a stream beside the whole recall, embedding included.

The packaged sample and its questions, or LoCoMo's with `--data`; the offline model, each question embedded anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from measure import Row, seconds, spread

from agentmem import Memory
from agentmem.registry import load

_SAMPLE = Path(__file__).parents[1] / "evals" / "data" / "sample_conversation.json"
_ASKED = (1, 2, 3, 4)


def rows(data: Path | None, folder: Path) -> Iterator[Row]:
    """One memory for each conversation; every answerable question as a stream, then as a recall."""
    first: list[float] = []
    last: list[float] = []
    plain: list[float] = []
    early = right = asked = 0
    for conversation in load("datasets", "locomo")(data or _SAMPLE).conversations:
        with Memory(folder / f"{conversation.id}.db", embedder="offline") as memory:
            memory.remember([turn.message() for turn in conversation.turns])
            memory.recall("warm up")
            for question in conversation.questions:
                if question.category not in _ASKED or not question.evidence:
                    continue
                memory.core.embedder.clear()
                chunks = list(memory.recall_stream(question.text))
                memory.core.embedder.clear()
                plain.append(seconds(lambda text=question.text, of=memory: of.recall(text)))  # type: ignore[misc]
                last.append(chunks[-1].seconds)
                asked += 1
                if len(chunks) > 1:
                    early += 1
                    first.append(chunks[0].seconds)
                    right += bool(
                        {id_ for i in chunks[0].items for id_ in i.source_ids} & set(question.evidence)
                    )
    yield Row("first evidence of a stream", "agentmem", spread(first))
    yield Row("the whole stream", "agentmem", spread(last))
    yield Row("recall, for comparison", "agentmem", spread(plain))
    yield Row("questions with evidence before they are embedded", "agentmem", f"{early} of {asked}")
    yield Row("of these, some of it is what was asked for", "agentmem", f"{right} of {early}")
