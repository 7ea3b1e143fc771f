"""Conversations small enough to learn from in a test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentmem.evals import locomo

KEPT_SESSIONS = 3


def _part(conversation: dict[str, Any], first: int, name: str) -> dict[str, Any]:
    """A conversation of a few sessions of another one, with the questions that they answer."""
    numbers = range(first, first + KEPT_SESSIONS)
    kept = tuple(f"D{number}:" for number in numbers)
    talk = conversation["conversation"]
    return {
        "sample_id": name,
        "conversation": {
            key: value
            for key, value in talk.items()
            if not key.startswith("session_") or int(key.split("_")[1]) in numbers
        },
        "qa": [
            question
            for question in conversation["qa"]
            if question["evidence"] and all(entry.startswith(kept) for entry in question["evidence"])
        ],
    }


@pytest.fixture(scope="session")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of two short conversations."""
    whole = json.loads(locomo.sample_path().read_text())[0]
    path = tmp_path_factory.mktemp("fit") / "two.json"
    path.write_text(json.dumps([_part(whole, 1, "one"), _part(whole, 4, "two")]))
    return path
