"""The shapes that C is tested on, on an OpenCL device: as on a CPU, and as on a GPU.

As on a GPU means with groups of work-items that share tasks, on PoCL: slow there, and
right or wrong as anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.lowering.c_support import Array, parse
from unit.lowering.opencl_support import DeviceBuild, model_of
from unit.lowering.road import lower_in_levels
from unit.lowering.schedules.test_row_lanes import attention, inputs_of
from unit.lowering.schedules.test_strassen_winograd import dense
from unit.lowering.schedules.test_variants import DENSE, FIGURE_4, SOFTMAX, tasks_of
from unit.lowering.test_long_products import SHAPES, TERMS, numbers, product
from unit.lowering.test_sanitizers import MODEL
from unit.lowering.test_whole_road import SLOW, compare
from unit.strategies import Graph, graphs

from canao.errors import IllegalScheduleError
from canao.frontend.imported import parse_mlir
from canao.interpreters.canao import evaluate
from canao.lowering.choose.variants import variants
from canao.lowering.pipeline import Fusion, lower
from canao.lowering.schedules.check_schedule import prove_schedule
from canao.lowering.schedules.schedule import Group, Schedule
from canao.lowering.stages.stage import Stage
from canao.lowering.standalone import standalone_program
from canao.machine.opencl_device import DeviceKind
from canao.transforms.lp_fusion import fast_products

TARGETS = ("opencl", "gpu")


def check(
    text: str,
    target: str,
    inputs: Sequence[Array],
    weights: Mapping[str, Array],
    fusion: Fusion = True,
) -> str:
    """Compares a module on a device with the oracle; its text."""
    device = model_of(target)
    assert device is not None
    program = lower(parse(text), target_unit=device.unit, threads=2, fusion=fusion, device=device)
    expected = evaluate(parse(text), inputs, weights)
    compare(target, DeviceBuild(program).run(inputs, weights), expected)
    return program.source


def model_arguments() -> tuple[list[Array], dict[str, Array]]:
    """Inputs and weights of the small model, with padding."""
    shapes = {"table": (11, 19), "w": (19, 37), "b": (37,), "v": (37, 19), "s": (19,)}
    weights = {name: numbers(*shape, seed=n) for n, (name, shape) in enumerate(shapes.items())}
    ids = np.random.default_rng(5).integers(0, 11, (1, 13))
    return [ids, (np.arange(13) < 9).astype(np.int64).reshape(1, 13)], weights


@pytest.mark.parametrize("target", TARGETS)
def test_small_model(target: str) -> None:
    """An embedding lookup, attention with a mask, products with bias and GELU, a norm."""
    source = check(MODEL, target, *model_arguments())
    device = model_of(target)
    assert device is not None
    shared = device.kind is DeviceKind.gpu
    assert ("barrier(" in source) == shared
    assert ("__local float" in source) == shared


@pytest.mark.slow
def test_groups_with_little_local_memory() -> None:
    """What does not fit is in global memory, a part for each group."""
    device = model_of("gpu")
    assert device is not None
    small = replace(device, local_bytes=512)
    inputs, weights = model_arguments()
    program = lower(parse(MODEL), target_unit=small.unit, threads=2, device=small)
    assert "__global uchar *restrict const scratch" in program.source
    found = DeviceBuild(program).run(inputs, weights)
    compare("gpu", found, evaluate(parse(MODEL), inputs, weights))


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_small_model_unfused(target: str) -> None:
    check(MODEL, target, *model_arguments(), fusion=False)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("rows", "size"), [(1, 32), (7, 20), (37, 20), (128, 64), (129, 20)])
def test_attention(target: str, rows: int, size: int) -> None:
    text = attention(2, 2, rows, size)
    check(text, target, inputs_of(text, -np.inf if rows > 1 else -1e9), {})


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("terms", TERMS)
def test_long_products(target: str, terms: int) -> None:
    for n, (rows, columns) in enumerate(SHAPES[:3]):
        x, w = numbers(rows, terms, seed=n), numbers(terms, columns, seed=terms)
        weights = {"w": w, "b": numbers(columns, seed=3)}
        device = model_of(target)
        assert device is not None
        text = product(rows, terms, columns, norm=False)
        program = lower(parse(text), target_unit=device.unit, threads=2, device=device)
        (expected,) = evaluate(parse(text), [x], weights)
        (found,) = DeviceBuild(program).run([x], weights)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_strassen_winograd(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fast_products, "LEAST_GAIN", 0.0)
    graph = dense((1, 16), 30, 34)
    device = model_of(target)
    assert device is not None
    program = lower(
        graph.module.clone(), target_unit=device.unit, threads=2, fusion="fast", device=device
    )
    assert len(program.fast_products) == 1
    (expected,) = evaluate(graph.module, graph.inputs, graph.weights)
    (found,) = DeviceBuild(program).run(graph.inputs, graph.weights)
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("text", [FIGURE_4, DENSE, SOFTMAX], ids=["figure-4", "dense", "softmax"])
def test_all_variants_of_groups(text: str) -> None:
    device = model_of("gpu")
    assert device is not None
    (task,) = tasks_of(parse_mlir(text), "sse", threads=2, device=device)
    found = variants(task, most=8)
    assert len({schedule.name for schedule in found}) == len(found) >= 1
    inputs = [numbers(*s.shape, seed=1) for s in standalone_program(task, found[0]).inputs]
    weights = {"w": numbers(40, 50, seed=2), "b": numbers(50, seed=3)} if text is DENSE else {}
    numbered = {f"weight{n}": w for n, w in enumerate(weights.values(), start=1)}
    (expected,) = evaluate(parse_mlir(text), inputs, weights)
    for schedule in found:
        (mine,) = DeviceBuild(standalone_program(task, schedule)).run(inputs, numbered)
        np.testing.assert_allclose(mine, expected, rtol=1e-4, atol=1e-4, err_msg=schedule.name)


FEW_POINTS = """
func.func @main(%x: tensor<13x5x1xf32>) -> tensor<13x5x1xf32> {
  %t = canao.tanh %x : (tensor<13x5x1xf32>) -> tensor<13x5x1xf32>
  %s = canao.softmax %t axis 2 masked_rows_to_zero : (tensor<13x5x1xf32>) -> tensor<13x5x1xf32>
  func.return %s : tensor<13x5x1xf32>
}"""
FEW_ROWS = """
func.func @main(%x: tensor<13x49x9xf32>, %i: tensor<3xi64>) -> tensor<3x49x9xf32> {
  %r = canao.gather %x at %i : (tensor<13x49x9xf32>, tensor<3xi64>) -> tensor<3x49x9xf32>
  func.return %r : tensor<3x49x9xf32>
}"""


@pytest.mark.parametrize("text", [FEW_POINTS, FEW_ROWS], ids=["points", "rows"])
def test_items_without_work_store_nothing(text: str) -> None:
    """Tasks have fewer points than a group has items."""
    x = numbers(13, 5, 1, seed=0) if text is FEW_POINTS else numbers(13, 49, 9, seed=0)
    inputs = [x] if text is FEW_POINTS else [x, np.array([12, 12, 3])]
    check(text, "gpu", inputs, {})


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs(), fusion=st.booleans())
def test_random_graphs_in_groups(graph: Graph, fusion: bool) -> None:
    road = lower_in_levels(
        graph.module, fusion=fusion, threads=2, unit="sse", loops=False, device=model_of("gpu")
    )
    expected = evaluate(graph.module, graph.inputs, graph.weights)
    compare("gpu", DeviceBuild(road.program).run(graph.inputs, graph.weights), expected)


@settings(max_examples=10, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(graph=graphs(), fusion=st.booleans())
def test_loops_of_groups_mean_the_same(graph: Graph, fusion: bool) -> None:
    """Interpreted: the items of a group one after another, and in the opposite order."""
    road = lower_in_levels(
        graph.module, fusion=fusion, threads=2, unit="sse", device=model_of("gpu")
    )
    expected = evaluate(graph.module, graph.inputs, graph.weights)
    for level in road.levels:
        compare(level.name, level.evaluate(graph.inputs, graph.weights), expected)


# ---------------------------------------------------------------- schedules


Changes = dict[str, tuple[int, ...]]


def softmax_schedule(changes: Changes) -> tuple[tuple[Stage, ...], Schedule]:
    device = model_of("gpu")
    (task,) = tasks_of(parse_mlir(SOFTMAX), "sse", threads=2, device=device)
    (schedule, *_) = variants(task)
    group = schedule.group
    assert group is not None
    split_k, k_tile = changes.get("split_k", group.split_k), changes.get("k_tile", group.k_tile)
    return task.stages, replace(schedule, group=Group(group.items, split_k, k_tile))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"split_k": (1,)}, "shares 1 stages"),
        ({"split_k": (7, 1, 1, 1)}, "cannot share stage 0: 7 items a reduction of 19 terms"),
        ({"split_k": (1, 19, 1, 1)}, "cannot share stage 1: 19 items a reduction of 0 terms"),
        ({"k_tile": (99, 0, 0, 0)}, "99 terms in local memory"),
    ],
)
def test_groups_that_make_no_sense(changes: Changes, what: str) -> None:
    stages, schedule = softmax_schedule(changes)
    with pytest.raises(IllegalScheduleError, match=what):
        prove_schedule(stages, schedule, 4)


def test_groups_as_text() -> None:
    _, schedule = softmax_schedule({"split_k": (19, 1, 1, 1)})
    device = model_of("gpu")
    assert device is not None
    assert schedule.name.endswith(f"/g{min(256, device.most_items)}w0.19")
    assert Schedule.from_json(schedule.to_json()) == schedule
