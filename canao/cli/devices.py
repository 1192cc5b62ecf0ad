"""What `canao devices` tells: processors and OpenCL devices, with what was measured of each."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from canao.building.cache import Cache
from canao.building.toolchain import find_compiler
from canao.errors import CanaoError
from canao.machine.device_record import OpenCLDevice
from canao.machine.target import Target, available_cores
from canao.measuring.peak import measured_peaks
from canao.tuning.choose_threads import thread_counts


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
