"""The peak rate of the processor, measured: what kernels are compared with."""

from __future__ import annotations

import ctypes
import json

from canao.errors import ExecutionError
from canao.runtime.build import build_library
from canao.runtime.cache import Cache, digest
from canao.runtime.support import support_text
from canao.runtime.target import Target
from canao.runtime.toolchain import Compiler

_CHAINS = 12
_STEPS = 200_000
_ROUNDS = 25


def peak_gflops(compiler: Compiler, target: Target, cache: Cache, threads: int) -> float:
    """Single-precision GFLOP/s that `threads` threads reach with vectors of the target.

    Other work on the machine can only lower what is measured, so the highest
    rate ever seen here is kept in the cache and returned.
    """
    lanes = target.vector_unit.lanes_f32
    body = support_text("peak.h").replace('#include "pool.h"', support_text("pool.h"))
    library = build_library(f"#define CANAO_LANES {lanes}\n{body}", compiler, target, cache)
    key = digest("peak", library.key, str(threads))
    known = _parsed(cache.note(key))
    seconds = _measure(str(library.path), threads)
    peak = 2.0 * _CHAINS * lanes * _STEPS * threads / seconds / 1e9
    if peak > known:
        cache.set_note(key, json.dumps(peak))
    return max(peak, known)


def _measure(path: str, threads: int) -> float:
    function = ctypes.CDLL(path).canao_peak_seconds
    function.argtypes = (ctypes.c_int, ctypes.c_long, ctypes.c_int)
    function.restype = ctypes.c_double
    seconds: float = function(threads, _STEPS, _ROUNDS)
    if seconds <= 0:
        raise ExecutionError(
            f"{threads} threads could not be started; ask for fewer or raise the limit (ulimit -u)"
        )
    return seconds


def _parsed(note: str | None) -> float:
    """The number in a note; 0.0 if there is none."""
    try:
        return float(note or 0)
    except ValueError:
        return 0.0
