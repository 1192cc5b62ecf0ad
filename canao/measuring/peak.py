"""What the processor reaches at best, measured: what kernels are compared with."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from canao.building.cache import Cache, digest
from canao.building.library import build_library
from canao.building.support import support_text
from canao.building.toolchain import Compiler
from canao.errors import ExecutionError
from canao.machine.target import Target

CHAIN_OPERATIONS = 2 * 12
"""Floating-point operations of a step of the probe, for each lane of a vector."""
_STEPS = 200_000
_STREAM_BYTES = 128 << 20
"""More than the caches of most processors hold."""
_ROUNDS = 25


@dataclass(frozen=True)
class Peaks:
    """The best rates of some number of threads; 0.0 where they are not known."""

    gflops: float = 0.0
    """Single-precision multiply-adds in registers, in GFLOP/s."""
    bandwidth: float = 0.0
    """Reading more memory than the caches hold, in order, in GB/s."""


def measured_peaks(compiler: Compiler, target: Target, cache: Cache, threads: int) -> Peaks:
    """Both rates that `threads` threads reach together."""
    return Peaks(
        peak_gflops(compiler, target, cache, threads),
        read_bandwidth(compiler, target, cache, threads),
    )


def peak_gflops(compiler: Compiler, target: Target, cache: Cache, threads: int) -> float:
    """Single-precision GFLOP/s that `threads` threads reach with vectors of the target.

    Other work on the machine can only lower what is measured, so the highest
    rate ever seen here is kept in the cache and returned.
    """
    operations = CHAIN_OPERATIONS * target.vector_unit.lanes_f32 * _STEPS * threads
    probe = find_probe(compiler, target, cache)
    return probe.best("peak", threads, lambda: operations / probe.seconds("peak", threads, _STEPS))


def read_bandwidth(compiler: Compiler, target: Target, cache: Cache, threads: int) -> float:
    """GB/s at which `threads` threads together read memory in order; kept like the peak."""
    probe = find_probe(compiler, target, cache)
    return probe.best(
        "stream", threads, lambda: _STREAM_BYTES / probe.seconds("stream", threads, _STREAM_BYTES)
    )


@dataclass(frozen=True)
class Probe:
    """The library that measures, and where its best results are kept."""

    path: Path
    key: str
    cache: Cache

    def best(self, name: str, threads: int, measure: Callable[[], float]) -> float:
        """The highest rate ever seen, in 10^9 a second."""
        key = digest(name, self.key, str(threads))
        known = _parsed(self.cache.note(key))
        found = measure() / 1e9
        if found > known:
            self.cache.set_note(key, json.dumps(found))
        return max(found, known)

    def seconds(self, name: str, threads: int, size: int, rounds: int = _ROUNDS) -> float:
        """The best time of so many runs."""
        function = getattr(ctypes.CDLL(str(self.path)), f"canao_{name}_seconds")
        function.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
        function.restype = ctypes.c_double
        seconds: float = function(threads, size, rounds)
        if seconds <= 0:
            raise ExecutionError(
                f"{threads} threads could not be started, or {_STREAM_BYTES >> 20} MiB of memory "
                "are not free; ask for fewer threads, raise the limit (ulimit -u) or free memory"
            )
        return seconds


def find_probe(compiler: Compiler, target: Target, cache: Cache) -> Probe:
    """The library that measures rates with vectors of a target, built once."""
    lanes = target.vector_unit.lanes_f32
    body = support_text("peak.h").replace('#include "pool.h"', support_text("pool.h"))
    library = build_library(f"#define CANAO_LANES {lanes}\n{body}", compiler, target, cache)
    return Probe(library.path, library.key, cache)


def _parsed(note: str | None) -> float:
    """The number in a note; 0.0 if there is none."""
    try:
        return float(note or 0)
    except ValueError:
        return 0.0
