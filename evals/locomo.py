"""Reads LoCoMo (Maharana et al. 2024, "Evaluating Very Long-Term Conversational Memory of LLM Agents").

Data: github.com/snap-research/locomo, `data/locomo10.json`, CC BY-NC 4.0; it is never shipped with agentmem. A
sample conversation of our own in the same schema is (`sample_path`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from agentmem.errors import EvalDataError

from .task import CATEGORIES, Conversation, Dataset, Defects, Question, Turn

WHERE = (
    "LoCoMo is published at github.com/snap-research/locomo (data/locomo10.json) under CC BY-NC 4.0, so it is not "
    "shipped here. Download it, then: agentmem eval locomo --data path/to/locomo10.json. "
    "Without it, --sample runs on the conversation that ships with agentmem."
)
_SESSION = re.compile(r"session_(\d+)$")
_EVIDENCE = re.compile(r"D(\d+):(\d+)")
_DATE = "%I:%M %p on %d %B, %Y"


def sample_path() -> Path:
    """The packaged sample conversation."""
    return Path(str(files("agentmem.evals") / "data" / "sample_conversation.json"))


def chats_path() -> Path:
    """The packaged chats of two people with an assistant, whose answers are long."""
    return Path(str(files("agentmem.evals") / "data" / "assistant_chats.json"))


def load(path: Path | None) -> Dataset:
    """The conversations of a LoCoMo file.

    Raises:
        EvalDataError: no path, no such file, or not in LoCoMo's format.
    """
    if path is None:
        raise EvalDataError(f"--data is missing. {WHERE}")
    if not path.is_file():
        raise EvalDataError(f"no file at {path}. {WHERE}")
    try:
        samples = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EvalDataError(f"{path} cannot be read: {error.strerror}. {WHERE}") from error
    except ValueError as error:
        raise EvalDataError(f"{path} is not JSON: {error}. {WHERE}") from error
    if not isinstance(samples, list):
        raise EvalDataError(f"{path} is not in LoCoMo's format: not a list of conversations. {WHERE}")
    defects = _Defects()
    conversations = []
    for place, sample in enumerate(samples):
        try:
            conversations.append(_conversation(sample, place, defects))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EvalDataError(
                f"{path} is not in LoCoMo's format: conversation {place}: {type(error).__name__} {error}. {WHERE}"
            ) from error
    if not conversations:
        raise EvalDataError(f"{path} holds no conversation. {WHERE}")
    return Dataset(path.stem, str(path), tuple(conversations), defects.counted())


class _Defects:
    """Counts as it reads."""

    def __init__(self) -> None:
        self.mended = 0
        self.dangling: list[str] = []
        self.without_evidence = 0
        self.turns: list[str] = []

    def counted(self) -> Defects:
        return Defects(self.mended, tuple(self.dangling), self.without_evidence, tuple(self.turns))


def _conversation(sample: Mapping[str, Any], place: int, defects: _Defects) -> Conversation:
    name = str(sample.get("sample_id", f"conversation-{place}"))
    dialogue = sample["conversation"]
    numbers = sorted(int(match[1]) for key in dialogue if (match := _SESSION.match(key)))
    turns: dict[str, Turn] = {}
    for number in numbers:
        at = read_date(dialogue[f"session_{number}_date_time"])
        for item in dialogue[f"session_{number}"]:
            turn = _turn(item, f"session_{number}", at)
            if turn.content and turn.id not in turns:
                turns[turn.id] = turn
            else:
                defects.turns.append(f"{name} {turn.id!r} {'repeated' if turn.content else 'empty'}")
    questions = tuple(_question(item, name, turns.keys(), defects) for item in sample["qa"])
    return Conversation(name, tuple(turns.values()), questions)


def read_date(text: str) -> datetime:
    """`1:56 pm on 8 May, 2023` as an aware moment; LoCoMo names no zone, so UTC."""
    return datetime.strptime(text.strip(), _DATE).replace(tzinfo=UTC)


def _turn(turn: Mapping[str, Any], session: str, at: datetime) -> Turn:
    words = str(turn.get("text") or "").strip()
    caption = str(turn.get("blip_caption") or "").strip()
    content = "\n".join(filter(None, (words, f"[image: {caption}]" if caption else "")))
    return Turn(str(turn["dia_id"]), session, str(turn["speaker"]), at, words or content, content)


def _question(item: Mapping[str, Any], name: str, known: Collection[str], defects: _Defects) -> Question:
    category = int(item["category"])
    if category not in CATEGORIES:
        raise ValueError(f"category {category} in {name}")
    evidence: list[str] = []
    listed = item.get("evidence") or ()
    for raw in [listed] if isinstance(listed, str) else listed:
        found = [f"D{int(session)}:{int(turn)}" for session, turn in _EVIDENCE.findall(str(raw))]
        defects.mended += bool(found) and found != [raw]
        there = [id_ for id_ in found if id_ in known]
        evidence.extend(there)
        if not found or there != found:
            defects.dangling.append(f"{name} {raw!r}")
    if not evidence:
        defects.without_evidence += 1
    answer = item.get("answer", item.get("adversarial_answer", ""))
    return Question(str(item["question"]), category, tuple(dict.fromkeys(evidence)), str(answer))
