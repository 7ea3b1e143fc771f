"""Shows a memory at work: a few questions with the evidence recalled for each."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from agentmem.memory import Memory

from .task import CATEGORIES, Conversation, Question

# how many questions of each category make the ten
_SPREAD = {1: 2, 2: 3, 3: 1, 4: 3, 5: 1}
_LINES = 3


def ten_questions(conversation: Conversation) -> list[Question]:
    """The first few of each category."""
    return [
        question
        for category, count in _SPREAD.items()
        for question in [q for q in conversation.questions if q.category == category and q.evidence][:count]
    ]


def show_answers(conversation: Conversation, console: Console) -> None:
    """Remember the conversation in a fresh store and print what recall finds for ten questions."""
    with (
        tempfile.TemporaryDirectory(prefix="agentmem-demo-") as folder,
        Memory(Path(folder, "demo.db")) as memory,
    ):
        receipt = memory.remember([turn.message() for turn in conversation.turns])
        first, last = conversation.turns[0].at, conversation.turns[-1].at
        console.print(
            f"remembered {receipt.added} messages from {first:%B %Y} to {last:%B %Y} "
            f"in one file of {memory.stats().store_bytes / 2**20:.1f} MiB; the best of what each question recalls, "
            "[green]●[/green] what answers it, ○ what does not:\n"
        )
        for question in ten_questions(conversation):
            _show(memory, question, console)


def _show(memory: Memory, question: Question, console: Console) -> None:
    found = memory.recall(question.text, budget_tokens=1000)
    console.print(f"[bold]{escape(question.text)}[/bold]  [dim]({CATEGORIES[question.category]})[/dim]")
    for item in found.items[:_LINES]:
        mark = "[green]●[/green]" if set(item.source_ids) & set(question.evidence) else "○"
        text = " ".join(item.text.split())
        console.print(
            f"  {mark} [dim]{item.at:%d %b %Y} {_sources(item.source_ids)}[/dim] {escape(f'{item.speaker}: {text}')}",
            overflow="ellipsis",
            no_wrap=True,
        )
    places = [
        place for place, item in enumerate(found.items, 1) if set(item.source_ids) & set(question.evidence)
    ]
    where = f"evidence at {', '.join(map(str, places))}" if places else "evidence not recalled"
    console.print(
        f"  [dim]{len(found.items)} items, {found.tokens} tokens, {found.trace.seconds * 1e3:.0f} ms; {where}[/dim]\n"
    )


def _sources(ids: Sequence[str]) -> str:
    return escape(", ".join(ids))
