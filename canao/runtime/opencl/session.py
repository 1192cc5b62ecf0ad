"""A context, a queue and a built program on one device, and the errors of all three."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from canao.errors import CanaoError, DeviceError, ExecutionError, ToolchainError
from canao.machine.device_record import OpenCLDevice
from canao.machine.opencl_devices import handle_of, pyopencl

_SHOWN_LINES = 12
_MEMORY = ("MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_RESOURCES", "OUT_OF_HOST_MEMORY", "BUFFER_SIZE")


@contextmanager
def explained(device: OpenCLDevice, what: str) -> Generator[None]:
    """Turns errors of the driver into ones that say what to do."""
    cl = pyopencl()
    try:
        yield
    except CanaoError:
        raise
    except cl.Error as error:
        raise driver_error(device, what, str(error)) from error


def driver_error(device: OpenCLDevice, what: str, said: str) -> CanaoError:
    """The error for what a driver said."""
    if any(word in said for word in _MEMORY):
        return DeviceError(
            f"{device.name} has not enough memory to {what} ({said}); "
            "close other programs that use it, or choose another device"
        )
    return ExecutionError(
        f"{device.name} could not {what} ({said}): the device may be lost; "
        "load the model again, or choose another device"
    )


@contextmanager
def _quiet() -> Generator[None]:
    """Keeps to itself what compilers say of code that they accept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", pyopencl().CompilerWarning)
        yield


class Session:
    """An in-order queue on a device, and the program that it runs."""

    def __init__(self, device: OpenCLDevice) -> None:
        self.device = device
        cl = pyopencl()
        self._handle = handle_of(device)
        with explained(device, "open a queue"):
            self.context = cl.Context([self._handle])
            self.queue = cl.CommandQueue(self.context)

    @cached_property
    def timed_queue(self) -> Any:
        """A queue whose events know when they began and ended, which costs time between them."""
        cl = pyopencl()
        with explained(self.device, "open a queue"):
            return cl.CommandQueue(
                self.context, properties=cl.command_queue_properties.PROFILING_ENABLE
            )

    def build(self, source: str) -> Any:
        """The program of a text; `ToolchainError` with what the compiler said if it refuses."""
        cl = pyopencl()
        options = list(self.device.options)
        program = cl.Program(self.context, source)
        try:
            with _quiet():
                return program.build(options, cache_dir=False)
        except cl.RuntimeError as error:
            said = [line for line in str(error).splitlines() if line.strip()][:_SHOWN_LINES]
            shown = "\n".join(f"  {line}" for line in said)
            raise ToolchainError(
                f"the OpenCL compiler of {self.device.name} ({self.device.driver}) refused the "
                f"emitted code; its options were {' '.join(options)}; it said:\n{shown}\n"
                "update the driver, choose another device, or report the source "
                "(canao inspect --source)"
            ) from error

    def load(self, binary: bytes) -> Any:
        """The program in a binary of the same device and driver."""
        cl = pyopencl()
        with explained(self.device, "load a program"), _quiet():
            return cl.Program(self.context, [self._handle], [binary]).build(
                list(self.device.options)
            )

    def binary_of(self, program: Any) -> bytes:
        """The binary of a built program."""
        with explained(self.device, "give the binary of a program"):
            (found,) = program.get_info(pyopencl().program_info.BINARIES)
        return bytes(found)
