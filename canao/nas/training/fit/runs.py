"""The directory of a training: who may write to it, what it is for, whether it is finished."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from canao.errors import CanaoError, InputFileError
from canao.files import replace_text
from canao.nas.training.fit.checkpoints import discard

CONFIG = "config.json"
"""What makes a directory a model: it is written last."""
_PURPOSE, _RECORD, _CHECKPOINTS = "run.json", "training.json", "checkpoints"


@dataclass(frozen=True)
class Run:
    """A training that this process alone writes to."""

    directory: Path

    @property
    def checkpoints(self) -> Path:
        """Where its checkpoints are."""
        return self.directory / _CHECKPOINTS

    def record(self) -> dict[str, Any] | None:
        """What was noted when it ended; None if it has not ended."""
        if not (self.directory / CONFIG).is_file():
            return None
        return read_record(self.directory)

    def finish(self, model: Any, tokenizer: Any, record: Mapping[str, Any]) -> None:
        """Write the model and what is to be noted of it, then drop the checkpoints."""
        room = self.directory / ".new"
        try:
            shutil.rmtree(room, ignore_errors=True)
            model.save_pretrained(room, safe_serialization=True)
            tokenizer.save_pretrained(room)
            (room / _RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            for path in sorted(room.iterdir(), key=lambda path: path.name == CONFIG):
                path.replace(self.directory / path.name)
            room.rmdir()
        except OSError as error:
            raise CanaoError(
                f"the model cannot be written to {self.directory} ({error.strerror}); "
                "free space, or name another directory"
            ) from error
        discard(self.checkpoints)


@contextmanager
def open_run(directory: Path, purpose: Mapping[str, Any], *, resume: bool = True) -> Generator[Run]:
    """Hold the directory of a training, which is begun, or gone on with.

    Raises `CanaoError` if it holds a training with another purpose, unless
    `resume` is False: then what it holds is removed.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(directory / ".lock")
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise CanaoError(
            f"another process is training in {directory}; wait for it or name another directory"
        ) from error
    except OSError as error:
        raise CanaoError(
            f"{directory} cannot be written ({error.strerror}); name another directory"
        ) from error
    try:
        _claim(directory, purpose, resume=resume)
        yield Run(directory)
    finally:
        lock.release()


def _claim(directory: Path, purpose: Mapping[str, Any], *, resume: bool) -> None:
    place = directory / _PURPOSE
    wanted = json.loads(json.dumps(purpose))
    known = read_purpose(directory)
    if not known and any(path.name != ".lock" for path in directory.iterdir()):
        raise CanaoError(f"{directory} holds other files; name a directory that is new or empty")
    if known and resume and known != wanted:
        changed = [name for name in wanted if known.get(name) != wanted[name]]
        raise CanaoError(
            f"{directory} holds another training (other {', '.join(changed)}); name another "
            "directory, or begin anew (--restart)"
        )
    if known and not resume:
        _empty(directory)
    replace_text(place, json.dumps(wanted, indent=1) + "\n")


def _empty(directory: Path) -> None:
    # Without the configuration the rest is no model any more.
    (directory / CONFIG).unlink(missing_ok=True)
    for path in directory.iterdir():
        if path.is_dir():
            discard(path)
        elif path.name not in (".lock", _PURPOSE):
            path.unlink()


def read_purpose(directory: Path) -> dict[str, Any]:
    """What a training in a directory is for; nothing if there is none."""
    path = directory / _PURPOSE
    return _json(path) if path.is_file() else {}


def read_record(directory: Path) -> dict[str, Any]:
    """What was noted of a trained model; nothing if canao did not train it."""
    path = directory / _RECORD
    return _json(path) if path.is_file() else {}


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} is damaged ({error}); remove its folder") from error
    if not isinstance(found, dict):
        raise InputFileError(f"{path} is damaged; remove its folder")
    return found


def fingerprint(model: Path) -> str:
    """A hash of a model's weights and configuration."""
    state = hashlib.sha256()
    for name in (CONFIG, "model.safetensors"):
        path = model / name
        try:
            with path.open("rb") as file:
                state.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputFileError(
                f"{path} cannot be read ({error.strerror}); name the directory of a Hugging Face "
                "model with safetensors"
            ) from error
    return state.hexdigest()
