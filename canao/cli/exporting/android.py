"""`canao export --android`: an app for phones that answers questions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from canao.cli.console import console
from canao.cli.exporting.answerer import open_answerer
from canao.cli.models import CompileOptions
from canao.errors import InputFileError

AndroidDirectory = Annotated[
    Path | None,
    typer.Option(
        "--android",
        help="New directory for an Android app around a question answering model of Hugging Face.",
    ),
]
Package = Annotated[
    str, typer.Option(metavar="ORG.EXAMPLE.APP", help="What Android knows the app by.")
]
_out = console()


@dataclass(frozen=True)
class AppRequest:
    """Which app is to be made of what."""

    model: Path
    directory: Path
    name: str
    package: str
    window: int | None
    """Tokens of a window at most."""


def export_app(request: AppRequest, options: CompileOptions) -> None:
    """Write the project of the app; `CanaoError` before anything is compiled where it can be."""
    from canao.exporting.android.names import AppNames
    from canao.exporting.android.project import check_directory, write_project

    names = AppNames(request.name, request.package)
    check_directory(request.directory)
    _check_model(request.model)
    from canao.apps.demo.examples import examples_json
    from canao.machine.targets import app_row

    for_phones = replace(options, target=app_row().name)
    answerer = open_answerer(request.model, for_phones, request.window)
    path = write_project(request.directory, names, examples_json(), answerer.export)
    _out.print(
        f"wrote {path}; open it in Android Studio, or build it with: gradle -p {path} "
        "assembleDebug",
        soft_wrap=True,
    )


def _check_model(path: Path) -> None:
    from canao.auto_models import is_saved

    if not (path / "config.json").is_file():
        raise InputFileError(
            f"{path} holds no model of Hugging Face (config.json); name the folder of one for "
            "question answering"
        )
    if is_saved(path):
        raise InputFileError(
            f"{path} is compiled already; name the model that it was made from, to compile it for "
            "phones"
        )
