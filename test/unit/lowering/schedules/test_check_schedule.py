"""Schedules of real layers: those that the cost model chooses are proved, broken ones are not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from unit.strategies import Graph, graphs
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.ir.affine import AffineDimExpr, AffineMap
from xdsl.parser import Parser

from canao.dialects.canao import Canao, LayerOp, WeightOp
from canao.errors import IllegalScheduleError
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.check_schedule import describe, prove_schedule
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.form_stages import form_stages
from canao.lowering.stages.reads import shared_band
from canao.lowering.stages.stage import Stage
from canao.machine.processor import VectorUnit
from canao.machine.processors import vector_unit
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import OutlineWeightsPass

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)
UNITS = (vector_unit(()), vector_unit(("avx512f",)))
PASSES = (CanaoSimplifyPass(), LPFusionPass(), OutlineWeightsPass(), ExpandCompositesPass())

Layer = tuple[tuple[Stage, ...], Schedule]


def tasks(module: ModuleOp, unit: VectorUnit, threads: int) -> Iterator[LayerTask]:
    """Every layer of a module, ready to be scheduled."""
    for each in PASSES:
        each.apply(Context(), module)
    (main,) = (f for f in module.ops if isinstance(f, func.FuncOp) and f.sym_name.data == "main")
    for layer in main.body.block.ops:
        if isinstance(layer, LayerOp):
            constant = tuple(isinstance(v.owner, WeightOp) for v in layer.inputs)
            stages = form_stages(layer.body.block)
            yield LayerTask(layer, stages, constant, "", unit, threads)


def layers(module: ModuleOp, unit: VectorUnit, threads: int) -> Iterator[Layer]:
    """The stages of every layer of a module with the schedule that the model chooses."""
    for task in tasks(module, unit, threads):
        yield task.stages, choose_by_model(task)[0]


def parse(text: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, func.Func, Canao):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graphs())
@pytest.mark.parametrize(("unit", "threads"), [(UNITS[0], 1), (UNITS[1], 2)])
def test_chosen_schedules_are_legal(unit: VectorUnit, threads: int, graph: Graph):
    for stages, schedule in layers(graph.module, unit, threads):
        prove_schedule(stages, schedule, unit.lanes_f32)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_any_split_of_the_shared_band_is_legal_and_of_a_reduction_never(graph: Graph):
    lanes = UNITS[1].lanes_f32
    for stages, schedule in layers(graph.module, UNITS[1], 2):
        band = shared_band(stages)
        for points in (1, 3):
            prove_schedule(stages, replace(schedule, band=(points,) * band), lanes)
        if len(stages) == 1 and any(e > 1 for e in stages[0].extents[band:]):
            everything = replace(schedule, band=(1,) * len(stages[0].extents))
            with pytest.raises(IllegalScheduleError):
                prove_schedule(stages, everything, lanes)


# ------------------------------------------------------------- one layer by hand

ROWS, COLUMNS, TERMS = 6, 8, 20
SOFTMAX_OF_PRODUCT = f"""
func.func @main(%a: tensor<{ROWS}x{TERMS}xf32>) -> tensor<{ROWS}x{COLUMNS}xf32> {{
  %b = canao.weight "b" : tensor<{TERMS}x{COLUMNS}xf32>
  %p = canao.matmul %a, %b : (tensor<6x20xf32>, tensor<20x8xf32>) -> tensor<6x8xf32>
  %s = canao.softmax %p axis 1 : (tensor<6x8xf32>) -> tensor<6x8xf32>
  func.return %s : tensor<6x8xf32>
}}
"""


@pytest.fixture
def layer() -> Layer:
    """A product, the largest of each row, the sum of exponentials, and the quotients."""
    (found,) = layers(parse(SOFTMAX_OF_PRODUCT), UNITS[1], 2)
    return found


def test_the_proof_names_what_it_reorders(layer: Layer):
    stages, schedule = layer
    proof = prove_schedule(stages, schedule, 16)
    reductions = [stage for stage in stages if stage.anchor is not None]
    assert len(proof.reassociated) == len(reductions) >= 3


def test_swapped_stages(layer: Layer):
    stages, schedule = layer
    backwards = replace(schedule, stages=schedule.stages[::-1])
    message = r"is illegal: .*\[0, 0\] reads .*, which no statement has written before"
    with pytest.raises(IllegalScheduleError, match=message):
        prove_schedule(stages[::-1], backwards, 16, "kernel_0")


def test_band_over_the_columns_that_a_reduction_needs(layer: Layer):
    stages, schedule = layer
    whole = tuple(stage for stage in stages if stage.extents[1] == COLUMNS)
    assert len(whole) < len(stages)
    with pytest.raises(IllegalScheduleError, match="band dimension 1 of 4 points"):
        prove_schedule(stages, replace(schedule, band=(2, 4)), 16)


def test_band_over_a_reduced_dimension(layer: Layer):
    stages, schedule = layer
    product = replace(schedule, band=(2, 4, 5), stages=schedule.stages[:1])
    with pytest.raises(IllegalScheduleError, match=r"kernel_0 is .*: the reduction .* crosses"):
        prove_schedule(stages[:1], product, 16, "kernel_0")


def test_a_loop_order_that_misses_a_dimension(layer: Layer):
    stages, schedule = layer
    broken = (replace(schedule.stages[0], order=(0,)), *schedule.stages[1:])
    with pytest.raises(IllegalScheduleError, match="must name each of its 2"):
        prove_schedule(stages, replace(schedule, stages=broken), 16)


def test_an_access_out_of_bounds(layer: Layer):
    stages, schedule = layer
    last = stages[-1]
    shifted = AffineMap(2, 0, (AffineDimExpr(0) + 1, AffineDimExpr(1)))
    stages = (*stages[:-1], replace(last, target_map=shifted))
    with pytest.raises(IllegalScheduleError, match=r"leaves '.*' of shape \[6, 8\] by"):
        prove_schedule(stages, schedule, 16)


def test_no_isl_before_something_is_compiled():
    code = "import sys, canao.lowering.schedules.check_schedule; sys.exit('islpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# ------------------------------------------------------------------- Figure 4

FIGURE_4 = """
func.func @main(%in0: tensor<6x40xf32>, %in1: tensor<6x40xf32>,
                %in2: tensor<1x40xf32>, %in3: tensor<1x40xf32>) -> tensor<6x40xf32> {
  %mul1 = canao.mul %in0, %in1 : (tensor<6x40xf32>, tensor<6x40xf32>) -> tensor<6x40xf32>
  %mul2 = canao.mul %in2, %in3 : (tensor<1x40xf32>, tensor<1x40xf32>) -> tensor<1x40xf32>
  %out = canao.add %mul1, %mul2 : (tensor<6x40xf32>, tensor<1x40xf32>) -> tensor<6x40xf32>
  func.return %out : tensor<6x40xf32>
}
"""


def test_figure_4_recomputed_and_hoisted():
    ((stages, schedule),) = layers(parse(FIGURE_4), UNITS[0], 2)
    (inner,) = schedule.stages
    recomputed = replace(schedule, stages=(replace(inner, order=(0, 1), hoist=False),))
    hoisted = replace(schedule, stages=(replace(inner, order=(1, 0), hoist=True),))
    for chosen, statements in ((recomputed, 1), (hoisted, 2)):
        program, _ = describe(stages, chosen, 4)
        assert len(program.statements) == statements
        for band in ((), (2,), (2, 16)):
            proof = prove_schedule(stages, replace(chosen, band=band), 4)
            assert len(proof.dependences) == statements - 1
    again = replace(hoisted, stages=(replace(inner, order=(0, 1), hoist=True),))
    assert len(describe(stages, again, 4)[0].statements) == 1, "no loop is inside both"


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(graphs(most=5))
def test_variants_are_legal(graph: Graph):
    for task in tasks(graph.module, UNITS[0], 2):
        for schedule in variants(task, most=12):
            prove_schedule(task.stages, schedule, UNITS[0].lanes_f32)
