"""Compiles printed C and runs it on numpy arrays."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from xdsl.context import Context
from xdsl.dialects import affine, arith, builtin, cf, func, math, memref, scf, vector
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from canao.dialects.canao import Canao
from canao.dialects.canao_vector import CanaoVector
from canao.lowering.c.print_c import CUnit, print_c

Array = npt.NDArray[Any]

_DIALECTS = (
    affine.Affine,
    arith.Arith,
    builtin.Builtin,
    cf.Cf,
    func.Func,
    math.Math,
    memref.MemRef,
    scf.Scf,
    vector.Vector,
    Canao,
    CanaoVector,
)
_FLAGS = (
    "-std=gnu11",
    "-O3",
    "-march=native",
    "-fno-math-errno",
    "-fPIC",
    "-shared",
    "-pthread",
    "-Wall",
    "-Wextra",
    "-Werror",
)
CC = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


def parse(text: str) -> ModuleOp:
    """A module from its text. It is not verified: xDSL's arith has no masks."""
    context = Context()
    for dialect in _DIALECTS:
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


def parallel(bounds: Sequence[int], body: str) -> str:
    """An `affine.parallel` from 0 over `bounds` with induction variables %p0, %p1 ..."""
    rank = len(bounds)
    zeros, ends = ", ".join(["0"] * rank), ", ".join(map(str, bounds))
    ones, steps = ", ".join(["1"] * rank), ", ".join(["1 : i64"] * rank)
    arguments = ", ".join(f"%p{i}: index" for i in range(rank))
    groups = f"dense<[{ones}]> : vector<{rank}xi32>"
    return f"""
    "affine.parallel"() <{{lowerBoundsMap = affine_map<() -> ({zeros})>,
      lowerBoundsGroups = {groups}, upperBoundsMap = affine_map<() -> ({ends})>,
      upperBoundsGroups = {groups}, steps = [{steps}], reductions = []}}> ({{
    ^bb0({arguments}):
      {body}
      affine.yield
    }}) : () -> ()"""


def program(inputs: Sequence[str], outputs: Sequence[str], body: str, functions: str = "") -> str:
    """A module with one kernel over buffers %a0, %a1 ... (inputs) and %o0 ... (outputs)."""
    names = [f"%a{i}" for i in range(len(inputs))] + [f"%o{i}" for i in range(len(outputs))]
    types = [f"memref<{t}>" for t in (*inputs, *outputs)]
    parameters = ", ".join(f"{n}: {t}" for n, t in zip(names, types, strict=True))
    return f"""
{functions}
func.func private @kernel({parameters}) attributes {{canao.kernel}} {{
{body}
  func.return
}}
func.func @main({parameters}) attributes {{canao.inputs = {len(inputs)} : i64,
    canao.weights = 0 : i64, canao.outputs = {len(outputs)} : i64}} {{
  func.call @kernel({", ".join(names)}) : ({", ".join(types)}) -> ()
  func.return
}}"""


@dataclass
class Compiled:
    """A loaded unit."""

    unit: CUnit
    library: ctypes.CDLL

    def run(
        self,
        inputs: Sequence[Array],
        outputs: Sequence[Array],
        *,
        weights: Sequence[Array] = (),
        threads: int = 1,
        seconds: Array | None = None,
    ) -> int:
        """Runs once on fresh threads; the status of `canao_run`."""
        handle = ctypes.c_void_p()
        assert self.library.canao_open(threads, ctypes.byref(handle)) == 0
        size = self.unit.arena_bytes
        room = np.zeros(size + 64, np.uint8)
        arena = room[-room.ctypes.data % 64 :]
        arguments = [handle, *(_pointers(a) for a in (inputs, weights, outputs))]
        arguments.append(ctypes.c_void_p(arena.ctypes.data))
        try:
            if seconds is None:
                return self.library.canao_run(*arguments)
            times = ctypes.c_void_p(seconds.ctypes.data)
            return self.library.canao_profile(*arguments, times)
        finally:
            self.library.canao_close(handle)

    def message(self, status: int) -> str | None:
        """What a status means."""
        function = self.library.canao_message
        function.restype = ctypes.c_char_p
        text = function(status)
        return None if text is None else text.decode()


def _pointers(arrays: Sequence[Array]) -> Any:
    assert all(array.flags.c_contiguous for array in arrays)
    return (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))


def compile_c(directory: Path, text: str, threads: int = 1, *, verify: bool = False) -> Compiled:
    """Prints, compiles without a warning, and loads."""
    assert CC is not None
    module = parse(text)
    if verify:
        module.verify()
    unit = print_c(module, threads)
    source, library = directory / "unit.c", directory / "unit.so"
    source.write_text(unit.source, encoding="utf-8")
    command = [CC, *_FLAGS, "-o", str(library), str(source), "-lm"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    loaded = ctypes.CDLL(str(library))
    loaded.canao_close.argtypes = (ctypes.c_void_p,)
    return Compiled(unit, loaded)
