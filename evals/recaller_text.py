"""The small language that the packaged recall model reads: facts to be asked for later, among words to be passed over.

A fact is `NAME THING`; a question is `NAME`, and the next word is its answer. Everything else is sentences of a fixed
random chain over common words. Every word is one token. Knows nothing of models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def words(text: str) -> tuple[str, ...]:
    """What stands between spaces."""
    return tuple(text.split())


PAD, START, UNKNOWN, STOP = "<pad>", "<s>", "<unk>", "."
SPECIAL: Final = (PAD, START, UNKNOWN, STOP)
NAMES: Final = tuple(
    first + last
    for first in words("ba da fo gu he ji ka lo mi no pe ra su ti vo za")
    for last in words("bel dan fir gor han jin kas lem mar nor pol rik sam tov vin zan")
)
THINGS: Final = tuple(
    first + last
    for first in words("amb ard bren cald dorn elf frin gald holm isk jorn kest lund morr nyl osk")
    for last in words("a ane are el en er ia ide il in ine ol on or u um")
)
COMMON: Final = words(
    """the a of and to in is was it that for on with as at by from this be are or an not but they all we when your can
    said there use each which she do how their if will up other about out many then them these so some her would make
    like him into time has look two more write go see number no way could people my than first water been call who
    its now find long down day did get come made may part over new sound take only little work know place year live
    me back give most very after thing our just name good sentence man think say great where help through much before
    line right too mean old any same tell boy follow came want show also around form three small set put end"""
)
VOCABULARY: Final = SPECIAL + NAMES + THINGS + COMMON
ID: Final = {word: number for number, word in enumerate(VOCABULARY)}
FIRST_NAME, FIRST_THING, FIRST_COMMON = ID[NAMES[0]], ID[THINGS[0]], ID[COMMON[0]]
FOLLOWERS: Final = 8
"""Words that may come after a common word."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One sequence: `ids` `[T]`; `asked` are the positions of names whose next token is to be recalled."""

    ids: Ids
    asked: Ids


@cache
def chain() -> Ids:
    """Which common words follow which, `[len(COMMON), FOLLOWERS]`; the same for every text."""
    return np.random.default_rng(20231).integers(0, len(COMMON), (len(COMMON), FOLLOWERS)) + FIRST_COMMON


def sentence(rng: np.random.Generator) -> list[int]:
    """Four to nine common words and a stop."""
    word = int(rng.integers(len(COMMON))) + FIRST_COMMON
    found = [word]
    for step in rng.integers(0, FOLLOWERS, int(rng.integers(3, 9))):
        word = int(chain()[word - FIRST_COMMON, step])
        found.append(word)
    return [*found, ID[STOP]]


def filler(rng: np.random.Generator, tokens: int) -> list[list[int]]:
    """Sentences of at least so many tokens in all."""
    found: list[list[int]] = []
    left = tokens
    while left > 0:
        found.append(sentence(rng))
        left -= len(found[-1])
    return found


def facts(rng: np.random.Generator, count: int) -> list[list[int]]:
    """So many different names, each with a thing of its own (things may repeat).

    Raises:
        ValueError: there are not so many names.
    """
    names = rng.choice(len(NAMES), count, replace=False) + FIRST_NAME
    things = rng.integers(0, len(THINGS), count) + FIRST_THING
    return [[int(name), int(thing)] for name, thing in zip(names, things, strict=True)]


def mixed(rng: np.random.Generator, tokens: int, count: int, *, last: bool) -> Reading:
    """`count` facts, each told once and asked once, in exactly `tokens` tokens with filler between.

    With `last` all questions come at the end, else each anywhere after its fact.
    """
    told = facts(rng, count)
    order = rng.permutation(count) if last else rng.permutation(np.repeat(np.arange(count), 2))
    turns = [*order, *rng.permutation(count)] if last else list(order)
    seen: set[int] = set()
    parts: list[tuple[list[int], bool]] = []
    for fact in turns:
        parts.append((told[fact], fact in seen))
        seen.add(int(fact))
    room = tokens - 1 - 4 * count
    spread = len(parts) - (count if last else 0)
    for line in filler(rng, room) if room > 0 else ():
        parts.insert(int(rng.integers(0, spread + 1)), (line[:room], False))
        spread, room = spread + 1, room - len(line[:room])
    return joined(parts)


def needles(rng: np.random.Generator, count: int, distractors: int) -> Reading:
    """A sentence, `count` facts, then `distractors` tokens and more of filler and of other facts, then the questions.

    The sentence stands where attention sinks are, so that what keeps those has not kept a fact.
    """
    told = facts(rng, 2 * count)
    between = filler(rng, distractors - 2 * count) + told[count:]
    between = [between[place] for place in rng.permutation(len(between))]
    parts = [(line, False) for line in (sentence(rng), *told[:count], *between)]
    return joined([*parts, *((told[fact], True) for fact in rng.permutation(count))])


def joined(parts: Sequence[tuple[list[int], bool]]) -> Reading:
    """One sequence behind the start token; parts with true are questions with their answers."""
    ids, asked = [ID[START]], []
    for line, question in parts:
        if question:
            asked.append(len(ids))
        ids.extend(line)
    return Reading(np.array(ids, dtype=np.int64), np.array(asked, dtype=np.int64))


def text(ids: Sequence[int] | Ids) -> str:
    """As written: words between spaces, without the start token."""
    return " ".join(VOCABULARY[number] for number in ids if number != ID[START])
