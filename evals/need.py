"""Fits what tells small talk from lines that need memory, and says how well it does on lines not seen.

The lines are our own (`data/small_talk.json`), judged half by half with weights fitted on the other half.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentmem.read.need import LEAST, signs

from .chances import Judged, auroc, calibration_error, chance, fit

SMALL_TALK = "small_talk"
GROUPS = ("memory", "present", "past", SMALL_TALK)


def lines() -> Mapping[str, Sequence[str]]:
    """The lines by group: small talk; what needs memory, of that what was just said, and what was long ago."""
    data = json.loads((files("agentmem.evals") / "data" / "small_talk.json").read_text(encoding="utf-8"))
    return {group: data[group] for group in GROUPS}


def judge(questions: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The weights fitted on all lines, and how they do: halves on each other, and all on questions of a dataset."""
    of = lines()
    texts = [line for group in GROUPS for line in of[group]]
    needed = np.array([group != SMALL_TALK for group in GROUPS for _ in of[group]])
    names = tuple(signs(""))
    rows = _rows(texts, names)
    chances = np.zeros(len(texts))
    for half in (0, 1):
        ours = np.arange(len(texts)) % 2 == half
        weights, bias = fit(rows[~ours], needed[~ours])
        chances[ours] = chance(rows[ours] @ weights + bias)
    weights, bias = fit(rows, needed)
    judged = Judged(chances, needed, np.zeros(len(texts), dtype=np.int64))
    asked = chance(_rows(questions, names) @ weights + bias)
    figures = {
        "lines": len(texts),
        "auroc": auroc(chances, needed),
        "ece": calibration_error(judged),
        "small_talk_gated": float((chances[~needed] < LEAST).mean()),
        "needed_gated": float((chances[needed] < LEAST).mean()),
        "questions": len(questions),
        "questions_gated": float((asked < LEAST).mean()),
    }
    fitted = {
        "bias": round(bias, 5),
        "weights": {name: round(float(weight), 5) for name, weight in zip(names, weights, strict=True)},
    }
    return fitted, {name: round(value, 4) for name, value in figures.items()}


def _rows(texts: Sequence[str], names: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([[found[name] for name in names] for found in map(signs, texts)])
