"""Measured on this machine, or an OpenCL device of it: libraries that a child process loads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from canao.building.cache import Cache
from canao.building.library import build_library
from canao.building.opencl.binary import store_source
from canao.building.toolchain import Compiler
from canao.machine.target import Target
from canao.measuring.quiet import QuietProbe
from canao.program import Program
from canao.tuning.places.place import Identity
from canao.tuning.race import OnResult
from canao.tuning.runner import TIME_LIMIT, Entry, RunnerProcess, run_entries


class Here:
    """See `canao.tuning.places.place.Place`."""

    def __init__(
        self, compiler: Compiler, target: Target, cache: Cache, time_limit: float = TIME_LIMIT
    ) -> None:
        self.compiler = compiler
        self.target = target
        self.cache = cache
        self._time_limit = time_limit
        self._process = RunnerProcess(cache)

    def identity(self) -> Identity:
        """See `Place`: code for a narrower processor is measured on this one."""
        device = self.target.device
        if device is not None:
            return Identity(f"opencl {device.platform}", device.name)
        return Identity(self.target.triple, Target.host().cpu)

    def build(self, program: Program) -> Path:
        """See `Place`: of OpenCL the text, which the child builds itself."""
        if self.target.device is None:
            return build_library(program.source, self.compiler, self.target, self.cache).path
        return store_source(program.source, self.cache).path

    def get_ready(self) -> None:
        """See `Place`."""
        self._process.start()

    @cached_property
    def _probe(self) -> QuietProbe | None:
        """What tells when the processor runs something else too; a device has none."""
        if self.target.device is not None:
            return None
        return QuietProbe.of(self.compiler, self.target, self.cache)

    def measure(
        self,
        entries: Sequence[Entry],
        on_result: OnResult,
        *,
        best: tuple[Entry, float] | None = None,
        reference: Entry | None = None,
    ) -> None:
        """See `Place`."""
        run_entries(
            entries,
            self._process,
            on_result,
            best=best,
            reference=reference,
            probe=self._probe,
            time_limit=self._time_limit,
        )

    def close(self) -> None:
        """See `Place`."""
        self._process.close()
