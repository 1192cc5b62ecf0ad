"""What `canao devices` tells: processors and OpenCL devices, with what was measured of each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from canao.building.cache import Cache
from canao.cli.bench import cache_of, describe_processor
from canao.errors import CanaoError
from canao.machine.device_record import OpenCLDevice


def describe_devices(cache_dir: Path | None) -> dict[str, Any]:
    """The processor that C is made for, and a list of OpenCL devices.

    Where OpenCL is not usable, `opencl` is empty and `opencl_note` says why.
    """
    cache = cache_of(cache_dir)
    rows = describe_processor(cache)
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
