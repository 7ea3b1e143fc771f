"""Runs the benchmarks and prints one table; `--json` keeps it. Speed lives here, never in a test.

python benchmarks/run.py [store|rivals|indexes|encryption|items] [--size 100000] [--json results.json]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import encryption
import indexes
import items
import rivals
import store
from measure import Row, machine

_ALL = ["store", "rivals", "indexes", "encryption", "items"]


def main() -> None:
    """Measure what is named, or everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*_ALL, []], help="default: all")
    parser.add_argument("--size", type=int, default=100_000, help="events in the store benchmark")
    parser.add_argument("--json", type=Path, help="also write the rows here")
    arguments = parser.parse_args()
    about = machine()
    for name, value in about.items():
        print(f"{name}: {value}")
    kept = []
    for row in _rows(arguments.what or _ALL, arguments.size):
        print(
            f"{row.what:<52} {row.system:<34} {row.value}  {row.target and f'(target {row.target})'}",
            flush=True,
        )
        kept.append(row)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"machine": about, "rows": [asdict(row) for row in kept]}, indent=1)
        )


def _rows(wanted: list[str], size: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted:
            place = Path(folder, name)
            place.mkdir()
            if name == "store":
                yield from store.rows(size, place)
            elif name == "rivals":
                yield from rivals.rows(place)
            elif name == "encryption":
                yield from encryption.rows(size, place)
            elif name == "items":
                yield from items.rows(20_000, place)
            else:
                yield from indexes.rows((10_000, 50_000, 100_000))


if __name__ == "__main__":
    main()
