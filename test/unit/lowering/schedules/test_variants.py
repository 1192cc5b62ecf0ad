"""Every variant of a layer computes the same: those of the paper's Figure 4, and others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.lowering.c_support import Array
from unit.lowering.opencl_support import model_of
from unit.lowering.road import UNITS, run_compiled
from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp

from canao.frontend.imported import parse_mlir
from canao.interpreters.canao import evaluate
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.variants import variants
from canao.lowering.lower_canao_to_affine import ModuleLowering
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import standalone_program
from canao.machine.opencl_device import DeviceModel
from canao.machine.processors import vector_unit
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import OutlineWeightsPass

FIGURE_4 = """
func.func @main(%a: tensor<33x50xf32>, %b: tensor<33x50xf32>, %c: tensor<1x50xf32>,
                %d: tensor<1x50xf32>) -> tensor<33x50xf32> {
  %0 = canao.mul %a, %b : (tensor<33x50xf32>, tensor<33x50xf32>) -> tensor<33x50xf32>
  %1 = canao.mul %c, %d : (tensor<1x50xf32>, tensor<1x50xf32>) -> tensor<1x50xf32>
  %2 = canao.add %0, %1 : (tensor<33x50xf32>, tensor<1x50xf32>) -> tensor<33x50xf32>
  func.return %2 : tensor<33x50xf32>
}
"""

DENSE = """
func.func @main(%x: tensor<1x37x40xf32>) -> tensor<1x37x50xf32> {
  %w = canao.weight "w" : tensor<40x50xf32>
  %b = canao.weight "b" : tensor<50xf32>
  %0 = canao.matmul %x, %w : (tensor<1x37x40xf32>, tensor<40x50xf32>) -> tensor<1x37x50xf32>
  %1 = canao.add %0, %b : (tensor<1x37x50xf32>, tensor<50xf32>) -> tensor<1x37x50xf32>
  %2 = canao.gelu %1 approximate "none" : (tensor<1x37x50xf32>) -> tensor<1x37x50xf32>
  func.return %2 : tensor<1x37x50xf32>
}
"""

SOFTMAX = """
func.func @main(%x: tensor<3x17x19xf32>, %m: tensor<1x1x19xf32>) -> tensor<3x17x19xf32> {
  %0 = canao.add %x, %m : (tensor<3x17x19xf32>, tensor<1x1x19xf32>) -> tensor<3x17x19xf32>
  %1 = canao.softmax %0 axis 2 : (tensor<3x17x19xf32>) -> tensor<3x17x19xf32>
  func.return %1 : tensor<3x17x19xf32>
}
"""


def tasks_of(
    module: ModuleOp, unit: str, threads: int, device: DeviceModel | None = None
) -> list[LayerTask]:
    """The distinct layers of a module, as a chooser sees them."""
    ctx = Context()
    for step in (LPFusionPass(), OutlineWeightsPass(), ExpandCompositesPass()):
        step.apply(ctx, module)
    seen: list[LayerTask] = []

    def chooser(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        seen.append(task)
        return choose_by_model(task)

    ModuleLowering(vector_unit(UNITS[unit]), threads, chooser, device=device).run(module)
    return seen


@pytest.mark.parametrize(("unit", "target"), [*((unit, "c") for unit in UNITS), ("avx2", "opencl")])
@pytest.mark.parametrize("text", [FIGURE_4, DENSE, SOFTMAX], ids=["figure-4", "dense", "softmax"])
def test_all_variants_agree(text: str, unit: str, target: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    module = parse_mlir(text)
    (task,) = tasks_of(parse_mlir(text), unit, threads=2, device=model_of(target))
    candidates = variants(task, most=8)
    assert len({schedule.name for schedule in candidates}) == len(candidates) > 1
    inputs = [
        rng.standard_normal(spec.shape).astype(spec.dtype)
        for spec in standalone_program(task, candidates[0]).inputs
    ]
    weights: dict[str, Array] = {
        "w": rng.standard_normal((40, 50)).astype(np.float32),
        "b": rng.standard_normal(50).astype(np.float32),
    }
    (expected,) = evaluate(module, inputs, weights if text is DENSE else {})
    numbered = {
        f"weight{n}": weights[name]
        for n, name in enumerate(("x", "w", "b"))
        if text is DENSE and name in weights
    }
    for schedule in candidates:
        program = standalone_program(task, schedule)
        (found,) = run_compiled(tmp_path, program, inputs, numbered)
        np.testing.assert_allclose(
            found, expected, rtol=1e-4, atol=1e-4, err_msg=f"variant {schedule.name}"
        )


def test_figure_4_is_offered_both_ways() -> None:
    """`fuse_add` recomputes in row order, `fuse_add'` hoists with the loops permuted."""
    (task,) = tasks_of(parse_mlir(FIGURE_4), "avx2", threads=1)
    kinds = {(s.stages[0].order, s.stages[0].hoist) for s in variants(task)}
    assert ((0, 1), False) in kinds
    assert ((1, 0), True) in kinds
