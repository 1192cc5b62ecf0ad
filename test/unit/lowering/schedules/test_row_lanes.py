"""Row-lane layers: attention with the rows of its scores in vectors, and layers that cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.lowering.c_support import Array
from unit.lowering.road import UNITS, interpret, run_compiled
from xdsl.context import Context
from xdsl.dialects.builtin import VectorType, f32
from xdsl.dialects.func import FuncOp
from xdsl.ir import Block, SSAValue

from canao.dialects.canao import LayerOp
from canao.dialects.canao.types import shape_of
from canao.errors import IllegalScheduleError
from canao.frontend.imported import parse_mlir
from canao.interpreters.canao import evaluate
from canao.interpreters.loop_arithmetic import FUNCTIONS
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.variants import variants
from canao.lowering.emit.transposed_tile import transpose_vectors
from canao.lowering.schedules.check_schedule import prove_schedule
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.form_stages import form_stages
from canao.lowering.stages.row_lanes import RowLanes
from canao.lowering.standalone import standalone_program
from canao.machine.processors import vector_unit
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import OutlineWeightsPass

LOWEST = float(np.finfo(np.float32).min)


def attention(batch: int, heads: int, rows: int, size: int, bias: str = "") -> str:
    """Q, K and V side by side in one input, and a mask for each key."""
    width = heads * size
    joined = f"tensor<{batch}x{rows}x{3 * width}xf32>"
    flat = f"tensor<{batch}x{rows}x{width}xf32>"
    split = f"tensor<{batch}x{rows}x{heads}x{size}xf32>"
    by_head = f"tensor<{batch}x{heads}x{rows}x{size}xf32>"
    turned = f"tensor<{batch}x{heads}x{size}x{rows}xf32>"
    scores = f"tensor<{batch}x{heads}x{rows}x{rows}xf32>"
    masks = bias or f"{batch}x1x1x{rows}"
    lines: list[str] = []
    for n, (name, order, kind) in enumerate(
        (("q", "0, 2, 1, 3", by_head), ("k", "0, 2, 3, 1", turned), ("v", "0, 2, 1, 3", by_head))
    ):
        lines += [
            f"%{name}0 = canao.slice %x starts [0, 0, {n * width}] steps [1, 1, 1]"
            f" : ({joined}) -> {flat}",
            f"%{name}1 = canao.reshape %{name}0 : ({flat}) -> {split}",
            f"%{name} = canao.transpose %{name}1 [{order}] : ({split}) -> {kind}",
        ]
    body = "\n  ".join(lines)
    return f"""
func.func @main(%x: {joined}, %m: tensor<{masks}xf32>) -> {flat} {{
  {body}
  %s = canao.matmul %q, %k : ({by_head}, {turned}) -> {scores}
  %a = canao.add %s, %m : ({scores}, tensor<{masks}xf32>) -> {scores}
  %p = canao.softmax %a axis 3 : ({scores}) -> {scores}
  %o = canao.matmul %p, %v : ({scores}, {by_head}) -> {by_head}
  %t = canao.transpose %o [0, 2, 1, 3] : ({by_head}) -> {split}
  %r = canao.reshape %t : ({split}) -> {flat}
  func.return %r : {flat}
}}
"""


def inputs_of(text: str, masked: float = LOWEST) -> list[Array]:
    """Random inputs; the last keys of the last batch are masked, and all keys of the first."""
    rng = np.random.default_rng(0)
    (main,) = parse_mlir(text).ops
    assert isinstance(main, FuncOp)
    x = rng.standard_normal(shape_of(main.args[0])).astype(np.float32)
    mask = np.zeros(shape_of(main.args[1]), np.float32)
    mask[-1, ..., mask.shape[-1] // 2 + 1 :] = masked
    if len(mask) > 1:
        mask[0] = masked
    return [x, mask]


def task_of(text: str, unit: str, threads: int = 1) -> LayerTask:
    module = parse_mlir(text)
    for step in (LPFusionPass(), OutlineWeightsPass(), ExpandCompositesPass()):
        step.apply(Context(), module)
    (layer,) = (op for op in module.walk() if isinstance(op, LayerOp))
    stages = form_stages(layer.body.block)
    return LayerTask(layer, stages, (False, False), "", vector_unit(UNITS[unit]), threads)


def check(text: str, unit: str, threads: int, directory: Path, masked: float = LOWEST) -> None:
    inputs = inputs_of(text, masked)
    expected = evaluate(parse_mlir(text), inputs, {})
    task = task_of(text, unit, threads)
    for schedule in variants(task, most=2):
        found = run_compiled(directory, standalone_program(task, schedule), inputs, {})
        np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("batch", "rows", "size", "unit", "masked"),
    [
        (1, 1, 32, "avx512", LOWEST),
        (2, 7, 20, "sse", -np.inf),
        (2, 37, 20, "avx512", -np.inf),
        (1, 127, 32, "avx2", LOWEST),
        (1, 128, 64, "avx512", LOWEST),
        (2, 129, 20, "sse", LOWEST),
    ],
)
def test_attention(
    batch: int, rows: int, size: int, unit: str, masked: float, tmp_path: Path
) -> None:
    check(attention(batch, 2, rows, size), unit, 1 + rows % 2, tmp_path, masked)


@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
@given(
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    rows=st.integers(1, 21),
    size=st.integers(1, 9),
    unit=st.sampled_from(sorted(UNITS)),
)
def test_interpreted(batch: int, heads: int, rows: int, size: int, unit: str) -> None:
    text = attention(batch, heads, rows, size)
    inputs = inputs_of(text)
    module = parse_mlir(text)
    (expected,) = evaluate(module, inputs, {})
    LPFusionPass().apply(Context(), module)
    for found in interpret(module, inputs, {}, UNITS[unit], threads=1):
        np.testing.assert_allclose(found[0].reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------ schedules


def test_rows_are_in_vectors_and_only_copies_are_turned() -> None:
    task = task_of(attention(1, 2, 128, 64), "avx512")
    row_lanes = RowLanes.of(task.stages)
    assert row_lanes is not None
    assert row_lanes.lane == 2
    schedule, _ = choose_by_model(task)
    turned = [s for s in schedule.stages if s.across is not None]
    assert [(s.vector, s.across) for s in turned] == [(3, 2), (2, 3)]
    assert all(s.vector == 2 for s in schedule.stages if s.across is None)
    assert schedule.band == (1, 1, 64)


@pytest.mark.parametrize(("rows", "block"), [(16, 16), (128, 64), (256, 64), (512, 64)])
def test_blocks_of_rows_are_whole(rows: int, block: int) -> None:
    task = task_of(attention(1, 2, rows, 32), "avx512")
    assert choose_by_model(task)[0].band == (1, 1, block)


@pytest.mark.parametrize(
    "text",
    [attention(1, 2, 1, 32), attention(1, 2, 32, 16, bias="1x2x32x32")],
    ids=["one row", "bias along rows"],
)
def test_columns_in_vectors(text: str, tmp_path: Path) -> None:
    assert RowLanes.of(task_of(text, "avx512").stages) is None
    check(text, "avx512", 1, tmp_path)


@pytest.fixture
def layer() -> tuple[LayerTask, Schedule]:
    task = task_of(attention(1, 2, 32, 16), "avx512")
    return task, choose_by_model(task)[0]


def refused(task: LayerTask, schedule: Schedule, message: str) -> None:
    with pytest.raises(IllegalScheduleError, match=message):
        prove_schedule(task.stages, schedule, task.unit.lanes_f32)


def test_layout_that_is_no_order(layer: tuple[LayerTask, Schedule]) -> None:
    task, schedule = layer
    first, *others = schedule.stages
    wrong = replace(schedule, stages=(replace(first, layout=(0, 1, 2, 2)), *others))
    refused(task, wrong, r"the layout \(0, 1, 2, 2\) of stage 0 must name each of the 4 dimensions")


def test_layout_of_what_leaves_the_layer(layer: tuple[LayerTask, Schedule]) -> None:
    task, schedule = layer
    *others, last = schedule.stages
    refused(task, replace(schedule, stages=(*others, replace(last, layout=(0, 2, 1)))), "not leave")


def test_exponentials_overwrite_the_scores(layer: tuple[LayerTask, Schedule]) -> None:
    _, schedule = layer
    assert [s.onto for s in schedule.stages] == [None, None, None, 1, None, None, None]


@pytest.mark.parametrize(
    ("onto", "message"),
    [
        (0, "stage 3 cannot store in the buffer of stage 0"),
        (3, "stage 3 cannot store in the buffer of stage 3"),
        (6, "stage 3 cannot store in the buffer of stage 6"),
    ],
)
def test_buffers_of_other_values(
    layer: tuple[LayerTask, Schedule], onto: int, message: str
) -> None:
    task, schedule = layer
    stages = [*schedule.stages]
    stages[3] = replace(stages[3], onto=onto)
    refused(task, replace(schedule, stages=tuple(stages)), message)


def test_what_is_read_later_is_not_overwritten() -> None:
    """Scores over the queries that other scores still need."""
    task = task_of(attention(1, 2, 16, 16), "avx512")
    schedule, _ = choose_by_model(task)
    stages = [*schedule.stages]
    stages[1] = replace(stages[1], onto=0)
    message = "anti dependence matmul_1 -> matmul_1 on .* backwards"
    refused(task, replace(schedule, stages=tuple(stages)), message)


def test_reductions_are_not_transposed(layer: tuple[LayerTask, Schedule]) -> None:
    task, schedule = layer
    first, product, *others = schedule.stages
    wrong = replace(schedule, stages=(first, replace(product, across=3), *others))
    refused(task, wrong, "matmul_1 cannot transpose tiles of dimensions 2 and 3")


def test_schedule_as_text(layer: tuple[LayerTask, Schedule]) -> None:
    _, schedule = layer
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert "v3t2" in schedule.name


# --------------------------------------------------------------------- squares


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_transpose(size: int) -> None:
    square = np.arange(size * size, dtype=np.float32).reshape(size, size)
    block = Block(arg_types=[VectorType(f32, [size])] * size)
    values: dict[SSAValue, Array] = {}
    values.update(zip(block.args, square, strict=True))
    columns = transpose_vectors(block, block.args)
    for op in block.ops:
        values[op.results[0]] = FUNCTIONS[type(op)](op)(*(values[v] for v in op.operands))
    np.testing.assert_array_equal([values[v] for v in columns], square.T)


def test_units_have_lanes_for_squares() -> None:
    for features in UNITS.values():
        lanes = vector_unit(features).lanes_f32
        assert lanes & (lanes - 1) == 0
