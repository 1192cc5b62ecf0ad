"""Modules taken down the whole road, by the loops' interpreter or as compiled C."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from unit.lowering.c_support import CC, Array
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from canao.interpreters.canao import evaluate
from canao.interpreters.loops import run_lowered
from canao.lowering.approximate_math import ApproximateMathPass
from canao.lowering.lower_canao_to_affine import LowerCanaoToAffinePass
from canao.lowering.plan_memory import PlanMemoryPass
from canao.lowering.program import Program
from canao.runtime.memory import aligned
from canao.runtime.weights import prepare_weights
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import OutlineWeightsPass

UNITS = {"avx512": ("avx512f",), "avx2": ("avx2", "fma"), "sse": ("sse2",)}
"""Processor features by the name of the vector unit; any compiler takes vectors of any width."""

_NUMBERS = count()

# -O1: compiling takes most of the time of these tests.
FLAGS = ("-O1", "-march=native", "-std=gnu11", "-pthread", "-w")


def fuse(module: ModuleOp, *, fusion: bool) -> None:
    """Groups a simplified module into layers."""
    LPFusionPass(fuse=fusion).apply(Context(), module)
    module.verify()


def interpret(
    module: ModuleOp,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    features: tuple[str, ...],
    threads: int,
) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """The outputs of a fused module after lowering, and after all passes, flat."""
    ctx = Context()
    for step in (
        OutlineWeightsPass(),
        ExpandCompositesPass(),
        LowerCanaoToAffinePass(threads, features),
    ):
        step.apply(ctx, module)
        module.verify()
    prepared = evaluate(module, [], weights, function="prepare")
    lowered = run_lowered(module, inputs, prepared)
    for step in (ApproximateMathPass(), PlanMemoryPass()):
        step.apply(ctx, module)
        module.verify()
    return lowered, run_lowered(module, inputs, prepared, backwards=True)


def run_compiled(
    directory: Path, program: Program, inputs: Sequence[Array], weights: Mapping[str, Array]
) -> list[Array]:
    """Compiles the C of a program and runs it twice; both runs must agree."""
    assert CC is not None
    # a path that was loaded before would give the old library
    source, library = directory / "unit.c", directory / f"unit{next(_NUMBERS)}.so"
    source.write_text(program.source, encoding="utf-8")
    command = [CC, *FLAGS, "-fPIC", "-shared", "-o", str(library), str(source), "-lm"]
    subprocess.run(command, check=True, capture_output=True)
    loaded = ctypes.CDLL(str(library))
    loaded.canao_close.argtypes = (ctypes.c_void_p,)
    prepared = prepare_weights(program, weights)
    given = [np.ascontiguousarray(a) for a in inputs]
    arena = aligned(np.zeros(max(1, program.arena_bytes), np.uint8))
    handle = ctypes.c_void_p()
    assert loaded.canao_open(program.threads, ctypes.byref(handle)) == 0
    runs: list[list[Array]] = []
    for _ in range(2):
        outputs = [np.zeros(spec.shape, spec.dtype) for spec in program.outputs]
        arguments = [_pointers(arrays) for arrays in (given, prepared, outputs)]
        status = loaded.canao_run(handle, *arguments, ctypes.c_void_p(arena.ctypes.data))
        assert status == 0
        runs.append(outputs)
    loaded.canao_close(handle)
    library.unlink()
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)
    return runs[0]


def _pointers(arrays: Sequence[Array]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(a.ctypes.data for a in arrays))
