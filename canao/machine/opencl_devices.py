"""The OpenCL devices of this machine, and how one is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from types import ModuleType
from typing import Any

from canao.errors import DeviceError, MissingExtraError
from canao.machine.device_record import OpenCLDevice
from canao.machine.opencl_device import DeviceKind

_EXTRA = "opencl"
_POCL = "Portable Computing Language"
_EXACT = 1 << 7
"""CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT."""
_ADVICE = (
    "install its driver, or run: pip install 'canao[opencl]', which brings one that runs on the CPU"
)


@cache
def pyopencl() -> ModuleType:
    """The module pyopencl; `MissingExtraError` where it is not installed."""
    try:
        import pyopencl as found
    except ImportError as error:
        raise MissingExtraError("OpenCL", _EXTRA) from error
    return found


@cache
def _found() -> tuple[tuple[OpenCLDevice, Any], ...]:
    """All devices with their handles: GPUs first, PoCL last.

    PoCL may come from the package `pocl-binary-distribution`; any other driver of
    the system is preferred to it.
    """
    cl = pyopencl()
    try:
        handles = [device for platform in cl.get_platforms() for device in platform.get_devices()]
    except cl.Error as error:
        if "PLATFORM_NOT_FOUND" in str(error):
            return ()
        raise DeviceError(f"the OpenCL drivers cannot be asked ({error}); {_ADVICE}") from error
    devices = [(_described(cl, handle), handle) for handle in handles if handle.available]
    order = list(DeviceKind)[::-1]
    devices.sort(key=lambda pair: (order.index(pair[0].kind), pair[0].platform == _POCL))
    return tuple(devices)


def _described(cl: ModuleType, handle: Any) -> OpenCLDevice:
    kind = DeviceKind.cpu if handle.type & cl.device_type.CPU else DeviceKind.gpu
    return OpenCLDevice(
        name=handle.name.strip(),
        platform=handle.platform.name.strip(),
        driver=f"{handle.platform.version.strip()} {handle.driver_version.strip()}",
        kind=kind,
        units=max(1, handle.max_compute_units),
        lanes=max(1, handle.native_vector_width_float),
        memory_bytes=handle.global_mem_size,
        most_bytes=handle.max_mem_alloc_size,
        local_bytes=handle.local_mem_size,
        most_items=handle.max_work_group_size,
        alignment=max(64, handle.mem_base_addr_align // 8),
        unified=bool(handle.host_unified_memory),
        float64="cl_khr_fp64" in handle.extensions.split(),
        exact_division=bool(handle.single_fp_config & _EXACT),
    )


def list_devices() -> tuple[OpenCLDevice, ...]:
    """All OpenCL devices, the one that is chosen by default first."""
    return tuple(device for device, _ in _found())


def choose_device(wanted: str | int | None = None) -> OpenCLDevice:
    """A device by its number, its kind ("gpu", "cpu") or a part of its or its platform's name.

    The first of `list_devices` if nothing is wanted. `DeviceError` where there is none.
    """
    return _chosen(wanted, list_devices())


def _chosen(wanted: str | int | None, devices: Sequence[OpenCLDevice]) -> OpenCLDevice:
    if not devices:
        raise DeviceError(f"there is no OpenCL device on this machine; {_ADVICE}")
    if wanted is None:
        return devices[0]
    if isinstance(wanted, str) and wanted.isdecimal():
        wanted = int(wanted)
    if isinstance(wanted, int):
        if 0 <= wanted < len(devices):
            return devices[wanted]
    else:
        sought = wanted.lower()
        by_kind = [d for d in devices if d.kind == sought]
        by_name = [d for d in devices if sought in f"{d.name} {d.platform}".lower()]
        for found in (*by_kind, *by_name):
            return found
    known = "; ".join(f"{n}: {d.name} ({d.kind}, {d.platform})" for n, d in enumerate(devices))
    raise DeviceError(f"no OpenCL device is called {wanted!r}; there are {known}")


def handle_of(device: OpenCLDevice) -> Any:
    """The handle of a device in this process; `DeviceError` if it is there no more."""
    for known, handle in _found():
        if known.identity == device.identity:
            return handle
    raise DeviceError(
        f"the OpenCL device {device.name} ({device.platform}, {device.driver}) is not on this "
        "machine or its driver changed; compile the model again"
    )
