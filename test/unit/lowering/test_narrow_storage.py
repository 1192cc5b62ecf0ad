"""Weights and what lies between layers in fewer bits, on OpenCL devices and in the interpreter.

Storing a number changes it by `ERROR` of its size at most; the bounds here follow from
that. Everything else is float32, whose rounding they leave room for.
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
ERROR = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
"""Half a unit in the last place, over the number, by what is stored."""
DTYPES = tuple(ERROR)
ROUNDING = 1e-5
"""What float32 arithmetic may differ by, over the sum of the absolute terms."""


def lowered(text: str, target: str, dtype: str, *, fusion: bool = True) -> Program:
    device = model_of(target)
    assert device is not None
    return lower(
        parse(text), target_unit=device.unit, threads=2, fusion=fusion, device=device, dtype=dtype
    )


def run(
    text: str, target: str, dtype: str, inputs: Sequence[Array], weights: Mapping[str, Array]
) -> tuple[Program, list[Array]]:
    program = lowered(text, target, dtype)
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    "shape", [(5, 19, 13, 7), pytest.param((33, 300, 64, 9), marks=pytest.mark.slow)], ids=str
)
def test_products_within_what_storage_allows(
    target: str, dtype: str, shape: tuple[int, ...]
) -> None:
    rows, terms, middle, columns = shape
    x, b = numbers(rows, terms, seed=0), numbers(middle, seed=3)
    w, v = numbers(terms, middle, seed=1), numbers(middle, columns, seed=2)
    program, (found,) = run(two_products(*shape), target, dtype, [x], {"w": w, "b": b, "v": v})
    h = np.abs(x.astype(np.float64) @ w + b)
    exact = h @ v
    # w, b and v are rounded before they are used, h is when it is stored.
    of_terms = np.abs(x) @ np.abs(w) + np.abs(b)
    error = ERROR[dtype]
    error_of_h = error * of_terms + error * h
    bound = error_of_h @ np.abs(v) + error * (h @ np.abs(v))
    bound = 1.02 * bound + ROUNDING * (of_terms @ np.abs(v))
    assert (np.abs(found.reshape(exact.shape) - exact) <= bound).all()
    assert [w.dtype for w in program.weights] == [dtype] * 3
    assert [(s.dtype, s.bytes) for s in program.inputs] == [("float32", 4 * x.size)]
    assert program.outputs[0].dtype == "float32"
    assert program.dtype == dtype
    shared = model_of(target)
    assert shared is not None
    between = -(-2 * rows * middle // shared.alignment) * shared.alignment
    scratch = program.arena_bytes - between
    assert scratch >= 0
    assert scratch == 0 or "scratch" in program.source


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_sums_stay_float32(target: str, dtype: str) -> None:
    """Parts of a long sum cancel: had they been rounded, little would be left of the small term."""
    terms = 700
    w = np.zeros((terms, 16), np.float32)
    w[0], w[-1], w[terms // 2] = 2048, -2048, 0.375
    x = np.ones((8, terms), np.float32)
    weights = {"w": w, "b": np.zeros(16, np.float32), "v": np.eye(16, dtype=np.float32)}
    program, (found,) = run(two_products(8, terms, 16, 16), target, dtype, [x], weights)
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


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("target", TARGETS)
def test_numbers_beyond_the_range(target: str, dtype: str) -> None:
    """They become the largest, as masks of attention do; what is no number stays so."""
    largest = np.float32(STORAGE_TYPES[dtype].largest)
    no_number = np.array([0x7FFFFFFF, 0xFFFFFFFF], np.uint32).view(np.float32)
    x = np.array([-np.inf, np.nan, 1.0, 3.4e38, -3.4e38, *no_number], np.float32)
    w = np.array([1.0, 1.0, largest, 1.0, 1.0, 1.0, 1.0], np.float32)
    program = lowered(BEYOND.replace("tensor<6", "tensor<7"), target, dtype, fusion=False)
    assert len(program.kernels) == 2
    (found,) = DeviceBuild(program).run([x], {"w": w})
    stored = [-largest, np.nan, largest, largest, -largest, np.nan, np.nan]
    np.testing.assert_array_equal(found, -np.array(stored, np.float32))


@pytest.mark.parametrize("target", TARGETS)
def test_bfloat16_is_rounded_to_the_nearest(target: str) -> None:
    """Ties go to the even one, and what is rounded up past a power of two is that."""
    bits = np.array([0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001, 0x3FFFFFFF, 0xBF808000])
    x = bits.astype(np.uint32).view(np.float32)
    program = lowered(BEYOND, target, "bfloat16", fusion=False)
    (found,) = DeviceBuild(program).run([x], {"w": np.ones(6, np.float32)})
    nearest = np.array([0x3F80, 0x3F82, 0x3F80, 0x3F81, 0x4000, 0xBF80], np.uint32) << 16
    np.testing.assert_array_equal((-found).view(np.uint32), nearest)


# -------------------------------------------------------------------- models


@pytest.mark.parametrize("target", ["opencl", pytest.param("gpu", marks=pytest.mark.slow)])
@pytest.mark.parametrize("fusion", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_small_model(target: str, fusion: bool, dtype: str) -> None:
    """An embedding lookup, attention with a mask, products with bias and GELU, a norm.

    A number that is stored some ten times on its way, weights included, and never
    loses digits, is within ten times `ERROR` of the largest.
    """
    inputs, weights = model_arguments()
    (expected,) = evaluate(parse(MODEL), inputs, weights)
    program = lowered(MODEL, target, dtype, fusion=fusion)
    (found,) = DeviceBuild(program).run(inputs, weights)
    difference = np.abs(found.reshape(expected.shape) - expected).max()
    assert 0 < difference <= 10 * ERROR[dtype] * np.abs(expected).max()
    plain = lowered(MODEL, target, "float32", fusion=fusion)
    assert [2 * w.bytes for w in program.weights] == [w.bytes for w in plain.weights]
    pairs = list(zip(program.kernels, plain.kernels, strict=True))
    # Without fusion some compute masks alone, of which nothing is a float32.
    assert all(a.bytes <= b.bytes for a, b in pairs)
    assert any(a.bytes < b.bytes for a, b in pairs)


def check_graph(
    graph: Graph, dtype: str, *, fusion: bool, unit: str, target: str = "opencl"
) -> None:
    """The device and the interpreter round at the same places.

    Where float32 rounding tips a stored number over, its neighbour is 2 * ERROR away, and what
    follows may magnify that tenfold.
    """
    road = lower_in_levels(
        graph.module,
        fusion=fusion,
        threads=2,
        unit=unit,
        device=model_of(target),
        dtype=dtype,
    )
    found = DeviceBuild(road.program).run(graph.inputs, graph.weights)
    for level in road.levels[-2:]:
        for a, b in zip(found, level.evaluate(graph.inputs, graph.weights), strict=True):
            scale = max(1.0, float(np.abs(b).max(initial=0)))
            np.testing.assert_allclose(
                a.reshape(b.shape), b, rtol=20 * ERROR[dtype], atol=20 * ERROR[dtype] * scale
            )


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_random_graphs(dtype: str, graph: Graph, fusion: bool, unit: str) -> None:
    check_graph(graph, dtype, fusion=fusion, unit=unit)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=75, deadline=None, suppress_health_check=SLOW)
@given(**ON_DEVICE)
def test_many_random_graphs(dtype: str, graph: Graph, fusion: bool, unit: str) -> None:
    check_graph(graph, dtype, fusion=fusion, unit=unit)


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=50, deadline=None, suppress_health_check=SLOW)
@given(graph=graphs())
def test_random_graphs_in_groups(dtype: str, graph: Graph) -> None:
    check_graph(graph, dtype, fusion=True, unit="sse", target="gpu")


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
