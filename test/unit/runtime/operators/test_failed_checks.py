"""Checks inside compiled code: a bad index is an error of Python, not a crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import canao
from canao.building.cache import Cache
from canao.building.library import build_library
from canao.building.toolchain import Compiler
from canao.errors import ExecutionError
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.memory import aligned
from canao.runtime.module import NativeModule, pointers

ROWS = 30522
LOOKUP = f"""
func.func @main(%table: tensor<{ROWS}x8xf32>, %ids: tensor<1x6xi64>) -> tensor<1x6x8xf32> {{
  %rows = canao.gather %table at %ids : (tensor<{ROWS}x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %twice = canao.add %rows, %rows : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  func.return %twice : tensor<1x6x8xf32>
}}"""


@pytest.mark.parametrize("threads", [1, 2])
def test_index_out_of_range(tmp_path: Path, threads: int) -> None:
    table = torch.randn(ROWS, 8)
    good = torch.tensor([[0, 1, 2, ROWS - 1, 5, 5]])
    model = canao.compile(LOOKUP, (table, good), tune="off", threads=threads, cache_dir=tmp_path)
    for bad in (ROWS, -1, -100, -ROWS, 2**62, -(2**63)):
        ids = good.clone()
        ids[0, 3] = bad
        expected = f"index out of range for a table of {ROWS} rows; .*correct the inputs"
        with pytest.raises(ExecutionError, match=expected):
            model(table, ids)
        torch.testing.assert_close(model(table, good), 2 * table[good])


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (1, "a check in the compiled model failed: x must not be empty"),
        (12, f"ended with error 12 \\({os.strerror(12)}\\)"),
    ],
)
def test_statuses(
    make_program: Callable[..., Program],
    compiler: Compiler,
    host: Target,
    cache: Cache,
    status: int,
    expected: str,
) -> None:
    program = make_program(f"if (arena) return {status};")
    library = build_library(program.source, compiler, host, cache)
    weights = [aligned(np.zeros(16, np.float32)) for _ in range(2)]
    module = NativeModule(library.path, weights, program.arena_bytes, 1, len(program.calls))
    nothing = pointers([0, 0])
    with pytest.raises(ExecutionError, match=expected):
        module.run(nothing, nothing)
    with pytest.raises(ExecutionError, match=expected):
        module.profile(nothing, nothing)
    module.close()
