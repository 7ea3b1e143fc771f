"""Wires the commands together and turns errors into one line and an exit code.

0 done · 1 something checked is broken, or a question was answered no · 2 an error · 130 stopped by Ctrl-C ·
141 nobody reads the output any more.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, TextIO

import typer

from agentmem import __version__
from agentmem.cli import (
    archive,
    doctor,
    encryption,
    entities,
    episodes,
    evaluate,
    events,
    forget,
    latents,
    lifecycle,
    notes,
    recall,
    remember,
    render,
)
from agentmem.errors import AgentMemError

app = typer.Typer(
    name="agentmem",
    help="Memory for long-horizon LLM agents: remember verbatim, recall with evidence.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["--help", "-h"]},
)
kept = typer.Typer(help="Look after the tensors kept beside a memory's words.", rich_markup_mode=None)
evals = typer.Typer(help="Measure recall and in-model memory.", rich_markup_mode=None)

app.command()(remember.remember)
app.command()(recall.recall)
app.command()(recall.note)
app.command()(notes.notes)
app.command()(forget.forget)
app.command()(events.events)
app.command()(events.history)
app.command()(events.stats)
app.command()(lifecycle.maintain)
app.command()(entities.entities)
app.command()(episodes.episodes)
app.command()(archive.rebuild)
app.command()(archive.export)
app.command("import")(archive.import_)
app.command()(archive.reindex)
app.command()(encryption.encrypt)
app.command()(encryption.decrypt)
app.command()(encryption.rekey)
app.command()(doctor.doctor)
app.command()(evaluate.demo)
app.add_typer(evals, name="eval")
app.add_typer(kept, name="latents")
app.add_typer(kept, name="kv", help="As `agentmem latents`: the tensors are a local model's keys and values.")
kept.command()(latents.verify)
kept.command()(latents.gc)
kept.command()(latents.stats)
evals.command()(evaluate.locomo)
evals.command()(evaluate.segmentation)
evals.command()(evaluate.fit)
evals.command()(evaluate.ablation)
evals.command()(evaluate.coverage)
evals.command()(evaluate.gate)
evals.command()(evaluate.reread)
evals.command()(evaluate.kv)
evals.command()(evaluate.stream)


@kept.callback()
def _kept() -> None:
    """Look after the tensors kept beside a memory's words."""


@evals.callback()
def _evals() -> None:
    """Measure recall and in-model memory."""


def _version(wanted: bool) -> None:
    if wanted:
        render.print_text(f"agentmem {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Memory for long-horizon LLM agents: remember verbatim, recall with evidence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. Nothing agentmem raises on purpose reaches the user as a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    _quieten()
    try:
        code = app(args=given, prog_name="agentmem", standalone_mode=False)
    except AgentMemError as error:
        code = _fail(error, given)
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        code = _fail(error, given, f"{where}{error.strerror or error}")
    except typer.Abort:
        code = 1
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        # usage errors: their class moved between releases of typer, their `format_message` did not
        if not hasattr(error, "format_message"):
            raise
        code = _fail(error, given, f"{error.format_message()} (see {_help_for(error)})", "UsageError")
    return render.flush() or (code if isinstance(code, int) else 0)


def _fail(error: Exception, given: Sequence[str], message: str | None = None, kind: str = "") -> int:
    parts = [message or str(error), *getattr(error, "__notes__", ())]
    text = " ".join("; ".join(parts).split())
    options = given[: given.index("--")] if "--" in given else given
    if "--json" in options:
        # stdout itself may be what failed
        with suppress(OSError):
            render.print_json({"error": {"type": kind or type(error).__name__, "message": text}})
    render.tell(f"error: {text}")
    return 2


def _help_for(error: Any) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context is not None else 'agentmem'} --help"


def _quieten() -> None:
    """Our own warnings as one line on stderr; other people's chatter off, and their bars but on a terminal."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    # a character that the terminal cannot show is no reason to fail
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    logger = logging.getLogger("agentmem")
    if not logger.handlers:
        handler = _Teller()
        handler.setFormatter(logging.Formatter("warning: %(message)s"))
        logger.addHandler(handler)
    if not sys.warnoptions:
        warnings.showwarning = _show_warning


class _Teller(logging.Handler):
    """Prints to whatever stderr is now."""

    def emit(self, record: logging.LogRecord) -> None:
        render.tell(self.format(record))


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    if category.__module__.startswith("agentmem"):
        render.tell(f"warning: {message}")
