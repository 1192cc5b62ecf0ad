"""Programs made ready to run on their target: as a library in C, or on an OpenCL device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from canao.building.cache import Cache
from canao.building.first_run import try_first_run
from canao.building.library import Library, build_library
from canao.building.toolchain import Compiler
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.foreign import ForeignModule
from canao.runtime.in_use import InUse
from canao.runtime.module import Array, NativeModule, Pointers


class Module(Protocol):
    """A program with its weights, ready to run; threads may call it at once and take turns."""

    threads: int
    weights: tuple[Array, ...]
    in_use: InUse

    def run(self, inputs: Pointers, outputs: Pointers) -> None:
        """Compute the outputs; the caller keeps all arrays alive meanwhile."""
        ...

    def bind(self, inputs: Pointers, outputs: Pointers) -> Callable[[], int]:
        """A call with all arguments made ready: what measuring times, within `in_use.call()`."""
        ...

    def profile(self, inputs: Pointers, outputs: Pointers) -> npt.NDArray[np.float64]:
        """Run once; seconds that each call of a kernel took."""
        ...

    @property
    def arena_bytes(self) -> int:
        """Size of the memory that intermediate tensors share."""
        ...

    def close(self) -> None:
        """Release what it holds, after the calls that run; later ones are refused."""
        ...


def build_program(
    program: Program,
    compiler: Compiler,
    target: Target,
    cache: Cache,
    examples: Sequence[Array],
    *,
    workers: int,
) -> Library:
    """What runs a program on its target, from the cache if it was built before.

    OpenCL programs run once on `examples`, the flat inputs, when they are built.
    """
    if target.device is None:
        return build_library(program.source, compiler, target, cache, workers=workers)
    from canao.building.opencl.binary import build_binary
    from canao.runtime.opencl.job import Job

    return build_binary(program.source, Job.of(program, target.device), cache, examples)


def try_program(
    library: Library, program: Program, target: Target, cache: Cache, examples: Sequence[Array]
) -> None:
    """Run new code once on examples in a child.

    OpenCL programs ran when they were built; what is for elsewhere cannot run here.
    """
    if program.launches is None and not target.is_foreign:
        try_first_run(library, program, cache, examples)


def open_program(
    program: Program, path: Path, weights: Sequence[Array], target: Target, threads: int
) -> Module:
    """The module of a built program; one that refuses to run if the program is for elsewhere."""
    if target.is_foreign:
        return ForeignModule(target.title, weights, program.arena_bytes, threads)
    if target.device is None:
        return NativeModule(path, weights, program.arena_bytes, threads, len(program.calls))
    from canao.runtime.opencl.job import Job
    from canao.runtime.opencl.module import OpenCLModule

    return OpenCLModule(Job.of(program, target.device), weights, path.read_bytes())
