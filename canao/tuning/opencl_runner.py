"""An OpenCL program that is measured: the time of its kernels, copies left aside."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from canao.runtime.module import Array, Pointers
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule


class OpenCLRunner:
    """A program built once, with several copies of its weights."""

    def __init__(self, job: Job, source: str, sets: Sequence[Sequence[Array]]) -> None:
        first = OpenCLModule(job, sets[0], source=source)
        self._modules = [first, *(OpenCLModule(job, s, like=first) for s in sets[1:])]
        for module in self._modules:
            # the numbers of a measurement are no inputs of the model: a check may fail
            module.reports_checks = False
        self._nanoseconds = 0

    def run(self, inputs: Pointers, outputs: Pointers) -> None:
        """Compute the outputs."""
        self._modules[0].run(inputs, outputs)

    def clock(self) -> int:
        """Nanoseconds in which kernels ran so far."""
        return self._nanoseconds

    def calls(self, inputs: Pointers, outputs: Pointers) -> list[Callable[[], int]]:
        """A call for each copy of the weights; each advances the clock."""

        def timed(module: OpenCLModule) -> Callable[[], int]:
            def call() -> int:
                seconds = float(module.profile(inputs, outputs).sum())
                self._nanoseconds += max(1, round(1e9 * seconds))
                return 0

            return call

        return [timed(module) for module in self._modules]

    def close(self) -> None:
        """Release the memory of the device."""
        for module in self._modules:
            module.close()
