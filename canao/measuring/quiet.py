"""Whether a processor's cores run something else beside what is measured.

A core that two threads share, another machine's among them, issues about half as
many instructions for each. Instructions that do nothing tell: their rate depends on
the clock and on who shares the core, and on nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from canao.building.cache import Cache
from canao.building.toolchain import Compiler
from canao.machine.target import Target
from canao.measuring.peak import CHAIN_OPERATIONS, find_probe

_BLOCKS = 300
"""Some 20 us of a core."""
_ROUNDS = 2
_STEPS = 10_000_000
"""Some 30 ms, as long as an inference of a small model."""
_SHARED = 0.8
"""A core whose rate is below this part of the best known one is shared. Clocks move by less,
and another thread takes nearly half."""


def best_issue_rate(compiler: Compiler, target: Target, cache: Cache) -> float:
    """The highest rate of instructions of a core ever seen here, in 10^9 a second."""
    probe = find_probe(compiler, target, cache)
    instructions = 1e3 * _BLOCKS
    return probe.best("issue", 1, lambda: instructions / probe.seconds("issue", 1, _BLOCKS))


@dataclass
class QuietProbe:
    """Asks whether cores are quiet; `best` is the rate of a quiet one, in 10^9 a second.

    It rises with what is seen.
    """

    library: Path
    best: float
    lanes: int
    """Numbers in a vector of its multiply-adds."""
    _issue: Callable[[int, int, int], float] = field(init=False, repr=False)
    _peak: Callable[[int, int, int], float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        library = ctypes.CDLL(str(self.library))
        self._issue, self._peak = library.canao_issue_seconds, library.canao_peak_seconds
        for function in (self._issue, self._peak):
            function.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
            function.restype = ctypes.c_double

    @staticmethod
    def of(compiler: Compiler, target: Target, cache: Cache) -> QuietProbe:
        """The probe of this machine."""
        library = find_probe(compiler, target, cache).path
        best = best_issue_rate(compiler, target, cache)
        return QuietProbe(library, best, target.vector_unit.lanes_f32)

    def is_quiet(self, threads: int = 1) -> bool:
        """Whether the cores on which so many threads of this process run are its own."""
        seconds = self._issue(threads, _BLOCKS, _ROUNDS)
        if seconds <= 0:
            return False
        rate = _BLOCKS / seconds / 1e6
        self.best = max(self.best, rate)
        return rate >= _SHARED * self.best

    def gflops(self, threads: int, cores: int | None = None) -> float:
        """The rate of `peak_gflops` as the machine is now; nothing is kept.

        With `cores` the threads run on the first so many of those that this process may use.
        """
        operations = CHAIN_OPERATIONS * self.lanes * _STEPS * threads
        with _only_on(_usable_cores()[:cores]):
            return operations / self._peak(threads, _STEPS, 1) / 1e9

    def are_quiet(self, cores: int | None = None) -> bool:
        """Whether cores are this process's own: all that it may use, or the first so many."""
        usable = _usable_cores()[:cores]
        return all(map(self._is_quiet_on, usable)) if usable else self.is_quiet()

    def _is_quiet_on(self, cpu: int) -> bool:
        with _only_on([cpu]):
            return self.is_quiet()


def _usable_cores() -> list[int]:
    """The numbers of the processors that this process may use; none where it cannot be asked."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_setaffinity") else []


@contextlib.contextmanager
def _only_on(cpus: Sequence[int]) -> Generator[None]:
    """Keeps this process to some processors for a while; none stands for those it may use."""
    before = _usable_cores()
    if not cpus or cpus == before:
        yield
        return
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, before)
