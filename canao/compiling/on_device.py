"""Compiled models on devices: exported, built for them, run there and measured."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.devices.build_here import build_here
from canao.devices.device import Device
from canao.devices.measure_programs import DeviceProgram, Figure, Request, install, measure_in
from canao.devices.specs import open_device
from canao.errors import DeviceError
from canao.machine.target import Target
from canao.machine.targets import row_of_machine
from canao.runtime.example_sizes import sizes_of

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel


@dataclass(frozen=True)
class OnDevice:
    """What a device told of a compiled model."""

    figure: Figure
    results: Any
    """What it computed for the example inputs, in the model's own containers."""


def measure_on(
    models: Mapping[str, CompiledModel],
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


def target_for(device: Device) -> Target:
    """What to compile for where nobody says it: this machine, or what any Linux there runs."""
    architecture = device.architecture()
    if device.spec == "local":
        return Target.host()
    row = row_of_machine(architecture)
    if row is None:
        raise DeviceError(
            f"{device.title} has a processor ({architecture}) that no target is known for; name "
            "one, or build there"
        )
    return Target(row.name)


def _program(model: CompiledModel, device: Device, directory: Path, there: bool) -> DeviceProgram:
    target = model.build.target
    if target.device is not None:
        raise DeviceError(
            f"the model was compiled for {target.title}; only programs in C go to {device.title}: "
            "leave the target out"
        )
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


def _built(model: CompiledModel, device: Device, directory: Path) -> Path:
    """The program, made here by the compiler of its target."""
    target, architecture = model.build.target, device.architecture()
    known = row_of_machine(architecture)
    if target.architecture != (Target(known.name).architecture if known else architecture):
        raise DeviceError(
            f"the model was compiled for {target.title} and {device.title} is {architecture}; "
            "compile for its canao.Target, or build there"
        )
    row = target.row
    static = row.static if row else device.spec != "local"
    compiler = compiler_for(target, model.build.cc)
    return build_here(directory, compiler, target, Cache(model.build.cache_dir), static=static)
