"""NVIDIA's kvpress on the recall model and the needles: its presses at the same budgets as our policies.

It runs with another Python, as it needs transformers before 5.3:
    python -m venv kvpress && kvpress/bin/pip install "transformers<5.3" kvpress
A press sees all of a text before the questions at once and lets go of tokens then; our policies read calls of 64 tokens
and let go as they read, which is harder.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from agentmem.errors import PeerUnavailableError

from . import kvpress_host, recaller
from .recaller_text import Reading

_LAST = 300


def pressed(python: Path, readings: Sequence[Reading], shares: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Rows `policy`, `budget` (per cent of a text's tokens), `recalled` and `held`, a press and budget at a time.

    Raises:
        PeerUnavailableError: there is no such Python, it has no kvpress, or kvpress fails.
    """
    told = [{"ids": reading.ids.tolist(), "asked": reading.asked.tolist()} for reading in readings]
    given = {"model": str(recaller.FOLDER), "shares": list(shares), "texts": told}
    with TemporaryFile("w+") as questions, TemporaryFile("w+") as log:
        json.dump(given, questions)
        questions.seek(0)
        try:
            child = subprocess.Popen(
                [str(python), "-P", kvpress_host.__file__],
                stdin=questions,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        except OSError as error:
            raise PeerUnavailableError("kvpress", f"{python} cannot be started ({error.strerror})") from error
        with child:
            assert child.stdout is not None
            try:
                yield from map(json.loads, child.stdout)
            except BaseException:
                # also where the reader stops early
                child.kill()
                raise
        if child.returncode:
            log.seek(0)
            raise PeerUnavailableError("kvpress", f"{python}: {log.read()[-_LAST:].strip()}")
