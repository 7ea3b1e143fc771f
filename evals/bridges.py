"""Conversations with questions of two steps, whose second fact shares no word with the question.

"Which animals does Nora's boss keep?" is answered by "My new boss is called Marta Lindqvist." and, sessions apart, by
"Marta Lindqvist breeds quails on a farm." Facts of the same form about others stand beside it, so that only who takes
the first step can tell which one is meant. Names and lines are our own (`data/bridges.json`); made anew from a seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from .task import Conversation, Dataset, Defects, Question, Turn

# what a question asks for: its first fact alone, one more that the first leads to, or two more
PLAIN, BRIDGE, CHAIN = 4, 1, 3
GROUPS: Mapping[int, str] = {PLAIN: "one fact", BRIDGE: "a bridge", CHAIN: "two bridges"}
_SESSIONS = 8
_CHATTER = 300
_DECOYS = 3
_FIRST_DAY = datetime(2024, 1, 8, 18, 30, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Said:
    """A line before it has its place: an id, who says it (None: either), and its words."""

    id: str
    speaker: str | None
    text: str


def dataset(seed: int = 0) -> Dataset:
    """Five conversations of some 380 turns, with about 40 questions each; the same for the same seed."""
    source = json.loads((files("agentmem.evals") / "data" / "bridges.json").read_text(encoding="utf-8"))
    conversations = tuple(
        # the same from the same seed is all that is asked of it
        _Maker(source, random.Random(f"{seed} {place}"), place, tuple(speakers)).make()  # noqa: S311
        for place, speakers in enumerate(source["speakers"])
    )
    return Dataset("bridges", "generated", conversations, Defects())


class _Maker:
    """Makes one conversation; every name is used for one thing only."""

    def __init__(
        self, source: Mapping[str, Any], chance: random.Random, place: int, speakers: tuple[str, ...]
    ) -> None:
        self._source = source
        self._chance = chance
        self._id = f"bridges-{place}"
        self._speakers = speakers
        self._names = {kind: chance.sample(names, len(names)) for kind, names in source["names"].items()}
        self._said: list[_Said] = []
        self._questions: list[Question] = []

    def make(self) -> Conversation:
        """The conversation: facts, others of the same form, and chatter, in any order."""
        for kind in self._source["kinds"]:
            self._ask_about(kind)
        for chain in self._source["chains"]:
            self._ask_in_two_steps(chain)
        self._chat()
        self._chance.shuffle(self._said)
        return Conversation(self._id, tuple(self._turns()), tuple(self._questions))

    def _ask_about(self, kind: Mapping[str, Any]) -> None:
        """Each speaker is asked each of a kind's questions, or as many as there are names for."""
        relations = list(enumerate(kind["relations"]))
        for speaker in self._speakers:
            for (number, relation), ask in zip(
                self._mixed(relations), self._mixed(kind["asks"]), strict=False
            ):
                words = {
                    "S": speaker,
                    "R": relation.format(S=speaker),
                    "B": self._names[kind["bridge"]].pop(),
                }
                values = self._mixed(ask["values"])
                # relations of some kinds have a line of their own
                lines = kind["firsts"]
                line = lines[number] if len(lines) == len(relations) else self._chance.choice(lines)
                first = self._say(speaker, line.format(**words))
                second = self._say(None, ask["second"].format(V=values[0], **words))
                self._question(kind["plain"].format(**words), PLAIN, first)
                self._question(ask["question"].format(**words), BRIDGE, first, second)
                self._mislead(kind, ask, values[1:])

    def _mislead(self, kind: Mapping[str, Any], ask: Mapping[str, Any], values: list[str]) -> None:
        """The same said of others, who are named elsewhere, too."""
        for value in values[:_DECOYS]:
            names = self._names[kind["bridge"]]
            if len(names) <= len(self._source["kinds"]):
                return
            other = names.pop()
            self._say(None, ask["second"].format(V=value, B=other))
            self._say(None, self._chance.choice(kind["decoys"]).format(B=other))

    def _ask_in_two_steps(self, chain: Mapping[str, Any]) -> None:
        for speaker, relation in zip(self._speakers, self._mixed(chain["relations"]), strict=False):
            person, town = self._names["person"].pop(), self._names["town"].pop()
            words = {"S": speaker, "R": relation, "B": person, "C": town}
            first = self._say(speaker, chain["first"].format(**words))
            middle = self._say(None, chain["middle"].format(**words))
            second = self._say(None, chain["second"].format(V=self._chance.choice(chain["values"]), **words))
            self._question(chain["question"].format(**words), CHAIN, first, middle, second)

    def _mixed(self, values: list[Any]) -> list[Any]:
        return self._chance.sample(values, len(values))

    def _say(self, speaker: str | None, text: str) -> str:
        id_ = f"f{len(self._said)}"
        self._said.append(_Said(id_, speaker, text))
        return id_

    def _question(self, text: str, group: int, *evidence: str) -> None:
        self._questions.append(Question(text, group, evidence, ""))

    def _chat(self) -> None:
        chatter = self._source["chatter"]
        for number in range(_CHATTER):
            text = self._chance.choice(chatter["lines"]).format(X=self._chance.choice(chatter["topics"]))
            self._said.append(_Said(f"c{number}", None, text[0].upper() + text[1:]))

    def _turns(self) -> Iterator[Turn]:
        per_session = -(-len(self._said) // _SESSIONS)
        for place, said in enumerate(self._said):
            session, minute = divmod(place, per_session)
            speaker = said.speaker or self._chance.choice(self._speakers)
            at = _FIRST_DAY + timedelta(weeks=session, minutes=minute)
            yield Turn(said.id, f"s{session}", speaker, at, said.text, said.text)
