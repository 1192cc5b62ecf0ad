from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from unit.strategies import Graph, graphs
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin, ModuleOp
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from canao.dialects.canao import Canao, ConstantOp
from canao.errors import ShapeMismatchError, VerificationError
from canao.interpreters import numerics
from canao.interpreters.canao import evaluate, evaluate_op

Array = npt.NDArray[Any]


def parse(text: str) -> ModuleOp:
    context = Context()
    for dialect in (Builtin, Func, Canao):
        context.load_dialect(dialect)
    return Parser(context, text).parse_module()


def run(signature: str, *lines: str, inputs: tuple[Array, ...] = (), **kwargs: Any) -> Array:
    """Runs the lines in a function of the given signature that returns %r."""
    result = signature.split("->")[1].strip()
    body = "\n".join(lines)
    module = parse(f"func.func @main{signature} {{ {body}\n func.return %r : {result} }}")
    module.verify()
    weights = kwargs.pop("weights", {})
    (value,) = evaluate(module, inputs, weights, **kwargs)
    return value


def floats(*numbers: float) -> Array:
    return np.array(numbers, np.float32)


def test_erf_is_exact_to_double_precision():
    points = np.linspace(-7, 7, 20_001)
    wanted = np.array([math.erf(x) for x in points])
    assert np.abs(numerics.erf(points) - wanted).max() < 1e-15
    ends = numerics.erf(np.array([np.inf, -np.inf, np.nan, -0.0]))
    np.testing.assert_array_equal(ends, [1, -1, np.nan, -0.0])


def test_integers_divide_towards_zero():
    a, b = np.array([-7, 7, -7, 7, 6]), np.array([2, -2, -2, 2, 3])
    assert numerics.divide(a, b).tolist() == [-3, -3, 3, 3, 2]


def test_integer_powers():
    a, b = np.array([2, -1, 1, -1, 5]), np.array([-1, -3, -2, -2, 3])
    assert numerics.power(a, b).tolist() == [0, -1, 1, 1, 125]


@pytest.mark.parametrize(
    ("op", "wanted"),
    [
        ("canao.abs", [0.25, 2.0]),
        ("canao.neg", [0.25, -2.0]),
        ("canao.exp", [math.exp(-0.25), math.exp(2)]),
        ("canao.tanh", [math.tanh(-0.25), math.tanh(2)]),
        ("canao.erf", [math.erf(-0.25), math.erf(2)]),
        ("canao.sigmoid", [1 / (1 + math.exp(0.25)), 1 / (1 + math.exp(-2))]),
        ("canao.reciprocal", [-4.0, 0.5]),
        ("canao.sqrt", [math.nan, math.sqrt(2)]),
        ("canao.rsqrt", [math.nan, math.sqrt(0.5)]),
        ("canao.log", [math.nan, math.log(2)]),
        ("canao.sin", [math.sin(-0.25), math.sin(2)]),
        ("canao.cos", [math.cos(-0.25), math.cos(2)]),
        ("canao.tan", [math.tan(-0.25), math.tan(2)]),
        ("canao.acos", [math.acos(-0.25), math.nan]),
        ("canao.asin", [math.asin(-0.25), math.nan]),
        ("canao.atan", [math.atan(-0.25), math.atan(2)]),
        ("canao.sinh", [math.sinh(-0.25), math.sinh(2)]),
        ("canao.cosh", [math.cosh(-0.25), math.cosh(2)]),
        ("canao.asinh", [math.asinh(-0.25), math.asinh(2)]),
        ("canao.acosh", [math.nan, math.acosh(2)]),
        ("canao.atanh", [math.atanh(-0.25), math.nan]),
        ("canao.exp2", [2**-0.25, 4.0]),
        ("canao.expm1", [math.expm1(-0.25), math.expm1(2)]),
        ("canao.log1p", [math.log1p(-0.25), math.log1p(2)]),
        ("canao.log2", [math.nan, 1.0]),
        ("canao.log10", [math.nan, math.log10(2)]),
    ],
)
def test_unary(op: str, wanted: list[float]):
    result = run(
        "(%a: tensor<2xf32>) -> tensor<2xf32>",
        f"%r = {op} %a : (tensor<2xf32>) -> tensor<2xf32>",
        inputs=(floats(-0.25, 2.0),),
    )
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, wanted, rtol=1e-6)


def test_casts():
    numbers = floats(0.0, -0.5, 1.9, -1.9)
    to_int = run(
        "(%a: tensor<4xf32>) -> tensor<4xi64>",
        "%r = canao.cast %a : (tensor<4xf32>) -> tensor<4xi64>",
        inputs=(numbers,),
    )
    assert to_int.tolist() == [0, 0, 1, -1]
    to_truth = run(
        "(%a: tensor<4xf32>) -> tensor<4xi1>",
        "%r = canao.cast %a : (tensor<4xf32>) -> tensor<4xi1>",
        inputs=(numbers,),
    )
    assert to_truth.tolist() == [False, True, True, True]


@pytest.mark.parametrize(("flag", "wanted"), [("", math.nan), ("masked_rows_to_zero", 0.0)])
def test_softmax_of_masked_row(flag: str, wanted: float):
    result = run(
        "(%a: tensor<2x2xf32>) -> tensor<2x2xf32>",
        f"%r = canao.softmax %a axis 1 {flag} : (tensor<2x2xf32>) -> tensor<2x2xf32>",
        inputs=(np.array([[-np.inf, -np.inf], [0, 0]], np.float32),),
    )
    np.testing.assert_array_equal(result, [[wanted, wanted], [0.5, 0.5]])


def test_pack_pads_the_last_panel():
    result = run(
        "(%a: tensor<2x3xf32>) -> tensor<2x2x2xf32>",
        "%r = canao.pack %a panel 2 : (tensor<2x3xf32>) -> tensor<2x2x2xf32>",
        inputs=(np.arange(6, dtype=np.float32).reshape(2, 3),),
    )
    assert result.tolist() == [[[0, 1], [3, 4]], [[2, 0], [5, 0]]]


def test_layer_runs_its_region():
    result = run(
        "(%a: tensor<2xf32>) -> tensor<2xf32>",
        "%r = canao.layer(%x = %a, %y = %a) : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32> {",
        "  %s = canao.add %x, %y : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>",
        "  canao.yield %s : tensor<2xf32>",
        "}",
        inputs=(floats(1, 2),),
    )
    assert result.tolist() == [2, 4]


def test_reorganising_copies_nothing():
    weight = np.zeros((3, 4), np.float32)
    result = run(
        "() -> tensor<2x1x3xf32>",
        '%w = canao.weight "w" : tensor<3x4xf32>',
        "%t = canao.transpose %w [1, 0] : (tensor<3x4xf32>) -> tensor<4x3xf32>",
        "%s = canao.slice %t starts [1, 0] steps [2, 1] : (tensor<4x3xf32>) -> tensor<2x3xf32>",
        "%r = canao.reshape %s : (tensor<2x3xf32>) -> tensor<2x1x3xf32>",
        weights={"w": weight},
    )
    assert np.shares_memory(result, weight)


def test_values_are_dropped_after_their_last_use():
    rows = 1 << 16
    kind = f"tensor<{rows}xf32>"
    chain = [f"%{n + 1} = canao.neg %{n} : ({kind}) -> {kind}" for n in range(50)]
    tracemalloc.start()
    run(
        f"(%a: {kind}) -> {kind}",
        f"%0 = canao.neg %a : ({kind}) -> {kind}",
        *chain,
        f"%r = canao.neg %50 : ({kind}) -> {kind}",
        inputs=(np.zeros(rows, np.float32),),
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # The input, an operand and a result, with room for the IR.
    assert peak < 8 * rows * 4


def test_float64_computes_everything_in_float64():
    a = floats(1 / 3, 2 / 3)
    result = run(
        "(%a: tensor<2xf32>) -> tensor<2xf32>",
        "%c = canao.constant dense<1.0> : tensor<f32>",
        "%d = canao.cast %c : (tensor<f32>) -> tensor<f32>",
        "%r = canao.add %a, %d : (tensor<2xf32>, tensor<f32>) -> tensor<2xf32>",
        inputs=(a,),
        float64=True,
    )
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, a.astype(np.float64) + 1)


ADD = """func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {
  %w = canao.weight "w" : tensor<2xf32>
  %r = canao.add %a, %w : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %r : tensor<2xf32>
}"""


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "takes 1 inputs, got 0"),
        ([floats(1, 2, 3)], "input 0 of @main must be float32 of shape"),
        ([np.array([1, 2])], "got int64"),
    ],
)
def test_wrong_inputs(inputs: list[Array], message: str):
    with pytest.raises(ShapeMismatchError, match=message):
        evaluate(parse(ADD), inputs, {"w": floats(1, 2)})


@pytest.mark.parametrize("weights", [{}, {"w": floats(1)}])
def test_wrong_weights(weights: dict[str, Array]):
    with pytest.raises(VerificationError, match="weight 'w'"):
        evaluate(parse(ADD), [floats(1, 2)], weights)


def test_missing_function():
    with pytest.raises(VerificationError, match="no function @other"):
        evaluate(parse(ADD), [], {}, function="other")


def test_evaluate_op():
    op = ConstantOp.from_array(floats(1, 2))
    assert evaluate_op(op, [])[0].tolist() == [1, 2]


@settings(max_examples=50, deadline=None)
@given(graphs())
def test_results_have_the_types_of_the_ir(graph: Graph):
    narrow = evaluate(graph.module, graph.inputs, graph.weights)
    wide = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    for a, b in zip(narrow, wide, strict=True):
        assert a.shape == b.shape
        assert b.dtype == (np.float64 if a.dtype == np.float32 else a.dtype)
