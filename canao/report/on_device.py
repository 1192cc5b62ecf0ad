"""Compiled models on devices: exported, built for them, run there and measured."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.devices.build_here import build_here
from canao.devices.device import Device
from canao.devices.fit import check_fits, check_language, check_threads, is_static
from canao.devices.measure_programs import DeviceProgram, Figure, Request, install, measure_in
from canao.devices.specs import open_device
from canao.frontend.convention import CallConvention
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.example_sizes import sizes_of
from canao.runtime.module import Array


class Made(Protocol):
    """How a model was built."""

    @property
    def target(self) -> Target:
        """What it was compiled for."""
        ...

    @property
    def cc(self) -> str | None:
        """The compiler that was named."""
        ...

    @property
    def cache_dir(self) -> str | os.PathLike[str] | None:
        """Where compiled code is kept."""
        ...


class Exportable(Protocol):
    """What is asked of a compiled model."""

    program: Program
    convention: CallConvention
    examples: tuple[Array, ...]

    @property
    def build(self) -> Made:
        """How it was built."""
        ...

    @property
    def threads(self) -> int:
        """Threads that a run uses."""
        ...

    def export(self, directory: Path) -> Path:
        """Write it as a program in C."""
        ...


@dataclass(frozen=True)
class OnDevice:
    """What a device told of a compiled model."""

    figure: Figure
    results: Any
    """What it computed for the example inputs, in the model's own containers."""


def measure_on(
    models: Mapping[str, Exportable],
    device: str | Device,
    request: Request | None = None,
    *,
    there: bool = False,
) -> dict[str, OnDevice]:
    """Measure compiled models on a device, in turns, on the inputs that they were compiled with.

    `device` is one, or its text: "local", "qemu:aarch64", "ssh:user@host:22", "adb:SERIAL". Each
    is exported, built by the compiler of its target (or, with `there`, by the compiler of the
    device), run once for its results, and measured. `DeviceError` if the device cannot be
    reached or has another processor, `ExecutionError` if a program fails on it.
    """
    if isinstance(device, str):
        first = next(iter(models.values()))
        device = open_device(device, Cache(first.build.cache_dir))
    with tempfile.TemporaryDirectory(prefix="canao-exported-") as room:
        programs = {
            name: _program(model, device, Path(room) / str(n), there)
            for n, (name, model) in enumerate(models.items())
        }
        with device.opened() as space:
            results = {
                name: install(space, f"r{n}", program).results(space)
                for n, (name, program) in enumerate(programs.items())
            }
            figures = measure_in(space, device, programs, request or Request())
    return {
        name: OnDevice(figures[name], model.convention.rebuild(results[name], model.examples))
        for name, model in models.items()
    }


def _program(model: Exportable, device: Device, directory: Path, there: bool) -> DeviceProgram:
    check_language(model.build.target, device)
    check_threads(device, model.threads)
    model.export(directory)
    sizes = sizes_of(model.program.symbols, model.examples)
    specs = model.program.inputs[:-1] if sizes else model.program.inputs
    inputs = [
        array[tuple(map(slice, spec.shape_at(sizes)))]
        for array, spec in zip(model.examples, specs, strict=False)
    ]
    return DeviceProgram(
        directory,
        inputs,
        model.program.outputs,
        threads=model.threads,
        sizes=sizes,
        binary=None if there else _built(model, device, directory),
    )


def _built(model: Exportable, device: Device, directory: Path) -> Path:
    """The program, made here by the compiler of its target."""
    target, static = model.build.target, is_static(model.build.target, device)
    check_fits(target, device)
    compiler = compiler_for(target, model.build.cc)
    return build_here(directory, compiler, target, Cache(model.build.cache_dir), static=static)
