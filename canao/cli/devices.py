"""Processors, OpenCL devices and what runs exported programs: listed, and models measured there."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from canao.building.cache import Cache
from canao.building.toolchain import find_compiler
from canao.cli.console import console
from canao.cli.models import CompileOptions, open_model
from canao.cli.progress import shown_progress
from canao.errors import CanaoError, DeviceError
from canao.machine.device_record import OpenCLDevice
from canao.machine.target import Target, available_cores
from canao.measuring.peak import measured_peaks
from canao.tuning.choose_threads import thread_counts

if TYPE_CHECKING:
    from canao.devices.measure_programs import Request

_out = console()


def describe_devices(cache_dir: Path | None) -> dict[str, Any]:
    """The processor that C is made for, and a list of OpenCL devices.

    Where OpenCL is not usable, `opencl` is empty and `opencl_note` says why.
    """
    cache = Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))
    rows = _processor(cache)
    note = ""
    devices: tuple[OpenCLDevice, ...] = ()
    try:
        from canao.machine.opencl_devices import list_devices

        devices = list_devices()
    except CanaoError as error:
        note = str(error)
    if not devices and not note:
        note = "no OpenCL driver is installed"
    rows["opencl"] = [_described(n, device, cache) for n, device in enumerate(devices)]
    rows["opencl_note"] = note
    return rows


def runners(cache_dir: Path | None) -> tuple[list[dict[str, str]], list[str]]:
    """What `--device` may name to run programs, and why some of it cannot be told."""
    from canao.devices.adb import attached_phones
    from canao.devices.qemu import QemuDevice, installed_emulators
    from canao.devices.specs import open_device

    cache = Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))
    found, notes = [{"spec": "local", "title": "this machine", "unit": "ms"}], list[str]()
    for emulator in installed_emulators():
        device = open_device(f"qemu:{emulator.architecture}", cache)
        assert isinstance(device, QemuDevice)
        found.append({"spec": device.spec, "title": device.title, "unit": device.unit})
    try:
        phones = attached_phones()
    except DeviceError as error:
        return found, [*notes, str(error)]
    for phone in phones:
        title = f"{phone.model or 'Android device'}, {phone.state}"
        found.append({"spec": f"adb:{phone.serial}", "title": title, "unit": "ms"})
    return found, notes


def _described(number: int, device: OpenCLDevice, cache: Cache) -> dict[str, Any]:
    from canao.measuring.opencl_peak import device_peaks

    row: dict[str, Any] = {
        "number": number,
        "name": device.name,
        "kind": str(device.kind),
        "platform": device.platform,
        "driver": device.driver,
        "compute_units": device.units,
        "memory_mib": device.memory_bytes >> 20,
        "local_kib": device.local_bytes >> 10,
        "float64": device.float64,
        "vector": device.model.unit.name,
    }
    try:
        peaks = device_peaks(device, cache)
    except CanaoError as error:
        return row | {"peak_gflops": None, "bandwidth_gb_s": None, "failure": str(error)}
    return row | {
        "peak_gflops": round(peaks.gflops, 1),
        "bandwidth_gb_s": round(peaks.bandwidth, 1),
    }


def _processor(cache: Cache) -> dict[str, Any]:
    """What C is made for on this machine, and how fast it can be at best.

    The rates are given for each number of threads that `canao.compile` would try.
    """
    target, cores = Target.host(), available_cores()
    compiler = find_compiler(os.environ.get("CC"))
    unit = target.vector_unit
    counts = thread_counts(cores)
    peaks = {str(n): measured_peaks(compiler, target, cache, n) for n in counts}
    return {
        "cpu": target.cpu,
        "triple": target.triple,
        "cores": cores,
        "vector_unit": unit.name,
        "float32_lanes": unit.lanes_f32,
        "vector_registers": unit.registers,
        "compiler": compiler.version,
        "compiler_command": " ".join(compiler.command),
        "compiler_flags": " ".join(compiler.flags(target)),
        "peak_gflops": {n: round(peak.gflops, 1) for n, peak in peaks.items()},
        "bandwidth_gb_s": {n: round(peak.bandwidth, 1) for n, peak in peaks.items()},
        "cache": str(cache.root),
    }


def bench_on_device(
    path: Path,
    options: CompileOptions,
    spec: str,
    request: Request,
    *,
    there: bool,
    as_json: bool,
) -> None:
    """Compile a model for a device, measure it there and print what was found."""
    from canao.devices.device import INSTRUCTIONS
    from canao.devices.specs import open_device
    from canao.report.on_device import measure_on

    device = open_device(spec, Cache(options.cache_dir or os.environ.get("CANAO_CACHE_DIR")))
    if not there:
        options = replace(options, device=spec)
    elif options.threads is None:
        options = replace(options, threads=device.most_threads)
    opened = open_model(path, options, quiet=as_json)
    with shown_progress(f"measuring on {spec}", f"measured on {spec}", quiet=as_json):
        found = measure_on({"": opened.compiled}, device, request, there=there)[""]
    error = None
    if opened.original is not None and opened.inputs is not None:
        import torch

        with torch.inference_mode():
            error = largest_difference(opened.original(**opened.inputs), found.results)
    if as_json:
        typer.echo(json.dumps({"figure": asdict(found.figure), "error": error}))
        return
    figure = found.figure
    _out.print(f"{figure.device}: {figure}", soft_wrap=True)
    if device.unit != INSTRUCTIONS:
        rounds = f"{len(figure.samples)} rounds of {figure.runs} runs"
        _out.print(f"{rounds}; before: {figure.before}; after: {figure.after}", soft_wrap=True)
    if error is not None:
        _out.print(f"largest difference from PyTorch's results: {error:.2e}")


def largest_difference(expected: Any, found: Any) -> float:
    """The largest absolute difference over all tensors of two Hugging Face outputs."""
    import torch

    pairs = ((value, found[name]) for name, value in expected.items())
    differences = [
        (a - b).abs().max().item() for a, b in pairs if isinstance(a, torch.Tensor) and a.numel()
    ]
    return max(differences, default=0.0)
