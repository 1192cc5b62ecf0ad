"""Modules taken down the whole road, level by level and as compiled C."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
from unit.lowering.c_support import CC, Array
from unit.lowering.opencl_support import DeviceBuild
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, StringAttr

from canao.interpreters.canao import evaluate
from canao.interpreters.loops import run_lowered
from canao.lowering.approximate_math import ApproximateMathPass
from canao.lowering.lower_canao_to_affine import LowerCanaoToAffinePass
from canao.lowering.pipeline import lower
from canao.lowering.plan_memory import PlanMemoryPass
from canao.machine.opencl_device import DeviceModel
from canao.machine.processors import vector_unit
from canao.program import Program
from canao.runtime.memory import aligned
from canao.runtime.weights import prepare_weights
from canao.transforms.collapse_rows import CollapseRowsPass
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import WEIGHT_NAMES, OutlineWeightsPass

UNITS = {"avx512": ("avx512f",), "avx2": ("avx2", "fma"), "sse": ("sse2",)}
"""Processor features by the name of the vector unit; any compiler takes vectors of any width."""

_NUMBERS = count()

# -O1: compiling takes most of the time of these tests.
FLAGS = ("-O1", "-march=native", "-std=gnu11", "-pthread", "-w")

LOOPS = (LowerCanaoToAffinePass.name, PlanMemoryPass.name)
"""Passes after which loops are interpreted: as lowered, and after the last pass."""


@dataclass
class Level:
    """The module after a pass."""

    name: str
    module: ModuleOp

    def evaluate(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> tuple[Array, ...]:
        """The outputs, flat. Once memory is planned, tasks run in the opposite order."""
        functions = {f.sym_name.data: f for f in self.module.ops if isinstance(f, func.FuncOp)}
        if "prepare" not in functions:
            return evaluate(self.module, inputs, weights)
        prepared = evaluate(self.module, [], weights, function="prepare")
        if self.name in LOOPS:
            backwards = self.name == PlanMemoryPass.name
            return run_lowered(self.module, inputs, prepared, backwards=backwards)
        names = functions["prepare"].attributes[WEIGHT_NAMES]
        assert isinstance(names, ArrayAttr)
        known = [name.data for name in names if isinstance(name, StringAttr)]
        return evaluate(self.module, inputs, dict(zip(known, prepared, strict=True)))


@dataclass
class Road:
    """A module's program, and the module as passes of the pipeline left it."""

    program: Program
    levels: list[Level]


def lower_in_levels(
    module: ModuleOp,
    *,
    fusion: bool,
    threads: int,
    unit: str,
    loops: bool = True,
    device: DeviceModel | None = None,
    dtype: str = "float32",
) -> Road:
    """Lowers a module as `canao.compile` does and verifies it after every pass.

    Levels are the passes on tensors and, with `loops`, those that end in loops.
    """
    levels: list[Level] = []
    lowered = False

    def keep(name: str, now: ModuleOp) -> None:
        nonlocal lowered
        now.verify()
        lowered = lowered or name in LOOPS
        if not lowered or (loops and name in LOOPS):
            levels.append(Level(name, now.clone()))

    program = lower(
        module.clone(),
        target_unit=vector_unit(UNITS[unit]),
        threads=threads,
        fusion=fusion,
        device=device,
        dtype=dtype,
        on_pass=keep,
    )
    return Road(program, levels)


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
    tensors = (OutlineWeightsPass(), ExpandCompositesPass(), CollapseRowsPass())
    loops = (LowerCanaoToAffinePass(threads, features), ApproximateMathPass(), PlanMemoryPass())
    found: dict[str, tuple[Array, ...]] = {}
    for step in (*tensors, *loops):
        step.apply(ctx, module)
        module.verify()
        if step.name in LOOPS:
            found[step.name] = Level(step.name, module).evaluate(inputs, weights)
    lowered, planned = (found[name] for name in LOOPS)
    return lowered, planned


class Build:
    """The C of a program while a compiler works on it, in a process of its own."""

    def __init__(self, directory: Path, program: Program, flags: Sequence[str] = FLAGS) -> None:
        assert CC is not None
        self.program = program
        number = next(_NUMBERS)
        # a path that was loaded before would give the old library
        source, self.library = directory / f"unit{number}.c", directory / f"unit{number}.so"
        source.write_text(program.source, encoding="utf-8")
        command = [CC, *flags, "-fPIC", "-shared", "-o", str(self.library), str(source), "-lm"]
        self.compiler = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    def finish(self) -> None:
        """Waits for the compiler, which must take the code."""
        _, said = self.compiler.communicate()
        assert self.compiler.returncode == 0, said

    def run(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """Waits for the compiler and runs the code twice; both runs must agree."""
        self.finish()
        program, loaded = self.program, ctypes.CDLL(str(self.library))
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
        self.library.unlink()
        for first, second in zip(*runs, strict=True):
            np.testing.assert_array_equal(first, second)
        return runs[0]


def run_compiled(
    directory: Path, program: Program, inputs: Sequence[Array], weights: Mapping[str, Array]
) -> list[Array]:
    """Builds a program and runs it twice; both runs must agree."""
    return build(directory, program).run(inputs, weights)


def build(directory: Path, program: Program) -> Build | DeviceBuild:
    """A program on its way to running, by its language."""
    return Build(directory, program) if program.launches is None else DeviceBuild(program)


def _pointers(arrays: Sequence[Array]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * max(1, len(arrays)))(*(a.ctypes.data for a in arrays))
