"""The files of the app: those of `project/`, the model as C, weights, tokenizer, and examples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from canao.errors import InputFileError
from canao.exporting.android.names import AppNames
from canao.exporting.weight_file import NAME as WEIGHTS
from canao.files import replacing
from canao.machine.targets import app_row

MODEL_FOLDER = "app/src/main/cpp/model"
ASSETS_FOLDER = "app/src/main/assets"
_TOKENIZER = "tokenizer.bin"
_OF_A_PROGRAM = ("main.c", "Makefile", "README.md")
"""Files of an export that are for a program of its own."""
_FILLED = ".in"
_RENAMED = {"gitignore": ".gitignore"}


def write_project(
    directory: Path, names: AppNames, examples: str, write_model: Callable[[Path], object]
) -> Path:
    """Write the project in one step into a directory that is new or empty; the directory.

    `write_model` is given a folder and writes the model as C there, with the files of its weights
    and its tokenizer. `examples` is a list in JSON of texts to choose from, each with `title`,
    `text` and `questions`. `InputFileError` for a directory that has files.
    """
    check_directory(directory)
    with replacing(directory) as new:
        for place, text in _texts(names):
            path = new / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        write_model(new / MODEL_FOLDER)
        assets = new / ASSETS_FOLDER
        assets.mkdir(parents=True)
        for name in (WEIGHTS, _TOKENIZER):
            (new / MODEL_FOLDER / name).rename(assets / name)
        for name in _OF_A_PROGRAM:
            (new / MODEL_FOLDER / name).unlink(missing_ok=True)
        (assets / "examples.json").write_text(examples, encoding="utf-8")
    return directory


def check_directory(directory: Path) -> None:
    """`InputFileError` for a place that a project cannot be written to, before work is done."""
    if directory.is_dir() and not any(directory.iterdir()):
        return
    if directory.exists() or directory.is_symlink():
        raise InputFileError(
            f"{directory} exists already and may hold changes of yours; name a new directory"
        )


def _texts(names: AppNames) -> Iterator[tuple[PurePosixPath, str]]:
    """The places and the texts of the project's own files."""
    values = {"name": names.resource, "package": names.package, "abi": app_row().abi}
    folder = files("canao") / "exporting" / "android" / "project"
    for place, source in _sources(folder, PurePosixPath()):
        text = source.read_text(encoding="utf-8")
        if place.suffix == _FILLED:
            place = place.with_suffix("")
            place = place.with_name(_RENAMED.get(place.name, place.name))
            for key, value in values.items():
                text = text.replace(f"@{key}@", value)
        yield place, text


def _sources(
    folder: Traversable, place: PurePosixPath
) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _sources(entry, place / entry.name)
        else:
            yield place / entry.name, entry
