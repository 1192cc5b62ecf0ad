"""Compiled models in directories.

A saved model holds the program, its library, its weights as they are used
(mapped, not read) and how to call it. Loading needs no compiler on the kind of
processor that the model was compiled for, and compiles the C text on another.

What decides where compiled code reads and writes is checked against hashes; of
the weights, which would take long to read, names, types, shapes and places are.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from canao.building.cache import Cache, hash_of_file
from canao.building.library import Library
from canao.building.ready import build_program, try_program
from canao.building.texts import TextFiles
from canao.building.toolchain import Compiler, compiler_for
from canao.built import Build
from canao.errors import CanaoError, DeviceError, InputFileError
from canao.files import replacing
from canao.frontend.convention import CallConvention
from canao.machine.device_record import device_of
from canao.machine.processor import CpuModel
from canao.machine.target import Target, available_cores
from canao.package import VERSION
from canao.program import Program, TensorSpec
from canao.runtime.module import Array
from canao.runtime.tensor_file import map_tensors, write_tensors
from canao.tuning.choose_threads import ThreadChoice

_FORMAT = 6
_MANIFEST = "canao.json"
_PROGRAM, _CONVENTION, _LIBRARY = "program.json", "convention.json", "module.so"
_EXAMPLES = "examples.safetensors"


@dataclass(frozen=True)
class SavedModel:
    """The parts of a compiled model, whether they are to be written or were read."""

    program: Program
    convention: CallConvention
    build: Build
    weights: Sequence[Array]
    """As compiled code reads them."""
    examples: Sequence[Array]
    """The flat inputs that the model was compiled with."""


def save_model(model: SavedModel, path: Path) -> Path:
    """Write a model to the directory `path`, which appears or changes in one step."""
    if _holds_other(path):
        raise InputFileError(
            f"{path} exists and is not a saved model; name another directory or remove it"
        )
    with replacing(path) as new:
        _write(model, new)
    return path


def _holds_other(path: Path) -> bool:
    """Whether a directory holds something else than a saved model."""
    try:
        if path.is_file():
            raise InputFileError(f"{path} is a file; name a directory to save the model in")
        return path.exists() and not (path / _MANIFEST).is_file() and any(path.iterdir())
    except OSError:
        return False  # writing tells what is wrong with the path


def _write(model: SavedModel, path: Path) -> None:
    (path / "ir").mkdir(parents=True)
    for stage, text in model.build.ir.items():
        (path / "ir" / f"{stage}.mlir").write_text(text, encoding="utf-8")
    (path / _PROGRAM).write_text(model.program.to_json(), encoding="utf-8")
    (path / _CONVENTION).write_text(json.dumps(model.convention.to_json()), encoding="utf-8")
    shutil.copyfile(model.build.library_for(model.program, model.examples), path / _LIBRARY)
    write_tensors(path / "weights.safetensors", _numbered(model.weights))
    write_tensors(path / _EXAMPLES, _numbered(model.examples))
    assert model.build.threads is not None
    manifest = {
        "format": _FORMAT,
        "canao": VERSION,
        "target": asdict(model.build.target),
        "compiler": model.build.compiler,
        "sha256": {name: hash_of_file(path / name) for name in (_PROGRAM, _CONVENTION, _LIBRARY)},
        "threads": asdict(model.build.threads),
        "stages": list(model.build.ir),
        "compile_seconds": dict(model.build.seconds),
    }
    (path / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def pack(model: SavedModel) -> dict[str, bytes]:
    """The files of the saved form, by their paths in its directory."""
    with TemporaryDirectory(prefix="canao-") as directory:
        root = save_model(model, Path(directory) / "model")
        files = (path for path in root.rglob("*") if path.is_file())
        return {str(path.relative_to(root)): path.read_bytes() for path in files}


@contextmanager
def unpacked(files: Mapping[str, bytes]) -> Generator[SavedModel]:
    """What `pack` took apart; its files are there until the context ends.

    What is mapped and loaded by then stays.
    """
    with TemporaryDirectory(prefix="canao-") as directory:
        root = Path(directory)
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        parts = load_model(root)
        # Texts are read when they are asked for, which may be later.
        yield replace(parts, build=replace(parts.build, ir=dict(parts.build.ir)))


def _numbered(arrays: Sequence[Array]) -> dict[str, Array]:
    return {str(number): array for number, array in enumerate(arrays)}


@dataclass(frozen=True)
class _Read:
    """The parts of a saved model that are read at once."""

    manifest: Mapping[str, Any]
    program: Program
    convention: CallConvention
    target: Target
    threads: ThreadChoice


def load_model(
    path: Path,
    *,
    threads: int | None = None,
    cc: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> SavedModel:
    """The model in a directory that `save_model` wrote."""
    saved = _read(path)
    program = saved.program
    if threads and threads > program.threads:
        raise CanaoError(
            f"threads={threads} are more than the {program.threads} that the model in {path} was "
            f"compiled for; give at most {program.threads}, or compile it for more"
        )
    choice = ThreadChoice(threads) if threads else saved.threads
    build = replace(_ready_build(path, saved, cc, cache_dir), threads=choice)
    weights = _ordered(path / "weights.safetensors", program.weights)
    examples = _ordered(path / _EXAMPLES, program.inputs)
    return SavedModel(program, saved.convention, build, weights, examples)


def _read(path: Path) -> _Read:
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_bytes())
        if manifest["format"] != _FORMAT:
            raise ValueError(f"format {manifest['format']}, this canao reads {_FORMAT}")
        for name in (_PROGRAM, _CONVENTION):
            if hash_of_file(path / name) != manifest["sha256"][name]:
                raise ValueError(f"{name} is not the file that was saved")
        target: dict[str, Any] = manifest["target"]
        threads: dict[str, Any] = manifest["threads"]
        return _Read(
            manifest,
            Program.from_json((path / _PROGRAM).read_text(encoding="utf-8")),
            CallConvention.from_json(json.loads((path / _CONVENTION).read_bytes())),
            _target(target),
            ThreadChoice(int(threads["threads"]), threads["reason"], threads["ms"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path} is not a sound saved model ({error}); make one with CompiledModel.save"
        ) from error


def _target(data: Mapping[str, Any]) -> Target:
    device, design = data["device"], data.get("design")
    return Target(
        data["triple"],
        tuple(data["features"]),
        data["cpu"],
        None if device is None else device_of(device),
        None if design is None else CpuModel(**design),
        data.get("name", ""),
    )


def _ready_build(
    path: Path, saved: _Read, cc: str | None, cache_dir: str | os.PathLike[str] | None
) -> Build:
    """The saved library if it can run here, else one made from the C text."""
    manifest = saved.manifest
    stages: list[str] = manifest["stages"]
    ir = TextFiles({stage: path / "ir" / f"{Path(stage).name}.mlir" for stage in stages})
    library = path / _LIBRARY
    usable = _is_here(saved.target) and library.is_file()
    if usable and hash_of_file(library) == manifest["sha256"][_LIBRARY]:
        seconds: dict[str, float] = manifest["compile_seconds"]
        compiler: str = manifest["compiler"]
        return Build(saved.target, compiler, library, cc, cache_dir, seconds, ir)
    target = Target.host() if saved.target.device is None else _device_here(saved.target)
    found = compiler_for(target, cc)
    examples = _ordered(path / _EXAMPLES, saved.program.inputs)
    made = _rebuild(saved.program, examples, target, found, Cache(cache_dir))
    seconds = {"build": made.seconds}
    return Build(target, found.version, made.path, cc, cache_dir, seconds, ir)


def _is_here(target: Target) -> bool:
    """Whether the saved library or binary can run on this machine."""
    if target.device is None:
        return target.runs_on(Target.host())
    from canao.machine.opencl_devices import list_devices

    return target.device.identity in (device.identity for device in list_devices())


def _device_here(target: Target) -> Target:
    """A device of this machine of the same kind, for which kernels are built again."""
    assert target.device is not None
    here = Target.opencl(target.device.kind)
    assert here.device is not None
    if here.device.alignment > target.device.alignment:
        raise DeviceError(
            f"{here.device.name} aligns buffers to {here.device.alignment} bytes, the model was "
            f"compiled for {target.device.alignment}; compile it again on this machine"
        )
    return here


def _rebuild(
    program: Program,
    examples: Sequence[Array],
    target: Target,
    compiler: Compiler,
    cache: Cache,
) -> Library:
    library = build_program(program, compiler, target, cache, examples, workers=available_cores())
    try_program(library, program, target, cache, examples)
    return library


def _ordered(path: Path, specs: Sequence[TensorSpec]) -> list[Array]:
    """The arrays of a file, which must be those that compiled code will read."""
    tensors = map_tensors(path)
    wanted = {str(number): (spec.shape, spec.dtype) for number, spec in enumerate(specs)}
    if {name: (array.shape, array.dtype.name) for name, array in tensors.items()} != wanted:
        raise InputFileError(f"{path} does not belong to its program; save the model again")
    return [tensors[name] for name in wanted]
