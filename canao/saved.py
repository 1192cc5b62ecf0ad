"""Compiled models in directories.

A saved model holds the program, its library, its weights as they are used
(mapped, not read) and how to call it. Loading needs no compiler on the kind of
processor that the model was compiled for, and compiles the C text on another.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import canao
from canao.compiled_model import Build, CompiledModel
from canao.errors import InputFileError
from canao.frontend.convention import CallConvention
from canao.lowering.program import Program
from canao.runtime.build import Library, build_library
from canao.runtime.cache import Cache, hash_of_file
from canao.runtime.guard import try_first_run
from canao.runtime.memory import aligned
from canao.runtime.module import Array, NativeModule
from canao.runtime.target import Target
from canao.runtime.tensor_file import map_tensors, write_tensors
from canao.runtime.texts import TextFiles
from canao.runtime.toolchain import find_compiler

_FORMAT = 1
_MANIFEST = "canao.json"


def save_model(model: CompiledModel, weights: Sequence[Array], path: Path) -> Path:
    """Write a model to the directory `path`, which appears or changes in one step."""
    if path.exists() and not (path / _MANIFEST).is_file() and any(_entries(path)):
        raise InputFileError(
            f"{path} exists and is not a saved model; name another directory or remove it"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    replaced = path.with_name(f".{path.name}.{os.getpid()}.old")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write(model, weights, partial)
        if path.exists():
            path.rename(replaced)
        partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)
    return path


def _entries(path: Path) -> list[Path]:
    if not path.is_dir():
        raise InputFileError(f"{path} is a file; name a directory to save the model in")
    return list(path.iterdir())


def _write(model: CompiledModel, weights: Sequence[Array], path: Path) -> None:
    (path / "ir").mkdir(parents=True)
    for stage, text in model.build.ir.items():
        (path / "ir" / f"{stage}.mlir").write_text(text, encoding="utf-8")
    (path / "program.json").write_text(model.program.to_json(), encoding="utf-8")
    (path / "convention.json").write_text(json.dumps(model.convention.to_json()), encoding="utf-8")
    shutil.copyfile(model.build.library, path / "module.so")
    write_tensors(path / "weights.safetensors", _numbered(weights))
    write_tensors(path / "examples.safetensors", _numbered(model.examples))
    manifest = {
        "format": _FORMAT,
        "canao": canao.__version__,
        "target": asdict(model.build.target),
        "compiler": model.build.compiler,
        "library_sha256": hash_of_file(path / "module.so"),
        "threads": model.threads,
        "stages": list(model.build.ir),
        "compile_seconds": dict(model.compile_seconds),
    }
    (path / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")


def _numbered(arrays: Sequence[Array]) -> dict[str, Array]:
    return {str(number): array for number, array in enumerate(arrays)}


@dataclass(frozen=True)
class _Saved:
    """The parts of a saved model that are read at once."""

    manifest: Mapping[str, Any]
    program: Program
    convention: CallConvention
    target: Target


def load_model(
    path: Path,
    *,
    threads: int | None = None,
    cc: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> CompiledModel:
    """The model in a directory that `save_model` wrote."""
    saved = _read(path)
    program, manifest = saved.program, saved.manifest
    build = _ready_build(path, saved, cc, cache_dir)
    weights = _ordered(path / "weights.safetensors", len(program.weights))
    examples = _ordered(path / "examples.safetensors", len(program.inputs))
    module = NativeModule(
        build.library,
        [aligned(array) for array in weights],
        program.arena_bytes,
        threads or int(manifest["threads"]),
        len(program.calls),
    )
    return CompiledModel(program, module, saved.convention, build, examples)


def _read(path: Path) -> _Saved:
    try:
        manifest: dict[str, Any] = json.loads((path / _MANIFEST).read_bytes())
        if manifest["format"] != _FORMAT:
            raise ValueError(f"format {manifest['format']}, this canao reads {_FORMAT}")
        target: dict[str, Any] = manifest["target"]
        return _Saved(
            manifest,
            Program.from_json((path / "program.json").read_text(encoding="utf-8")),
            CallConvention.from_json(json.loads((path / "convention.json").read_bytes())),
            Target(target["triple"], tuple(target["features"]), target["cpu"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{path} is not a sound saved model ({error}); make one with CompiledModel.save"
        ) from error


def _ready_build(
    path: Path, saved: _Saved, cc: str | None, cache_dir: str | os.PathLike[str] | None
) -> Build:
    """The saved library if it can run here, else one made from the C text."""
    manifest = saved.manifest
    stages: list[str] = manifest["stages"]
    ir = TextFiles({stage: path / "ir" / f"{Path(stage).name}.mlir" for stage in stages})
    library = path / "module.so"
    usable = saved.target.runs_on(Target.host()) and library.is_file()
    if usable and hash_of_file(library) == manifest["library_sha256"]:
        seconds: dict[str, float] = manifest["compile_seconds"]
        compiler: str = manifest["compiler"]
        return Build(saved.target, compiler, library, cc, cache_dir, seconds, ir)
    made = _rebuild(saved.program, cc, cache_dir)
    seconds = {"build": made.seconds}
    version = find_compiler(cc).version
    return Build(Target.host(), version, made.path, cc, cache_dir, seconds, ir)


def _rebuild(program: Program, cc: str | None, cache_dir: str | os.PathLike[str] | None) -> Library:
    cache = Cache(cache_dir)
    library = build_library(program.source, find_compiler(cc), Target.host(), cache)
    try_first_run(library, program, cache)
    return library


def _ordered(path: Path, count: int) -> list[Array]:
    tensors = map_tensors(path)
    names = [str(number) for number in range(count)]
    if set(tensors) != set(names):
        raise InputFileError(f"{path} does not belong to its program; save the model again")
    return [tensors[name] for name in names]
