"""Writing files and directories in one step: nobody ever sees a part of one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from canao.errors import InputFileError


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A place beside `path` to write a file or directory to, which then takes that path.

    Nothing is left behind and `path` stays as it was where an error ends it.
    What the file system refuses is an `InputFileError` that names `path`.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        room = Path(tempfile.mkdtemp(prefix=".canao-", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        new = room / f"new{path.suffix[-16:]}"
        yield new
        if path.is_dir() and not path.is_symlink():
            path.rename(room / "old")
        new.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(room, ignore_errors=True)


def replace_text(path: Path, text: str) -> None:
    """Write a text file in one step; see `replacing`."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def _unwritable(path: Path, error: OSError) -> InputFileError:
    reason = error.strerror or str(error)
    name = str(path) if len(path.name) <= 100 else f"{path.parent}/{path.name[:100]}..."
    return InputFileError(f"{name} cannot be written ({reason}); name another place")
