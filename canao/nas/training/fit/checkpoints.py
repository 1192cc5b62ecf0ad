"""Checkpoints: everything that training needs to go on exactly where it was.

A checkpoint is a directory of safetensors and JSON. It is written elsewhere,
flushed to the disk and then renamed: there is a whole one, or none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from canao.errors import CanaoError, InputFileError

_NAME = re.compile(r"checkpoint-(\d+)")
_MODEL, _OPTIMIZER, _RANDOM = "model.safetensors", "optimizer.safetensors", "random.safetensors"
_SETTINGS = "settings.json"
TRAINER_STATE = "trainer_state.json"
"""The name under which transformers' Trainer looks for its own state."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a training between two steps."""

    step: int
    model: Mapping[str, torch.Tensor]
    optimizer: Mapping[str, Any]
    scheduler: Mapping[str, Any]
    trainer: str
    """The Trainer's own state, as JSON."""
    seconds: float
    """What the training took so far."""


def write_checkpoint(directory: Path, snapshot: Snapshot) -> Path:
    """Write a checkpoint and remove those before it; returns its path."""
    final = directory / f"checkpoint-{snapshot.step}"
    room = directory / f".checkpoint-{snapshot.step}.part"
    try:
        shutil.rmtree(room, ignore_errors=True)
        room.mkdir(parents=True)
        _write(room, snapshot)
        for path in room.iterdir():
            _flush(path)
        discard(final)
        room.rename(final)
        _flush(directory)
    except OSError as error:
        raise CanaoError(
            f"a checkpoint cannot be written to {directory} ({error.strerror}); "
            "free space, or name another directory"
        ) from error
    for old in _checkpoints(directory):
        if old != final:
            discard(old)
    return final


def _write(room: Path, snapshot: Snapshot) -> None:
    # Weights that share memory are stored once each: safetensors wants them apart.
    save_file({name: t.detach().cpu().clone() for name, t in snapshot.model.items()}, room / _MODEL)
    save_file(_flat(snapshot.optimizer["state"]), room / _OPTIMIZER)
    save_file(_random_state(), room / _RANDOM)
    settings = {
        "optimizer": snapshot.optimizer["param_groups"],
        "scheduler": dict(snapshot.scheduler),
        "seconds": snapshot.seconds,
    }
    (room / _SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
    (room / TRAINER_STATE).write_text(snapshot.trainer, encoding="utf-8")


def last_checkpoint(directory: Path) -> Path | None:
    """The checkpoint with the most steps."""
    return max(_checkpoints(directory), key=_step, default=None)


def read_model(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint."""
    return _tensors(path / _MODEL)


def read_optimizer(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The states of the optimizer and of its schedule, as their `load_state_dict` takes them."""
    settings = json.loads((path / _SETTINGS).read_text(encoding="utf-8"))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _tensors(path / _OPTIMIZER).items():
        number, _, field = name.partition(".")
        state.setdefault(int(number), {})[field] = tensor
    return {"state": state, "param_groups": settings["optimizer"]}, settings["scheduler"]


def read_seconds(path: Path) -> float:
    """What the training had taken at a checkpoint."""
    return float(json.loads((path / _SETTINGS).read_text(encoding="utf-8"))["seconds"])


def restore_random_state(path: Path) -> None:
    """Give PyTorch's generators the state that they had at the checkpoint."""
    for device, state in _tensors(path / _RANDOM).items():
        if device == "cpu":
            torch.random.set_rng_state(state)
        elif torch.cuda.is_available():
            torch.cuda.random.set_rng_state(state)


def _random_state() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.random.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.random.get_rng_state()
    return states


def _flat(state: Mapping[int, Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    return {
        f"{number}.{name}": tensor.detach().cpu().contiguous()
        for number, fields in state.items()
        for name, tensor in fields.items()
    }


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputFileError(
            f"{path} is damaged ({error}); remove {path.parent} to go on from an earlier state"
        ) from error


def discard(path: Path) -> None:
    """Remove a directory in such a way that nobody takes what is left of it for whole."""
    if path.exists():
        trash = path.with_name(f".{path.name}.trash")
        shutil.rmtree(trash, ignore_errors=True)
        path.rename(trash)
        shutil.rmtree(trash, ignore_errors=True)


def _checkpoints(directory: Path) -> list[Path]:
    found = directory.iterdir() if directory.is_dir() else ()
    return [path for path in found if _NAME.fullmatch(path.name) and path.is_dir()]


def _step(path: Path) -> int:
    return int(path.name.rpartition("-")[2])


def _flush(path: Path) -> None:
    """Wait until a file or a directory is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
