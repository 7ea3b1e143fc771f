"""A file or stdin as UTF-8 text, line by line or whole; a fault is told with its line and byte."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from agentmem.errors import InvalidInputError

_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class Source:
    """Reads forward once; `first_line` looks ahead without using anything up.

    Args:
        path: the file; `-` for stdin.
    """

    def __init__(self, path: Path) -> None:
        self._stdin = str(path) == "-"
        self.name = "stdin" if self._stdin else str(path)
        if path.is_dir():
            raise InvalidInputError(f"{path} is a folder; give the file inside it that holds the messages")
        self._file: IO[bytes] = sys.stdin.buffer if self._stdin else path.open("rb")
        self.size = None if self._stdin else path.stat().st_size
        self.position = 0
        self._ahead: list[bytes] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._stdin:
            self._file.close()

    def first_line(self) -> str:
        """The first line that is not blank; empty where there is none."""
        if not self._ahead:
            for line in self._file:
                self._ahead.append(line)
                if line.strip():
                    break
        place = len(self._ahead) - 1
        return (
            self._decode(self._ahead[-1], place + 1, sum(map(len, self._ahead[:-1]))) if self._ahead else ""
        )

    def lines(self) -> Iterator[tuple[int, str]]:
        """Line numbers from 1, and lines with their ends.

        Raises:
            InvalidInputError: bytes that are not UTF-8.
        """
        for number, line in enumerate(self._raw(), 1):
            start = self.position
            self.position += len(line)
            yield number, self._decode(line, number, start)

    def text(self) -> str:
        """All of it. Raises `InvalidInputError` for bytes that are not UTF-8."""
        return "".join(line for _, line in self.lines())

    def document(self) -> Any:
        """All of it as one JSON document. Raises `InvalidInputError`."""
        return self.parse(self.text())

    def parse(self, text: str, line: int = 0) -> Any:
        """A JSON value that begins on line `line`. Raises `InvalidInputError` with the place of the fault."""
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            where = f"line {line or error.lineno}, column {error.colno}"
            raise InvalidInputError(f"{self.name}, {where}: not JSON: {error.msg}") from error
        except (ValueError, RecursionError) as error:
            where = f", line {line}" if line else ""
            raise InvalidInputError(f"{self.name}{where}: not usable as JSON: {error}") from error

    def _raw(self) -> Iterator[bytes]:
        yield from self._ahead
        yield from self._file

    def _decode(self, line: bytes, number: int, start: int) -> str:
        if number == 1:
            if line.startswith(_UTF16):
                raise InvalidInputError(
                    f"{self.name} is UTF-16, not UTF-8; convert it first: iconv -f UTF-16 -t UTF-8"
                )
            if line.startswith(_BOM):
                line, start = line[len(_BOM) :], start + len(_BOM)
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInputError(
                f"{self.name}, line {number}, byte {start + error.start}: not UTF-8 "
                f"(0x{line[error.start]:02x}, {error.reason}); convert it first, for example: "
                "iconv -f WINDOWS-1252 -t UTF-8"
            ) from error
