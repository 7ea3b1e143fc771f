"""Whether a line needs memory at all, judged by its words alone, before anything is read.

What a user says to an assistant is often "thanks!" or "ok cool"; what memory holds on that is noise, and costs tokens.
A logistic regression over a few signs of the line, fitted by `agentmem eval gate` (`need.json`). A line in a language
that has no words here looks as if it had content, and is looked up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from agentmem.terms import STOP_WORDS, terms

# what is less likely than this to need memory is answered without
LEAST = 0.3
# what small talk is made of, beside stop words: greeting, thanks, assent, doubt, laughter, regret, farewell
_PLAIN_TEXT = (
    "hi hello hey hiya heya yo howdy greetings morning afternoon evening night welcome dear thanks thank thx ty cheers "
    "appreciate appreciated grateful much many lot lots helped helpful helping help ok okay okey k kk alright right "
    "sure yes yeah yep yup ya no nope nah fine good great perfect cool nice awesome excellent wonderful amazing lovely "
    "brilliant fantastic super superb sweet neat gotcha got get understood noted agreed agree true exactly absolutely "
    "definitely indeed totally course certainly sense fair enough sounds sound makes work works worry worries "
    "problem problems matter mind never pleasure interesting funny lol lmao rofl haha hahaha hahahaha hehe hihi wow "
    "whoa hmm hmmm hm mhm oh ah aha ooh oops ugh aw aww yay yikes huh uh um er well sorry apologies apologize bad "
    "excuse pardon really please let lets go going ahead start started moment second sec minute hold wait see know "
    "think guess suppose maybe perhaps possibly probably hope luck lucky best better job done congrats congratulations "
    "glad happy bye goodbye cya later tomorrow soon talk take care day weekend sleep mate buddy man dude pal friend "
    "everyone still hear today hola gracias adios vale merci bonjour salut oui danke hallo tschüss ja nein grazie ciao "
    "prego obrigado"
)
_PLAIN = STOP_WORDS | frozenset(_PLAIN_TEXT.split(" "))
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# Thai to Khmer, Japanese, Chinese
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
_ASKS = re.compile(
    r"\?\W*$|^\W*(?:what|which|who|whom|whose|when|where|why|how|did|does|do|is|are|was|were|has|have)\b",
    re.IGNORECASE,
)
# asked out of politeness: after how the other is, or about the assistant itself
_PHATIC = re.compile(
    r"\W*(?:(?:hi|hello|hey|so|and|ok|okay|oh|wow)\W+)*(?:"
    r"how(?:'s| is| are| was| have)? (?:it|you|things|life|everything|your day)(?: (?:going|doing|been|feeling))?|"
    r"how do you do|what'?s (?:up|new|happening|going on)|sup|"
    r"(?:are|r) you (?:still )?(?:there|here|ok|okay|ready|real|human|an? \w+)|still (?:there|here)|anyone there|"
    r"(?:can|do) you (?:hear|read|see|understand) me|(?:who|what) are you|what can you do|what is your name|really"
    r")(?: (?:today|now|so far|then|there))*\W*",
    re.IGNORECASE,
)
# points at what was, or at what is someone's own
_REFERS = re.compile(
    r"\b(?:my|our|he|she|him|her|his|hers|they|them|their|its|did|was|were|had|last|again|before|ago|earlier|already|"
    r"same|usual(?:ly)?|remind|remember|left off|just|previous(?:ly)?|we)\b",
    re.IGNORECASE,
)
_POINTED = re.compile(r"\d|(?<=[^\s.!?]\s)[A-Z]\w+")


def chance(line: str) -> float:
    """The probability that an answer to this line needs memory."""
    weights, bias = _fitted()
    logit = bias + sum(weights[name] * value for name, value in signs(line).items())
    return float(1 / (1 + np.exp(-logit)))


def signs(line: str) -> dict[str, float]:
    """What tells of a need for memory, by name."""
    line = line.replace("’", "'")
    # a script without spaces has no words to count, but terms
    words = [
        part
        for word in _WORD.findall(line.casefold())
        for part in (terms(word) if _UNSPACED.search(word) else [word])
    ]
    content = [word for word in words if not {word, word.partition("'")[0]} & _PLAIN]
    phatic = _PHATIC.fullmatch(line) is not None
    return {
        "content": float(np.log1p(len(content))),
        "words": float(np.log1p(len(words))),
        "asks": float(not phatic and _ASKS.search(line) is not None),
        "refers": float(not phatic and _REFERS.search(line) is not None),
        "phatic": float(phatic),
        "pointed": float(_POINTED.search(line) is not None),
    }


@cache
def _fitted() -> tuple[Mapping[str, float], float]:
    data = json.loads(Path(__file__).with_name("need.json").read_text(encoding="utf-8"))
    return data["weights"], data["bias"]
