"""A loaded library and its handle: the C functions called from Python."""

from __future__ import annotations

import ctypes
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from canao.errors import ExecutionError, FailedCheckError, ToolchainError
from canao.runtime.in_use import InUse
from canao.runtime.memory import is_aligned, lasting_empty

Array = npt.NDArray[np.generic]
Pointers = ctypes.Array[ctypes.c_void_p]

_POINTERS = ctypes.POINTER(ctypes.c_void_p)
_RUN_ARGUMENTS = (ctypes.c_void_p, _POINTERS, _POINTERS, _POINTERS, ctypes.c_void_p)
_DOUBLES = ctypes.POINTER(ctypes.c_double)


def pointers(places: Sequence[int]) -> Pointers:
    """A C array of pointers; never of length 0, which C does not have."""
    return (ctypes.c_void_p * max(1, len(places)))(*places)


def addresses(arrays: Sequence[Array]) -> Pointers:
    """Where arrays begin; the caller keeps them alive."""
    return pointers([array.ctypes.data for array in arrays])


class NativeModule:
    """The functions of one emitted unit, its weights, its arena and its threads.

    Threads of Python may call it at once: the unit's pool lets them take turns.
    """

    def __init__(
        self, library: Path, weights: Sequence[Array], arena_bytes: int, threads: int, calls: int
    ) -> None:
        if not all(is_aligned(array) for array in weights):
            raise ValueError("weights must be aligned; pass them through memory.aligned")
        self.threads = threads
        self.weights = tuple(weights)
        self._library = _load(library)
        self._pointers = pointers([array.ctypes.data for array in weights])
        try:
            self._arena = lasting_empty((max(arena_bytes, 1),), np.uint8)
        except (MemoryError, OSError) as error:
            raise ExecutionError(
                f"the compiled model needs {arena_bytes >> 20} MiB for its largest sizes, "
                "which this machine does not give; compile for smaller ones"
            ) from error
        self._calls = calls
        self._opening = threading.Lock()
        self.in_use = InUse()
        self._process = 0
        self._handle = ctypes.c_void_p()
        self._finalizer: Callable[[], object] = lambda: None
        self._open()

    def _open(self) -> None:
        """Start the threads, again in a child process: a fork does not copy them."""
        with self._opening:
            if self._process == os.getpid():
                return
            handle = ctypes.c_void_p()
            status = self._library.canao_open(self.threads, ctypes.byref(handle))
            if status:
                raise ExecutionError(
                    f"the thread pool could not be started with {self.threads} threads "
                    f"({os.strerror(status)}); ask for fewer threads or raise the limit (ulimit -u)"
                )
            self._handle = handle
            self._process = os.getpid()
            self._finalizer = weakref.finalize(self, _close, self._library, handle, self._process)

    def run(self, inputs: Pointers, outputs: Pointers) -> None:
        """Compute the outputs; the caller keeps all arrays alive meanwhile."""
        with self.in_use.call():
            if self._process != os.getpid():
                self._open()
            status = self._library.canao_run(
                self._handle, inputs, self._pointers, outputs, self._arena.ctypes.data
            )
        if status:
            raise self._failed(status)

    def bind(
        self, inputs: Pointers, outputs: Pointers, *, weights: Pointers | None = None
    ) -> Callable[[], int]:
        """A call with all arguments made ready: what measuring times, within `in_use.call()`.

        `weights` are other weights than the module's own, of the same layout.
        """
        if self._process != os.getpid():
            self._open()
        run, handle = self._library.canao_run, self._handle
        mine = self._pointers if weights is None else weights
        arena = ctypes.c_void_p(self._arena.ctypes.data)

        def call() -> int:
            return run(handle, inputs, mine, outputs, arena)

        return call

    def profile(self, inputs: Pointers, outputs: Pointers) -> npt.NDArray[np.float64]:
        """Run once; seconds that each call of a kernel took."""
        seconds = np.zeros(max(1, self._calls), np.float64)
        with self.in_use.call():
            if self._process != os.getpid():
                self._open()
            status = self._library.canao_profile(
                self._handle,
                inputs,
                self._pointers,
                outputs,
                self._arena.ctypes.data,
                seconds.ctypes.data_as(_DOUBLES),
            )
        if status:
            raise self._failed(status)
        return seconds[: self._calls]

    def _failed(self, status: int) -> ExecutionError:
        """The error for what `canao_run` returned."""
        text = self._library.canao_message(status)
        if text is None:
            return ExecutionError(
                f"the compiled model ended with error {status} ({os.strerror(status)}); "
                "free memory or report the model"
            )
        return FailedCheckError(
            f"a check in the compiled model failed: {text.decode()}; "
            "the outputs are incomplete: correct the inputs and call again"
        )

    @property
    def arena_bytes(self) -> int:
        """Size of the memory that intermediate tensors share."""
        return self._arena.nbytes

    def close(self) -> None:
        """End the threads, after the calls that run; later ones are refused."""
        if self.in_use.close():
            self._finalizer()


def _close(library: ctypes.CDLL, handle: ctypes.c_void_p, process: int) -> None:
    if process == os.getpid():
        library.canao_close(handle)


_loaded: dict[str, tuple[int, int]] = {}
"""The file, by device and number, that each name of a library stood for when it was loaded."""


def _opened(path: Path) -> ctypes.CDLL:
    """The library in a file. The loader tells libraries apart by name.

    So a file that has taken the place of one in use, as when a model is saved again, is
    loaded from a copy.
    """
    status = path.stat()
    file = status.st_dev, status.st_ino
    if _loaded.setdefault(str(path), file) == file:
        return ctypes.CDLL(str(path))
    with TemporaryDirectory(prefix="canao-") as directory:
        copy = Path(shutil.copy(path, directory))
        return ctypes.CDLL(str(copy))


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = _opened(path)
        library.canao_open.argtypes = (ctypes.c_int, _POINTERS)
        library.canao_run.argtypes = _RUN_ARGUMENTS
        library.canao_profile.argtypes = (*_RUN_ARGUMENTS, _DOUBLES)
        library.canao_message.argtypes = (ctypes.c_int,)
        library.canao_close.argtypes = (ctypes.c_void_p,)
    except (OSError, AttributeError) as error:
        raise ToolchainError(
            f"the compiled library {path} cannot be loaded ({error}); "
            "delete it and compile the model again"
        ) from error
    library.canao_close.restype = None
    library.canao_message.restype = ctypes.c_char_p
    return library
