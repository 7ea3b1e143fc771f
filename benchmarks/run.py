"""Runs the benchmarks and prints one table; `--json` keeps it. Speed lives here, never in a test.

python benchmarks/run.py [NAME …] [--size 100000] [--json results.json]

What is not in the default list runs only when named: `scale --size 1000000` and `namespaces --namespaces 100000` take
many minutes and some 8 GB below `--folder`.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

# under PYTHONSAFEPATH a script's own folder is not searched
sys.path.insert(0, str(Path(__file__).parent))

import encryption
import indexes
import items
import latency
import nodes
import postgres
import precision
import rivals
import scale
import store
import streaming
import summaries
from measure import Row, machine

# given the arguments and a folder of its own, each yields its rows
_ALL: dict[str, Callable[[argparse.Namespace, Path], Iterator[Row]]] = {
    "store": lambda given, folder: store.rows(given.size, folder),
    "latency": lambda given, folder: latency.rows((10, 1000, given.size), folder),
    "rivals": lambda given, folder: rivals.rows(folder),
    "indexes": lambda given, folder: indexes.rows((10_000, 50_000, 100_000)),
    "encryption": lambda given, folder: encryption.rows(given.size, folder),
    "items": lambda given, folder: items.rows(20_000, folder),
    "nodes": lambda given, folder: nodes.rows(folder),
    "streaming": lambda given, folder: streaming.rows(given.data, folder),
}
# only when named; prefill needs torch, which the others do not wait for
_LONG: dict[str, Callable[[argparse.Namespace, Path], Iterator[Row]]] = {
    "scale": lambda given, folder: scale.rows(given.size, folder, given.plot),
    "namespaces": lambda given, folder: scale.namespace_rows(given.namespaces, folder),
    "postgres": lambda given, folder: postgres.rows(given.size, folder),
    "summaries": lambda given, folder: summaries.rows(given.data, folder),
    "precision": lambda given, folder: precision.rows(given.data, folder),
    "prefill": lambda given, folder: import_module("prefill").rows(given.data, folder),
}


def main() -> None:
    """Measure what is named, or everything that is not long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*_ALL, *_LONG, []], help=f"default: {' '.join(_ALL)}")
    parser.add_argument(
        "--size", type=int, default=100_000, help="events in store, latency, encryption, scale and postgres"
    )
    parser.add_argument("--namespaces", type=int, default=10_000, help="namespaces of ten events each")
    parser.add_argument("--folder", type=Path, help="where the stores are made and removed; default: TMPDIR")
    parser.add_argument(
        "--data", type=Path, help="LoCoMo's file, for precision, prefill, streaming and summaries"
    )
    parser.add_argument("--plot", type=Path, help="draw the growth here (.svg, .png); needs matplotlib")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    arguments = parser.parse_args()
    about = machine()
    for name, value in about.items():
        print(f"{name}: {value}")
    kept = []
    for row in _rows(arguments.what or list(_ALL), arguments):
        print(
            f"{row.what:<52} {row.system:<34} {row.value}  {row.target and f'(target {row.target})'}",
            flush=True,
        )
        kept.append(row)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": about, "rows": [asdict(row) for row in kept]}, indent=1)
        )


def _rows(wanted: list[str], arguments: argparse.Namespace) -> Iterator[Row]:
    for name in wanted:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            yield from (_ALL | _LONG)[name](arguments, Path(folder))


if __name__ == "__main__":
    main()
