"""Long messages are recalled by passage, so that a small context holds the evidence of several."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from agentmem import Memory

AT = datetime(2024, 5, 1, 9, tzinfo=UTC)
TOWNS = ("Ostavik", "Tornby", "Velmoor", "Sandrup", "Lodswick")
WORDS = [
    "report",
    "table",
    "figure",
    "method",
    "value",
    "result",
    "section",
    "draft",
    "number",
    "margin",
    "column",
]


def long_answer(town: str, seed: int) -> str:
    """Over a thousand words, with one sentence in the middle that says something."""
    chance = random.Random(seed)
    sentences = [" ".join(chance.choices(WORDS, k=12)).capitalize() + "." for _ in range(100)]
    return " ".join([*sentences[:50], f"The lighthouse of {town} was painted green.", *sentences[50:]])


def test_a_context_of_500_tokens_holds_evidence_from_five_long_messages() -> None:
    messages = [
        {
            "id": town,
            "role": "assistant",
            "content": long_answer(town, place),
            "at": AT + timedelta(days=place),
            "session": town,
        }
        for place, town in enumerate(TOWNS)
    ]
    assert min(len(str(message["content"]).split()) for message in messages) > 1000
    with Memory("sqlite://", embedder="hash") as memory:
        memory.remember(messages)

        found = memory.recall("Which towns had their lighthouse painted green?", budget_tokens=500)

    assert found.tokens <= 500
    assert all(f"The lighthouse of {town} was painted green." in found.text for town in TOWNS)
    assert found.text.count("# ") == found.text.count("May 2024") == 5
    assert found.text.count("assistant: […]") >= 5
