"""An OpenCL program on its device: buffers, launches and what they took.

The interface is that of `canao.runtime.module.NativeModule`.
"""

from __future__ import annotations

import ctypes
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from canao.errors import DeviceError, ExecutionError, FailedCheckError
from canao.machine.opencl_devices import pyopencl
from canao.program import Launch, Piece
from canao.runtime.in_use import InUse
from canao.runtime.module import Array, Pointers
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.session import Session, explained
from canao.task_count import count_at

_Grid = tuple[tuple[int], tuple[int]]

_KEPT_GRIDS = 256
"""Sizes whose grids are kept."""


@dataclass(frozen=True)
class Trace:
    """One run in seconds, as the events of the device tell."""

    kernels: npt.NDArray[np.float64]
    """Of each launch."""
    transfers: float
    """Of all copies between host and device."""
    moved_bytes: int
    """What these copied."""
    wall: float
    """From the first copy to the last, as the host sees it."""


class OpenCLModule:
    """Kernels with their arguments set, ready to be enqueued.

    Threads of Python may call it at once: they take turns.
    """

    def __init__(
        self,
        job: Job,
        weights: Sequence[Array],
        binary: bytes | None = None,
        *,
        source: str = "",
        like: OpenCLModule | None = None,
    ) -> None:
        """The program of a binary, of a text, or that of another module with other weights."""
        _check_fits(job)
        self.job = job
        self.weights = tuple(weights)
        self.threads = job.device.units
        self.reports_checks = True
        """Whether a check that fails in the kernels is an error of the run."""
        self._lock = threading.Lock()
        self.in_use = InUse()
        self._process = os.getpid()
        self._weight_places: list[tuple[int, int]] = []
        """The buffer of each weight and its first byte there, where weights share buffers."""
        if like is not None:
            self.session, self.program = like.session, like.program
        else:
            self.session = Session(job.device)
            self.program = self.session.load(binary) if binary else self.session.build(source)
        with explained(job.device, "hold the buffers of the model"):
            self._buffers = self._make_buffers()
            self._kernels = [self._kernel(launch) for launch in job.launches.steps]
        self._grids_at = lru_cache(_KEPT_GRIDS)(partial(_grids, job.launches.steps))
        self._sized = any(not isinstance(step.groups, int) for step in job.launches.steps)
        # Drivers that still hold a program when the process ends may abort it.
        self._finalizer = weakref.finalize(self, _release, self._kernels, self._buffers)

    # ------------------------------------------------------------------ making

    def _make_buffers(self) -> dict[str, list[Any]]:
        job, cl = self.job, pyopencl()
        flags = cl.mem_flags

        def room(size: int, access: int) -> Any:
            return cl.Buffer(self.session.context, access, max(size, 1))

        return {
            "inputs": [room(size, flags.READ_ONLY) for size in job.inputs],
            "weights": self._weights_in_place() or self._weights_together(),
            "outputs": [room(size, flags.READ_WRITE) for size in job.outputs],
            "arena": [room(job.arena_bytes, flags.READ_WRITE)],
            "status": [room(4, flags.READ_WRITE)],
        }

    def _weights_in_place(self) -> list[Any]:
        """Weights where they are, on a device that works on the memory of the host."""
        if not self.job.device.unified:
            return []
        cl = pyopencl()
        flags = cl.mem_flags.READ_ONLY
        return [
            cl.Buffer(self.session.context, flags | cl.mem_flags.USE_HOST_PTR, hostbuf=_bytes_of(a))
            if a.nbytes
            else cl.Buffer(self.session.context, flags, 1)
            for a in self.weights
        ]

    def _weights_together(self) -> list[Any]:
        """All weights in as few buffers as the device allows, since each costs at every launch."""
        cl, device = pyopencl(), self.job.device
        sizes: list[int] = []
        for array in self.weights:
            size = -(-max(array.nbytes, 1) // device.alignment) * device.alignment
            if not sizes or sizes[-1] + size > device.most_bytes:
                sizes.append(0)
            self._weight_places.append((len(sizes) - 1, sizes[-1]))
            sizes[-1] += size
        flags = cl.mem_flags.READ_ONLY
        buffers = [cl.Buffer(self.session.context, flags, size) for size in sizes]
        for array, (number, start) in zip(self.weights, self._weight_places, strict=True):
            if array.nbytes:
                cl.enqueue_copy(
                    self.session.queue, buffers[number], _bytes_of(array), dst_offset=start
                )
        return buffers

    def _place(self, piece: Piece) -> tuple[Any, np.uint64]:
        """A buffer, and where in it the part begins that a kernel uses."""
        number, start = piece.number, piece.start
        if piece.base == "weights" and self._weight_places:
            number, start = self._weight_places[number]
        return self._buffers[piece.base][number], np.uint64(start)

    def _kernel(self, launch: Launch) -> Any:
        """A kernel with its arguments."""
        kernel = pyopencl().Kernel(self.program, launch.kernel)
        kernel.set_args(*chain.from_iterable(map(self._place, launch.arguments)))
        return kernel

    def _grids_for(self, inputs: Pointers) -> Sequence[_Grid]:
        """The grid of each launch; the last input has sizes if some depend on them."""
        if not self._sized:
            return self._grids_at(b"")
        return self._grids_at(bytes(_memory(inputs[len(self.job.inputs) - 1], self.job.inputs[-1])))

    # ----------------------------------------------------------------- running

    def run(self, inputs: Pointers, outputs: Pointers) -> None:
        """Compute the outputs; the caller keeps all arrays alive meanwhile."""
        self._run(inputs, outputs)

    def bind(self, inputs: Pointers, outputs: Pointers) -> Callable[[], int]:
        """A call with all arguments made ready: what measuring times."""

        def call() -> int:
            self._run(inputs, outputs)
            return 0

        return call

    def trace(self, inputs: Pointers, outputs: Pointers) -> Trace:
        """Run once; what each launch and the copies took."""
        start = perf_counter()
        kernels, copies = self._run(inputs, outputs, self.session.timed_queue)
        wall = perf_counter() - start
        seconds = [0.0 if event is None else _seconds(event) for event in kernels]
        moved = sum(self.job.inputs) + sum(self.job.outputs)
        return Trace(np.array(seconds), sum(map(_seconds, copies)), moved, wall)

    def profile(self, inputs: Pointers, outputs: Pointers) -> npt.NDArray[np.float64]:
        """Run once; seconds that each call of a kernel took."""
        return self.trace(inputs, outputs).kernels

    def _run(
        self, inputs: Pointers, outputs: Pointers, queue: Any = None
    ) -> tuple[list[Any], list[Any]]:
        """The events of the kernels and of the copies of one run."""
        with self.in_use.call():
            return self._enqueued(inputs, outputs, queue)

    def _enqueued(
        self, inputs: Pointers, outputs: Pointers, queue: Any
    ) -> tuple[list[Any], list[Any]]:
        if self._process != os.getpid():
            raise ExecutionError(
                "an OpenCL model cannot be used in a process that was forked after it was loaded; "
                "load it there, or start the process with 'spawn'"
            )
        cl, queue = pyopencl(), queue or self.session.queue
        status = np.zeros(1, np.int32) if self.job.launches.messages else None
        with self._lock, explained(self.job.device, "run the model"):
            copies = [
                cl.enqueue_copy(queue, buffer, _memory(address, size), is_blocking=False)
                for buffer, address, size in zip(
                    self._buffers["inputs"], inputs, self.job.inputs, strict=False
                )
                if size
            ]
            (noted,) = self._buffers["status"]
            if status is not None:
                copies.append(cl.enqueue_copy(queue, noted, status, is_blocking=False))
            kernels = [
                cl.enqueue_nd_range_kernel(queue, kernel, *grid) if grid[0][0] else None
                for kernel, grid in zip(self._kernels, self._grids_for(inputs), strict=True)
            ]
            copies += [
                cl.enqueue_copy(queue, _memory(address, size), buffer, is_blocking=False)
                for buffer, address, size in zip(
                    self._buffers["outputs"], outputs, self.job.outputs, strict=False
                )
                if size
            ]
            if status is not None:
                cl.enqueue_copy(queue, status, noted, is_blocking=False)
            queue.finish()
        if status is not None and status[0] and self.reports_checks:
            text = self.job.launches.messages[int(status[0]) - 1]
            raise FailedCheckError(
                f"a check in the compiled model failed: {text}; "
                "the outputs are incomplete: correct the inputs and call again"
            )
        return kernels, copies

    @property
    def arena_bytes(self) -> int:
        """Size of the memory that intermediate tensors share."""
        return self.job.arena_bytes

    def close(self) -> None:
        """Release the memory of the device, after the call that runs; later ones are refused."""
        if self.in_use.close():
            self._finalizer()
            self.program = None


def _grids(launches: Sequence[Launch], sizes: bytes) -> Sequence[_Grid]:
    """The work-items of each launch, and those of a group."""
    numbers = np.frombuffer(sizes, np.int64).tolist()
    return [((count_at(each.groups, numbers) * each.items,), (each.items,)) for each in launches]


def _release(kernels: list[Any], buffers: dict[str, list[Any]]) -> None:
    """Gives back what a module holds of its device."""
    kernels.clear()
    for some in buffers.values():
        for buffer in some:
            buffer.release()
        some.clear()


def _check_fits(job: Job) -> None:
    """Refuses a model that the device cannot hold, before anything is allocated."""
    device = job.device
    sizes = (*job.inputs, *job.weights, *job.outputs, job.arena_bytes)
    for what, size, limit in (
        ("memory", sum(sizes), device.memory_bytes),
        ("a buffer", max(sizes), device.most_bytes),
    ):
        if size > limit:
            raise DeviceError(
                f"the model needs {what} of {size / 2**20:.1f} MiB and {device.name} has "
                f"{limit / 2**20:.1f} MiB; choose another device, or compile for smaller inputs"
            )
    steps = job.launches.steps
    for what, size, limit in (
        ("bytes of local memory", [step.local_bytes for step in steps], device.local_bytes),
        ("work-items in a group", [step.items for step in steps], device.most_items),
    ):
        if max(size, default=0) > limit:
            raise DeviceError(
                f"a kernel of the model needs {max(size)} {what} and {device.name} has {limit}; "
                "choose another device, or compile the model for this one"
            )


def _bytes_of(array: Array) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


def _memory(address: int | None, size: int) -> ctypes.Array[ctypes.c_ubyte]:
    """The bytes at an address."""
    return (ctypes.c_ubyte * size).from_address(address or 0)


def _seconds(event: Any) -> float:
    return 1e-9 * (event.profile.end - event.profile.start)
