"""Weights and what lies between layers as halves, on an OpenCL device and in the interpreter.

Storing a number as a half changes it by `HALF` of its size at most; the bounds
here follow from that. Everything else is float32, whose rounding they leave room for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from unit.lowering.c_support import Array, parse
from unit.lowering.opencl_support import DeviceBuild, model_of
from unit.lowering.road import lower_in_levels
from unit.lowering.schedules.test_opencl_shapes import model_arguments
from unit.lowering.test_long_products import numbers
from unit.lowering.test_sanitizers import MODEL
from unit.lowering.test_whole_road import ON_DEVICE, SLOW
from unit.strategies import Graph, graphs
from xdsl.context import Context
from xdsl.dialects.builtin import ArrayAttr, ModuleOp, f16, f32, f64
from xdsl.ir import Attribute

from canao.dialects.canao import LayerOp
from canao.errors import CanaoError, InputFileError, VerificationError
from canao.frontend.imported import parse_mlir
from canao.interpreters.canao import evaluate
from canao.lowering.lower_canao_to_affine import ModuleLowering
from canao.lowering.pipeline import lower
from canao.machine.opencl_device import DeviceKind
from canao.program import Program
from canao.storage_types import STORAGE_TYPES
from canao.transforms.narrow_storage import NarrowStoragePass, storage_of

TARGETS = ("opencl", "gpu")
HALF = 2.0**-11
"""Half a unit in the last place of a half, over the number."""
ROUNDING = 1e-5
"""What float32 arithmetic may differ by, over the sum of the absolute terms."""


def lowered(text: str, target: str, dtype: str = "float16", *, fusion: bool = True) -> Program:
    device = model_of(target)
    assert device is not None
    return lower(
        parse(text), target_unit=device.unit, threads=2, fusion=fusion, device=device, dtype=dtype
    )


def run(
    text: str, target: str, inputs: Sequence[Array], weights: Mapping[str, Array]
) -> tuple[Program, list[Array]]:
    program = lowered(text, target)
    return program, DeviceBuild(program).run(inputs, weights)


# ------------------------------------------------------------------ products

TWO_PRODUCTS = """
func.func @main(%x: tensor<{rows}x{terms}xf32>) -> tensor<{rows}x{columns}xf32> {{
  %w = canao.weight "w" : tensor<{terms}x{middle}xf32>
  %b = canao.weight "b" : tensor<{middle}xf32>
  %v = canao.weight "v" : tensor<{middle}x{columns}xf32>
  %h = canao.matmul %x, %w : (tensor<{rows}x{terms}xf32>, tensor<{terms}x{middle}xf32>)
    -> tensor<{rows}x{middle}xf32>
  %k = canao.add %h, %b : (tensor<{rows}x{middle}xf32>, tensor<{middle}xf32>)
    -> tensor<{rows}x{middle}xf32>
  %a = canao.abs %k : (tensor<{rows}x{middle}xf32>) -> tensor<{rows}x{middle}xf32>
  %y = canao.matmul %a, %v : (tensor<{rows}x{middle}xf32>, tensor<{middle}x{columns}xf32>)
    -> tensor<{rows}x{columns}xf32>
  func.return %y : tensor<{rows}x{columns}xf32>
}}"""


def two_products(rows: int, terms: int, middle: int, columns: int) -> str:
    return TWO_PRODUCTS.format(rows=rows, terms=terms, middle=middle, columns=columns)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "shape", [(5, 19, 13, 7), pytest.param((33, 300, 64, 9), marks=pytest.mark.slow)], ids=str
)
def test_products_within_what_halves_allow(target: str, shape: tuple[int, ...]) -> None:
    rows, terms, middle, columns = shape
    x, b = numbers(rows, terms, seed=0), numbers(middle, seed=3)
    w, v = numbers(terms, middle, seed=1), numbers(middle, columns, seed=2)
    program, (found,) = run(two_products(*shape), target, [x], {"w": w, "b": b, "v": v})
    h = np.abs(x.astype(np.float64) @ w + b)
    exact = h @ v
    # w, b and v are rounded before they are used, h is when it is stored.
    of_terms = np.abs(x) @ np.abs(w) + np.abs(b)
    error_of_h = HALF * of_terms + HALF * h
    bound = error_of_h @ np.abs(v) + HALF * (h @ np.abs(v))
    bound = 1.01 * bound + ROUNDING * (of_terms @ np.abs(v))
    assert (np.abs(found.reshape(exact.shape) - exact) <= bound).all()
    assert [w.dtype for w in program.weights] == ["float16"] * 3
    assert [(s.dtype, s.bytes) for s in program.inputs] == [("float32", 4 * x.size)]
    assert program.outputs[0].dtype == "float32"
    assert program.dtype == "float16"
    shared = model_of(target)
    assert shared is not None
    between = -(-2 * rows * middle // shared.alignment) * shared.alignment
    scratch = program.arena_bytes - between
    assert scratch >= 0
    assert scratch == 0 or "scratch" in program.source


@pytest.mark.parametrize("target", TARGETS)
def test_sums_stay_float32(target: str) -> None:
    """Parts of a long sum cancel: had they been halves, little would be left of the small term."""
    terms = 700
    w = np.zeros((terms, 16), np.float32)
    w[0], w[-1], w[terms // 2] = 2048, -2048, 0.375
    x = np.ones((8, terms), np.float32)
    weights = {"w": w, "b": np.zeros(16, np.float32), "v": np.eye(16, dtype=np.float32)}
    program, (found,) = run(two_products(8, terms, 16, 16), target, [x], weights)
    np.testing.assert_array_equal(found, np.full_like(found, 0.375))
    device = model_of(target)
    assert device is not None
    blocks = "m0." if device.kind is DeviceKind.gpu else "k"
    assert any(blocks in kernel.variant for kernel in program.kernels)
    assert "__private float" in program.source


# --------------------------------------------------------------------- range

BEYOND = """
func.func @main(%x: tensor<6xf32>) -> tensor<6xf32> {
  %w = canao.weight "w" : tensor<6xf32>
  %p = canao.mul %x, %w : (tensor<6xf32>, tensor<6xf32>) -> tensor<6xf32>
  %y = canao.neg %p : (tensor<6xf32>) -> tensor<6xf32>
  func.return %y : tensor<6xf32>
}"""


@pytest.mark.parametrize("target", TARGETS)
def test_numbers_beyond_the_range(target: str) -> None:
    """They become the largest half, as masks of attention do; what is no number stays so."""
    x = np.array([3.0e38, -np.inf, np.nan, 1.0e-9, 1.0, 65519.0], np.float32)
    w = np.array([1.0, 1.0, 1.0, 1.0, 1.0e20, 1.0], np.float32)
    program = lowered(BEYOND, target, fusion=False)
    assert len(program.kernels) == 2
    (found,) = DeviceBuild(program).run([x], {"w": w})
    largest = np.float32(STORAGE_TYPES["float16"].largest)
    stored = np.array([largest, -largest, np.nan, 0, largest, largest], np.float32)
    np.testing.assert_array_equal(found, -stored)


# -------------------------------------------------------------------- models


@pytest.mark.parametrize("target", ["opencl", pytest.param("gpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("fusion", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_small_model(target: str, fusion: bool) -> None:
    """An embedding lookup, attention with a mask, products with bias and GELU, a norm.

    A number that is stored some ten times on its way, weights included, and never
    loses digits, is within ten times `HALF` of the largest.
    """
    inputs, weights = model_arguments()
    (expected,) = evaluate(parse(MODEL), inputs, weights)
    program = lowered(MODEL, target, fusion=fusion)
    (found,) = DeviceBuild(program).run(inputs, weights)
    difference = np.abs(found.reshape(expected.shape) - expected).max()
    assert 0 < difference <= 10 * HALF * np.abs(expected).max()
    plain = lowered(MODEL, target, "float32", fusion=fusion)
    assert [2 * w.bytes for w in program.weights] == [w.bytes for w in plain.weights]
    pairs = list(zip(program.kernels, plain.kernels, strict=True))
    # Without fusion some compute masks alone, of which nothing is a float32.
    assert all(a.bytes <= b.bytes for a, b in pairs)
    assert any(a.bytes < b.bytes for a, b in pairs)


def check_graph(graph: Graph, *, fusion: bool, unit: str, target: str = "opencl") -> None:
    """The device and the interpreter round to halves at the same places.

    Where float32 rounding tips a half over, its neighbour is 2 * HALF away, and what
    follows may magnify that tenfold.
    """
    road = lower_in_levels(
        graph.module,
        fusion=fusion,
        threads=2,
        unit=unit,
        device=model_of(target),
        dtype="float16",
    )
    found = DeviceBuild(road.program).run(graph.inputs, graph.weights)
    for level in road.levels[-2:]:
        for a, b in zip(found, level.evaluate(graph.inputs, graph.weights), strict=True):
            scale = max(1.0, float(np.abs(b).max(initial=0)))
            np.testing.assert_allclose(
                a.reshape(b.shape), b, rtol=20 * HALF, atol=20 * HALF * scale
            )


@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_random_graphs(graph: Graph, fusion: bool, unit: str) -> None:
    check_graph(graph, fusion=fusion, unit=unit)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_many_random_graphs(graph: Graph, fusion: bool, unit: str) -> None:
    check_graph(graph, fusion=fusion, unit=unit)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs())
def test_random_graphs_in_groups(graph: Graph) -> None:
    check_graph(graph, fusion=True, unit="sse", target="gpu")


# -------------------------------------------------------------------- errors


LAYERS = """
func.func @main(%x: tensor<6xf32>) -> tensor<6xf32> {
  %s = canao.layer(%a = %x) : (tensor<6xf32>) -> tensor<6xf32> {
    %p = canao.exp %a : (tensor<6xf32>) -> tensor<6xf32>
    canao.yield %p : tensor<6xf32>
  }
  %y = canao.layer(%c = %s) : (tensor<6xf32>) -> tensor<6xf32> {
    %n = canao.neg %c : (tensor<6xf32>) -> tensor<6xf32>
    canao.yield %n : tensor<6xf32>
  }
  func.return %y : tensor<6xf32>
}"""


def marked(text: str, first: Sequence[Attribute], second: Sequence[Attribute]) -> ModuleOp:
    """The layers of a module with these notes of what lies in memory as which type."""
    module = parse(text)
    layers = [op for op in module.walk() if isinstance(op, LayerOp)]
    for layer, elements in zip(layers, (first, second), strict=True):
        layer.attributes["canao.storage"] = ArrayAttr(elements)
    return module


@pytest.mark.parametrize(
    ("text", "first", "second", "message"),
    [
        (LAYERS, (f32, f16), (f32, f32), "as f32 for one canao.layer and as f16 for another"),
        (LAYERS, (f32,), (f32, f32), "must have a type for each of its 2 inputs and results"),
        (LAYERS, (f32, f64), (f32, f32), "has f64 for a value of f32; only f32 may"),
        (
            LAYERS.replace("f32", "f64"),
            (f64, f16),
            (f16, f64),
            "has f16 for a value of f64; only f32 may",
        ),
    ],
)
def test_notes_that_make_no_sense(
    text: str, first: Sequence[Attribute], second: Sequence[Attribute], message: str
) -> None:
    device = model_of("opencl")
    assert device is not None
    with pytest.raises(VerificationError, match=message):
        ModuleLowering(device.unit, 1, device=device).run(marked(text, first, second))


def test_only_float32_is_narrowed() -> None:
    for text, own, kept in ((LAYERS, f32, f16), (LAYERS.replace("f32", "f64"), f64, f64)):
        module = parse(text)
        NarrowStoragePass("float16").apply(Context(), module)
        layers = [op for op in module.walk() if isinstance(op, LayerOp)]
        assert [storage_of(layer) for layer in layers] == [(own, kept), (kept, own)]


def test_a_type_that_memory_does_not_have() -> None:
    with pytest.raises(CanaoError, match="'float8' is no type of memory; choose one of float16"):
        NarrowStoragePass("float8").apply(Context(), parse(LAYERS))


def test_models_are_written_in_float32() -> None:
    with pytest.raises(InputFileError, match=r"value of type tensor<6xf16>.*dtype=\"float16\""):
        parse_mlir(BEYOND.replace("f32", "f16"))
