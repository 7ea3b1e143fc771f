"""Runs the tests that LangGraph publishes with its stores on `AgentMemStore` in their place; needs pytest-mock.

pip download --no-deps --no-binary :all: -d FOLDER langgraph-checkpoint==4.3.2 langgraph-checkpoint-sqlite==3.1.2 \
    langgraph-checkpoint-postgres==3.2.0
python benchmarks/published.py FOLDER [--postgresql]

What does not pass is listed with its reason in docs/langgraph.md.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

_HERE = Path(__file__).parent
_STAND_INS = {
    "InMemoryStore": "InMemory",
    "SqliteStore": "Synchronous",
    "PostgresStore": "Synchronous",
    "AsyncSqliteStore": "Asynchronous",
    "AsyncPostgresStore": "Asynchronous",
}
# how the tests of PostgresStore make theirs: a database, its migrations, a pool
_SYNC_FIXTURES = """
@pytest.fixture
def store():
    with PostgresStore.from_conn_string("", ttl=published_stores.ttl(TTL_MINUTES)) as made:
        made.start_ttl_sweeper()
        yield made

def _create_vector_store(vector_type, distance_type, embeddings, text_fields=None, enable_ttl=True):
    index = {"dims": embeddings.dims, "embed": embeddings, "fields": text_fields}
    return PostgresStore.from_conn_string("", index=index, ttl=published_stores.ttl(2) if enable_ttl else None)
"""
_ASYNC_FIXTURES = (
    _SYNC_FIXTURES.replace("PostgresStore", "AsyncPostgresStore")
    .replace("def store", "async def store")
    .replace("    with", "    async with")
    .replace("made.start", "await made.start")
)
_CONFTEST = """
import re
import pytest
from tests.embed_test_utils import CharacterEmbeddings
DEFAULT_URI, VECTOR_TYPES = "", ["vector"]

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
def fake_embeddings():
    return CharacterEmbeddings(dims=500)

def pytest_collection_modifyitems(config, items):
    # vectors are compared by cosine alone
    items[:] = [item for item in items if not {"l2", "inner_product"} & set(re.split(r"[][-]", item.name))]
"""
_EMBEDDINGS = "langgraph_checkpoint-"
_SETS = {
    "langgraph_checkpoint-": {"test_store.py": ""},
    "langgraph_checkpoint_sqlite-": {"test_store.py": "", "test_async_store.py": "", "test_ttl.py": ""},
    "langgraph_checkpoint_postgres-": {
        "test_store.py": _SYNC_FIXTURES,
        "test_async_store.py": _ASYNC_FIXTURES,
    },
}


def main() -> None:
    """Run what the folder holds, set by set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", type=Path, help="the folder with the source distributions")
    parser.add_argument("--postgresql", action="store_true", help="on a throw-away PostgreSQL, not on SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for name, files in _SETS.items():
            # SqliteStore's tests name files
            if not (given.postgresql and "sqlite" in name):
                root = Path(folder, name)
                _unpack(given.sources, name, files, root)
                _run(root, list(files), "postgresql" if given.postgresql else "sqlite")


def _unpack(sources: Path, name: str, files: dict[str, str], root: Path) -> None:
    tests = root / "tests"
    tests.mkdir(parents=True)
    tests.joinpath("__init__.py").touch()
    tests.joinpath("conftest.py").write_text(_CONFTEST, encoding="utf-8")
    tests.joinpath("embed_test_utils.py").write_text(_read(sources, _EMBEDDINGS, "embed_test_utils.py"))
    for file, fixtures in files.items():
        text = _read(sources, name, file)
        for theirs, ours in _STAND_INS.items():
            text = re.sub(
                rf"from langgraph\.store\.[\w.]+ import {theirs}\b",
                f"from published_stores import {ours} as {theirs}",
                text,
            )
        tests.joinpath(file).write_text(text + "\nimport published_stores\n" + fixtures, encoding="utf-8")


def _read(sources: Path, name: str, file: str) -> str:
    found = sorted(sources.glob(f"{name}*.tar.gz"))
    if not found:
        sys.exit(f"{sources} holds no {name}*.tar.gz: see --help")
    with tarfile.open(found[-1]) as archive:
        inside = archive.extractfile(f"{found[-1].name.removesuffix('.tar.gz')}/tests/{file}")
        assert inside is not None
        return inside.read().decode()


def _run(root: Path, files: list[str], database: str) -> None:
    print(f"{root.name.rstrip('-')} on {database}", flush=True)
    paths = [str(_HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    settings = {"PYTHONPATH": os.pathsep.join(paths), "PUBLISHED_DATABASE": database}
    options = ["-q", "--tb=line", "-p", "no:cacheprovider", "-p", "pytest_mock", "-o", "anyio_mode=auto"]
    command = [sys.executable, "-m", "pytest", *options, *(f"tests/{file}" for file in files)]
    subprocess.run(command, cwd=root, env={**os.environ, **settings}, check=False)


if __name__ == "__main__":
    main()
