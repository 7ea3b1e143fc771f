"""Runs commands in this process, on a database of the test's own with the hash embedder."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentmem import Memory
from agentmem.cli.app import main


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def cli(database: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs `agentmem *arguments` with `stdin` as bytes."""
    Memory(database, embedder="hash").close()
    monkeypatch.setenv("AGENTMEM_URL", f"sqlite:///{database}")

    def run(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def start(database: Path) -> Iterable[Callable[..., subprocess.Popen[bytes]]]:
    """Starts the installed `agentmem` in a process of its own; ends what is left at the end."""
    Memory(database, embedder="hash").close()
    running: list[subprocess.Popen[bytes]] = []

    def run(*arguments: object, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "AGENTMEM_URL": f"sqlite:///{database}", "OMP_NUM_THREADS": "1"}
        command = [str(Path(sys.executable).with_name("agentmem")), *map(str, arguments)]
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        running.append(subprocess.Popen(command, env=environment, **pipes))
        return running[-1]

    yield run
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file: bytes and texts as they are, a list as JSON lines, anything else as JSON."""

    def to_file(content: Any, name: str = "input") -> Path:
        path = tmp_path / name
        if isinstance(content, list) and name.endswith(".jsonl"):
            content = "".join(json.dumps(line) + "\n" for line in content)
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        path.write_bytes(content)
        return path

    return to_file
