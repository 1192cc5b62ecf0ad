"""Projects of apps for tests, around files that stand for those of a model."""

from __future__ import annotations

from pathlib import Path

from canao.apps.demo.examples import examples_json
from canao.exporting.android.names import AppNames
from canao.exporting.android.project import write_project

NAMES = AppNames('Questions & "answers"', "org.example.answers")


def write_files(folder: Path) -> None:
    """The names of the files of an export, with nothing in them that counts."""
    folder.mkdir(parents=True)
    for name in ("model.h", "model.c", "kernels.c", "main.c", "Makefile", "README.md"):
        (folder / name).write_text("/* nothing */\n")
    for name in ("weights.bin", "tokenizer.bin"):
        (folder / name).write_bytes(name.encode())


def app_project(directory: Path, names: AppNames = NAMES) -> Path:
    """A project in a new directory."""
    return write_project(directory, names, examples_json(), write_files)


def texts(project: Path) -> dict[str, str]:
    """All text files by their places."""
    return {
        str(path.relative_to(project)): path.read_text()
        for path in sorted(project.rglob("*"))
        if path.is_file() and path.suffix != ".bin"
    }
