"""Writing the results of a command to files, each in one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from canao.errors import CanaoError


def write_results(directory: Path, name: str, texts: Mapping[str, str]) -> None:
    """Write `name` with each of the endings; nobody ever sees a part of a file."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            partial = directory / f".{name}{suffix}.part"
            partial.write_text(text, encoding="utf-8")
            partial.replace(directory / f"{name}{suffix}")
    except OSError as error:
        raise CanaoError(
            f"the results cannot be written to {directory} ({error.strerror}); name another --out"
        ) from error
