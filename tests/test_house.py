"""The rules of the house, read off the imports: who may import whom, and that all of it is packaged."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import agentmem

ROOT = Path(__file__).parents[1]
WINGS = ("stores", "consolidation", "kernels", "integrations", "evals")
# the only files that hold a wing's name, and they hold it as a string
REGISTRIES = {Path("agentmem/registry.py"), Path("agentmem/kv/ops.py")}
WING_PATH = re.compile(rf"agentmem\.(?:{'|'.join(WINGS)})\.\w+(?:\.\w+)*(?::\w+)?")
# lower layers first; a layer imports itself and what is below it
LAYERS = (
    {"errors", "faults"},
    {"clock", "ids", "types", "latents", "quote"},
    {"contracts", "registry", "config", "keys", "llm", "retention", "terms", "tokens", "versions", "items"},
    {"embed", "write", "read", "kv"},
    {
        "core",
        "encryption",
        "maintain",
        "reembed",
        "lookup",
        "recall_log",
        "recalling",
        "upkeep",
        "memory",
        "aio",
        "aio_latents",
    },
    {"cli"},
)


def packaged_files() -> list[Path]:
    return sorted(
        path.relative_to(ROOT) for folder in ("agentmem", *WINGS) for path in (ROOT / folder).rglob("*.py")
    )


def all_files() -> list[Path]:
    return [*packaged_files(), *(path.relative_to(ROOT) for path in sorted(ROOT.glob("benchmarks/**/*.py")))]


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[0] == "agentmem" else ("agentmem", *parts))


MODULES = {module_name(path): path for path in packaged_files()}


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every name a file imports, with its level: `from .a import b` is ("a.b", 1)."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = f"{node.module}." if node.module else ""
            yield from ((base + alias.name, node.level) for alias in node.names)


def imported_modules(path: Path) -> set[str]:
    """Our modules that a file imports, by their full names."""
    package = module_name(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    found = set()
    for name, level in imports(path):
        full = name if level == 0 else ".".join([*package[: len(package) - level + 1], name])
        target = full if full in MODULES else full.rpartition(".")[0]
        if target in MODULES:
            found.add(target)
    return found


def wing_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "agentmem" and len(parts) > 1 and parts[1] in WINGS else None


def layer_of(name: str) -> int | None:
    parts = name.split(".")
    places = [place for place, layer in enumerate(LAYERS) if len(parts) > 1 and parts[1] in layer]
    return places[0] if places else None


def test_no_file_names_a_wing_in_an_absolute_import() -> None:
    named = {
        (str(path), name)
        for path in all_files()
        for name, level in imports(path)
        if level == 0 and (wing_of(name) or name.split(".")[0] in WINGS)
    }

    assert named == set()


def test_only_the_registries_hold_the_path_of_a_wings_part_as_a_string() -> None:
    held = {
        (str(path), node.value)
        for path in all_files()
        if path not in REGISTRIES
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and WING_PATH.fullmatch(node.value)
    }

    assert held == set()


def test_a_wing_imports_no_other_wing() -> None:
    crossing = {
        (name, target)
        for name, path in MODULES.items()
        for target in imported_modules(path)
        if wing_of(name) and wing_of(target) and wing_of(name) != wing_of(target)
    }

    assert crossing == set()


def test_the_core_imports_no_wing() -> None:
    reaching = {
        (name, target)
        for name, path in MODULES.items()
        for target in imported_modules(path)
        if not wing_of(name) and wing_of(target)
    }

    assert reaching == set()


def test_a_wing_imports_its_siblings_relatively_and_the_core_absolutely() -> None:
    wrong = {
        (name, imported)
        for name, path in MODULES.items()
        for imported, level in imports(path)
        if wing_of(name) and level > (2 if len(path.parts) > 2 else 1)
    }

    assert wrong == set()


def test_the_core_imports_absolutely() -> None:
    relative = {
        (str(path), name)
        for path in packaged_files()
        for name, level in imports(path)
        if path.parts[0] == "agentmem" and level > 0
    }

    assert relative == set()


def test_kernels_import_nothing_of_ours_but_siblings() -> None:
    reaching = {
        (name, target)
        for name, path in MODULES.items()
        for target in imported_modules(path)
        if wing_of(name) == "kernels" and wing_of(target) != "kernels"
    }

    assert reaching == set()


def test_imports_run_in_no_circle() -> None:
    graph = {name: imported_modules(path) - {name} for name, path in MODULES.items()}

    order = list(TopologicalSorter(graph).static_order())

    assert len(order) == len(MODULES)


def test_core_imports_run_one_way() -> None:
    upward = {
        (name, target)
        for name, path in MODULES.items()
        for target in imported_modules(path)
        if layer_of(name) is not None and layer_of(target) is not None and layer_of(target) > layer_of(name)
    }

    assert upward == set()


def test_every_room_of_the_core_has_its_layer() -> None:
    rooms = {name.split(".")[1] for name in MODULES if "." in name and not wing_of(name)}

    assert rooms - set().union(*LAYERS) == {"__main__"} & rooms


def test_writing_does_not_import_reading() -> None:
    reaching = {
        (name, target)
        for name, path in MODULES.items()
        for target in imported_modules(path)
        if name.startswith("agentmem.write") and target.startswith("agentmem.read")
    }

    assert reaching == set()


def test_every_folder_of_code_is_packaged() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]

    folders = {path.parent for path in packaged_files()}

    names = {module_name(folder / "__init__.py") for folder in folders}
    assert names == set(configured["packages"]) & names
    assert {name for name in configured["packages"] if name.count(".") == 0 or wing_of(name)} >= {
        f"agentmem.{folder.parts[0]}" for folder in folders if folder.parts[0] in WINGS
    }


def test_every_wing_is_mapped_to_its_folder() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]

    wings = {path.parts[0] for path in packaged_files()} & set(WINGS)

    assert {f"agentmem.{wing}": wing for wing in wings}.items() <= configured["package-dir"].items()


def test_every_folder_of_code_has_its_init() -> None:
    folders = {path.parent for path in packaged_files()}

    assert {str(folder) for folder in folders if not (ROOT / folder / "__init__.py").is_file()} == set()


@pytest.mark.parametrize("path", [*all_files(), *sorted(ROOT.glob("tests/**/*.py"))], ids=str)
def test_no_file_is_over_500_lines(path: Path) -> None:
    lines = (ROOT / path).read_text(encoding="utf-8").count("\n")

    assert lines <= 500


def test_the_exported_names_are_sorted_and_are_all_the_public_ones() -> None:
    modules = {name.split(".")[1] for name in MODULES if "." in name}

    public = {name for name in vars(agentmem) if not name.startswith("_")} - modules

    assert agentmem.__all__ == sorted(public)


@pytest.mark.parametrize(
    "package", ["torch", "transformers", "sentence_transformers", "matplotlib", "alembic"]
)
def test_importing_agentmem_leaves_the_heavy_packages_alone(package: str) -> None:
    code = f"import agentmem, sys; print({package!r} in sys.modules)"

    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout == "False\n"


def test_importing_agentmem_makes_no_folder_and_sets_no_log_level(tmp_path: Path) -> None:
    code = "import logging, agentmem; print(logging.getLogger().level, logging.getLogger('agentmem').level)"

    answer = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"HOME": str(tmp_path), "PATH": ""},
    )

    assert answer.stdout == "30 0\n"
    assert list(tmp_path.iterdir()) == []
