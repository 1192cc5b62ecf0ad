"""The folders of released models, checked against their checksums when first used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from canao.errors import CanaoError, InputFileError

QUESTIONS = "minilm-squad"
"""Answers questions about texts, in English."""
CHECKSUMS = "checksums.json"
"""SHA-256 of each file of a model, by its name."""
_ROOM = Path(__file__).parent


def released_models() -> tuple[str, ...]:
    """The names of the models that are there."""
    return tuple(sorted(path.parent.name for path in _ROOM.glob(f"*/{CHECKSUMS}")))


@lru_cache
def released_model(name: str = QUESTIONS) -> Path:
    """The folder of a released model, for whatever reads those of Hugging Face.

    Its weights are stored as halves and read as float32, as its configuration says.
    `CanaoError` for a name that means nothing, `InputFileError` for a file that is missing or
    not the released one.
    """
    if name not in released_models():
        known = ", ".join(released_models()) or "none"
        raise CanaoError(
            f"no model {name!r} is released with canao, there is {known}; name a model of Hugging "
            "Face by its folder instead"
        )
    folder = _ROOM / name
    check_files(folder)
    return folder


def check_files(folder: Path) -> None:
    """`InputFileError` unless a folder's files are those that its checksums are of."""
    for file, wanted in _checksums(folder / CHECKSUMS).items():
        path = folder / file
        try:
            found = sha256(path)
        except OSError as error:
            raise InputFileError(
                f"{path} cannot be read ({error.strerror}); install canao again"
            ) from error
        if found != wanted:
            raise InputFileError(f"{path} is not the file that was released; install canao again")


def sha256(path: Path) -> str:
    """The checksum of a file, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(path: Path) -> Mapping[str, str]:
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read ({error}); install canao again") from error
    entries = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    # A name with a folder in it would lead out of the model's own.
    if not entries or any(Path(name).name != name for name in entries):
        raise InputFileError(f"{path} is no list of checksums; install canao again")
    return {name: str(value) for name, value in entries.items()}
