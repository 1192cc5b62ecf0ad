"""Promises that hold for the whole project: size of files, imports, packaging."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(
    path
    for folder in ("canao", "test", "examples", "benchmarks")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".py", ".c", ".h"} and "__pycache__" not in path.parts
)
MOST_LINES = 400
MOST_FILES = 15

_HEAVY = ("torch", "torch_mlir", "transformers", "islpy", "xdsl")


def _levels() -> list[set[str]]:
    """From the top down: a package may import from those below it, never from those above."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    first, *_ = settings["tool"]["importlinter"]["contracts"]
    return [set(re.split(r" [|:] ", level)) for level in first["layers"]]


def _level(package: str, levels: list[set[str]]) -> int:
    """The number of the level of a package; each one must stand in the contract."""
    return next(n for n, packages in enumerate(levels) if package in packages)


def _imported_packages(path: Path) -> set[str]:
    """The packages of canao that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names]
    return {part[1] for part in parts if part[0] == "canao" and len(part) > 1}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_folders_are_small() -> None:
    """A folder has few Python files beside its sub-folders."""
    counts = Counter(path.parent for path in SOURCES if path.suffix == ".py")
    large = {str(f.relative_to(ROOT)): n for f, n in counts.items() if n > MOST_FILES}
    assert large == {}


def test_packages_say_what_they_are() -> None:
    """Each folder of the package with Python has an `__init__` that begins with a docstring."""
    folders = sorted({path.parent for path in (ROOT / "canao").rglob("*.py")})
    assert len(folders) > 1
    # what peers run is scripts of their own environments
    silent = [
        str(folder.relative_to(ROOT))
        for folder in folders
        if folder.name != "runners"
        and not ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
    ]
    assert silent == []


def test_imports_point_downwards() -> None:
    package, levels = ROOT / "canao", _levels()
    for path in sorted(package.rglob("*.py")):
        own = path.relative_to(package).parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        level = _level(own, levels)
        upwards = [name for name in _imported_packages(path) if _level(name, levels) < level]
        assert not upwards, f"{path.relative_to(ROOT)} imports from {upwards}"


def test_importing_canao_is_cheap() -> None:
    program = f"import sys, canao; print([n for n in {_HEAVY!r} if n in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


def test_public_names_exist() -> None:
    import canao

    assert [name for name in canao.__all__ if getattr(canao, name, None) is None] == []


def test_versions_agree() -> None:
    import canao

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == canao.__version__


def test_requirements_are_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    pinned = re.compile(r"[\w-]+==[\w.]+|canao\[\w+\]")
    files = sorted((ROOT / "requirements").glob("*.txt"))
    carriers = [line for file in files for line in file.read_text().splitlines()]
    listed = [line for line in carriers if line and not line.startswith("#")]
    loose = [n for n in [*project["dependencies"], *extras, *listed] if not pinned.fullmatch(n)]
    assert loose == []


def test_entry_points_can_be_imported() -> None:
    from importlib import import_module

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    backends = project["entry-points"]["torch_dynamo_backends"]
    for place in [*project["scripts"].values(), *backends.values()]:
        module, name = place.split(":")
        assert callable(getattr(import_module(module), name))


def test_support_files_are_packaged() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = config["tool"]["setuptools"]["package-data"]["canao"]
    packaged = {path for pattern in patterns for path in (ROOT / "canao").glob(pattern)}
    data = {
        path
        for path in (ROOT / "canao").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }
    assert data <= packaged


def test_slow_tests_exist() -> None:
    """A test that got another name would not be slow any more, and nobody would notice."""
    lines = (ROOT / "test" / "slow_tests.txt").read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    assert names == sorted(set(names))
    for name in names:
        path, test = name.split("::")
        assert f"def {test.split('[')[0]}(" in (ROOT / path).read_text(), name
