"""Writing the results of a command to files, each in one step."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from canao.files import replace_text


def write_results(directory: Path, name: str, texts: Mapping[str, str]) -> None:
    """Write `name` with each of the endings; nobody ever sees a part of a file."""
    for suffix, text in texts.items():
        replace_text(directory / f"{name}{suffix}", text)
