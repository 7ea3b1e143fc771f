"""The command line as a whole: help, errors, exit codes, what it imports, and that the page names it all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from agentmem import __version__
from agentmem.cli import evaluate
from agentmem.cli.app import app, main

Fixture = Any
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "cli_help.txt"


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", None)
    if below is None:
        yield path, command
        return
    for name, child in below.items():
        yield from commands(child, (*path, name))


COMMANDS = dict(commands())


def test_the_help_is_as_written_down(cli: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a wanted change: AGENTMEM_WRITE_GOLDEN=1 pytest tests/cli/test_app.py, then read the diff."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    pages = [cli("--help"), *(cli(*path, "--help") for path in COMMANDS)]
    text = "\n".join(page.out for page in pages)
    if "AGENTMEM_WRITE_GOLDEN" in os.environ:
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_the_page_names_every_command_and_option(path: tuple[str, ...]) -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    options = {flag for parameter in COMMANDS[path].params for flag in parameter.opts if flag.startswith("-")}

    assert f"`agentmem {' '.join(path)}" in page
    assert [option for option in options if f"`{option}" not in page] == []


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_can_print_json(path: tuple[str, ...]) -> None:
    assert "--json" in {flag for parameter in COMMANDS[path].params for flag in parameter.opts}


def test_version_prints_the_version(cli: Fixture) -> None:
    assert cli("--version").out == f"agentmem {__version__}\n"


def test_without_a_command_it_prints_the_help(cli: Fixture) -> None:
    assert cli() == cli("--help")


def test_an_output_that_cannot_be_written_is_an_error_of_one_line(start: Fixture) -> None:
    with open("/dev/full", "wb") as full:
        process = start("stats", "--json", stdout=full)

    told = process.stderr.read()
    assert told.startswith(b"error: ")
    assert told.endswith(b"No space left on device\n")
    assert told.count(b"\n") == 1
    assert process.wait() == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval"], "error: Missing command."),
        (["recal"], "error: No such command 'recal'."),
        (["recall"], "error: Missing argument 'QUERY'."),
        (["recall", "cat", "--bogus"], "error: No such option: --bogus"),
        (["events", "--limit", "few"], "error: Invalid value for '--limit'"),
    ],
)
def test_a_usage_error_is_one_line_that_names_the_help(
    cli: Fixture, arguments: list[str], message: str
) -> None:
    result = cli(*arguments)

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(message)
    assert result.err.count("\n") == 1
    assert "--help)" in result.err


def test_an_error_is_also_json_where_json_was_asked_for(cli: Fixture) -> None:
    result = cli("recall", " ", "--json")

    assert result.json == {
        "error": {"type": "InvalidInputError", "message": "the query is empty; ask in plain words"}
    }
    assert result.err == "error: the query is empty; ask in plain words\n"


def test_a_usage_error_is_also_json(cli: Fixture) -> None:
    assert cli("recall", "--json").json["error"]["type"] == "UsageError"


def test_a_text_that_looks_like_the_option_asks_for_nothing(cli: Fixture) -> None:
    result = cli("recall", "-k", "0", "--", "--json")

    assert (result.code, result.out) == (2, "")


@pytest.mark.parametrize(
    "command", [["recall", "cat"], ["events"], ["stats"], ["forget", "--everything", "--yes"]]
)
def test_a_command_that_reads_makes_no_database(cli: Fixture, tmp_path: Path, command: list[str]) -> None:
    result = cli(*command, "--db", tmp_path / "typo" / "agent.db")

    assert result.code == 2
    assert "no memory at" in result.err
    assert not (tmp_path / "typo").exists()


def test_a_file_that_is_no_database_is_left_alone(cli: Fixture, write: Fixture) -> None:
    path = write("dear diary", "diary.txt")

    result = cli("remember", "Hello", "--db", path)

    assert result.code == 2
    assert "is not an agentmem database" in result.err
    assert path.read_text() == "dear diary"


def test_an_empty_namespace_part_is_refused(cli: Fixture) -> None:
    assert "every part of a namespace is a non-empty string" in cli("stats", "-n", "").err


def test_an_unknown_kind_of_store_is_refused(cli: Fixture) -> None:
    assert "no store for 'mysql'" in cli("stats", "--db", "mysql://host/db").err


def test_ctrl_c_ends_with_130(cli: Fixture, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_kind: str, _name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluate, "load", stop)

    assert main(["demo"]) == 130


def test_an_evaluation_gets_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    def load(kind: str, name: str) -> Any:
        return lambda **arguments: given.update(arguments, part=f"{kind}:{name}") or 3

    monkeypatch.setattr(evaluate, "load", load)

    code = main(["eval", "locomo", "--sample", "--systems", "bm25,dense", "--systems", "rrf", "--limit", "2"])

    assert code == 3
    assert given == {
        "part": "evals:locomo",
        "data": None,
        "out": None,
        "embedder": None,
        "systems": ["bm25", "dense", "rrf"],
        "limit": 2,
        "as_json": False,
        "sample": True,
        "chats": False,
        "peers": False,
    }


def test_the_help_imports_neither_torch_nor_faiss(run_python: Fixture) -> None:
    code = """
import sys
from agentmem.cli.app import main
main(["--help"])
print(sorted({"torch", "faiss", "transformers", "sentence_transformers", "sqlalchemy"} & set(sys.modules)))
"""
    assert run_python(code).splitlines()[-1] == "[]"


def test_the_sdk_does_not_import_the_command_line(run_python: Fixture) -> None:
    assert run_python("import agentmem, sys; print({'typer', 'rich'} & set(sys.modules))") == "set()"


def test_only_our_own_warnings_are_shown_in_one_line_each() -> None:
    code = (
        "import sys, warnings; from agentmem.cli import app; from agentmem.embed.choose import HashEmbedderWarning;"
        "app._quieten(); warnings.warn('no embedder', HashEmbedderWarning); warnings.warn('chatter', FutureWarning)"
    )

    result = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert result.stderr == "warning: no embedder\n"
