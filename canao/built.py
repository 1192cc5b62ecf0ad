"""How the code of a compiled model was made: for which target, by which compiler, where it is."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canao.building.cache import Cache
from canao.building.ready import build_program
from canao.building.toolchain import compiler_for, find_compiler
from canao.errors import CacheError, DeviceError, ExecutionError, ToolchainError
from canao.machine.target import Target
from canao.measuring.peak import Peaks, measured_peaks
from canao.program import Program
from canao.runtime.module import Array
from canao.tuning.choose_threads import ThreadChoice


@dataclass(frozen=True)
class Build:
    """Where code came from and where it can run."""

    target: Target
    compiler: str
    """The version line of the compiler that made it."""
    library: Path
    cc: str | None = None
    """The compiler that the user named."""
    cache_dir: str | os.PathLike[str] | None = None
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Time of each stage of compiling."""
    ir: Mapping[str, str] = field(default_factory=dict[str, str])
    """The text of the module after each stage."""
    threads: ThreadChoice | None = None
    """How the number of threads was chosen; None for a number that was given to `load`."""

    def library_for(self, program: Program, examples: Sequence[Array]) -> Path:
        """The library of the program, made again if it was pruned from the cache since.

        `examples` are the flat inputs that it is tried on.
        """
        if self.library.is_file():
            return self.library
        compiler, cache = compiler_for(self.target, self.cc), Cache(self.cache_dir)
        return build_program(program, compiler, self.target, cache, examples, workers=1).path

    def peaks(self, threads: int) -> Peaks:
        """The rates that the processor reaches at best.

        Unknown where no compiler can tell, and of another machine.
        """
        if self.target.is_foreign:
            return Peaks()
        cache = Cache(self.cache_dir)
        try:
            if self.target.device is not None:
                from canao.measuring.opencl_peak import device_peaks

                return device_peaks(self.target.device, cache)
            return measured_peaks(find_compiler(self.cc), self.target, cache, threads)
        except (ToolchainError, CacheError, DeviceError, ExecutionError):
            return Peaks()
