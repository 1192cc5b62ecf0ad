"""Accuracy of the approximations: their IR, evaluated in float32, against float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.context import Context
from xdsl.dialects import arith
from xdsl.dialects import math as math_dialect
from xdsl.dialects.builtin import (
    DenseIntOrFPElementsAttr,
    FloatAttr,
    IntegerAttr,
    ModuleOp,
    VectorType,
    f32,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.traits import SymbolTable

from canao.errors import VerificationError
from canao.lowering.approximate_math import ApproximateMathPass

Floats = NDArray[np.float32]
Exact = NDArray[np.float64]

_OPS: dict[str, type[Any]] = {
    "exp": math_dialect.ExpOp,
    "erf": math_dialect.ErfOp,
    "tanh": math_dialect.TanhOp,
}
_EXACT: dict[str, Callable[[Exact], Exact]] = {
    "exp": np.exp,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
    "tanh": np.tanh,
}
_BINARY: dict[type[Operation], Callable[[Any, Any], Any]] = {
    arith.AddfOp: np.add,
    arith.SubfOp: np.subtract,
    arith.MulfOp: np.multiply,
    arith.DivfOp: np.divide,
    arith.MaximumfOp: np.maximum,
    arith.MinimumfOp: np.minimum,
    arith.ShLIOp: np.left_shift,
}


def _module(name: str, value_type: Attribute) -> ModuleOp:
    """A module with one function that applies the operation."""
    block = Block(arg_types=[value_type])
    op = _OPS[name](block.args[0])
    block.add_ops([op, ReturnOp(op)])
    return ModuleOp([FuncOp("f", ([value_type], [value_type]), Region(block))])


@cache
def _helper(name: str, lanes: int = 0) -> FuncOp:
    module = _module(name, VectorType(f32, [lanes]) if lanes else f32)
    ApproximateMathPass().apply(Context(), module)
    module.verify()
    suffix = f"x{lanes}" if lanes else ""
    found = SymbolTable.lookup_symbol(module, f"{name}_f32{suffix}")
    assert isinstance(found, FuncOp)
    return found


def _constant(op: arith.ConstantOp) -> Any:
    value = op.value
    if isinstance(value, DenseIntOrFPElementsAttr):
        (number,) = set(value.get_values())
        return np.asarray(number, np.float32 if isinstance(number, float) else np.int32)
    if isinstance(value, FloatAttr):
        return np.float32(value.value.data)
    assert isinstance(value, IntegerAttr)
    return np.int32(value.value.data)


def _product(value: SSAValue) -> arith.MulfOp | None:
    """The multiplication that a C compiler joins with the only use of its result."""
    owner = value.owner
    return owner if isinstance(owner, arith.MulfOp) and value.has_one_use() else None


@dataclass
class Evaluator:
    """Runs a function of elementwise arithmetic on an array of arguments."""

    fused: bool
    """Whether a product and the sum it feeds are rounded once."""

    def __call__(self, function: FuncOp, x: Floats) -> Floats:
        block = function.body.block
        values: dict[SSAValue, Any] = {block.args[0]: x}
        with np.errstate(all="ignore"):
            for op in block.ops:
                if isinstance(op, ReturnOp):
                    return values[op.arguments[0]]
                values[op.results[0]] = self._evaluate(op, values)
        raise AssertionError("the function does not return")

    def _evaluate(self, op: Operation, values: dict[SSAValue, Any]) -> Any:
        if isinstance(op, arith.ConstantOp):
            return _constant(op)
        if isinstance(op, arith.BitcastOp):
            to_float = getattr(op.result.type, "element_type", op.result.type) == f32
            return values[op.input].view(np.float32 if to_float else np.int32)
        a, b = (values[operand] for operand in op.operands)
        product = _product(op.operands[0]) if isinstance(op, arith.AddfOp) else None
        if self.fused and product is not None:
            # the product of two float32 is exact in float64
            exact = np.float64(values[product.lhs]) * values[product.rhs] + b
            return np.asarray(exact, np.float32)
        return _BINARY[type(op)](a, b)


@cache
def _arguments(low: float, high: float) -> Floats:
    """Evenly spaced numbers, random ones, and floats of every magnitude of both signs."""
    random = np.random.default_rng(0)
    bits = random.integers(0, 2**32, 200_000, dtype=np.uint32).view(np.float32)
    spread = np.linspace(low, high, 400_001, dtype=np.float32)
    anywhere = random.uniform(low, high, 200_000).astype(np.float32)
    near_zero = random.uniform(-1, 1, 200_000).astype(np.float32)
    every = np.concatenate([bits, spread, anywhere, near_zero, np.array([low, high], np.float32)])
    return every[(every >= low) & (every <= high)]


def _errors(name: str, fused: bool, interval: tuple[float, float]) -> tuple[float, float, float]:
    """Largest error: absolute, relative, and in units of the last place of the result."""
    x = _arguments(*interval)
    exact = _EXACT[name](x.astype(np.float64))
    error = np.abs(Evaluator(fused)(_helper(name), x) - exact)
    # results below the smallest normal number may be 0
    normal = np.abs(exact) >= np.finfo(np.float32).tiny
    last_place = np.spacing(np.abs(exact[normal]).astype(np.float32))
    return (
        float(error.max()),
        float((error[normal] / np.abs(exact[normal])).max()),
        float((error[normal] / last_place).max()),
    )


# The interval measured (for exp: where results are normal), and the bounds on the absolute
# and relative error and on that in ulp: the rows of `docs/math.md`.
_FUSED_BOUNDS = {
    "exp": ((-87.336544, 88.72283), math.inf, 9.8e-8, 1.6),
    "erf": ((-6.0, 6.0), 3.0e-7, 5.6e-7, 8.5),
    "tanh": ((-20.0, 20.0), 2.8e-7, 2.8e-7, 4.6),
}
_SEPARATE_BOUNDS = {
    "exp": ((-87.336544, 88.72283), math.inf, 1.2e-7, 1.9),
    "erf": ((-6.0, 6.0), 3.4e-7, 5.9e-7, 9.2),
    "tanh": ((-20.0, 20.0), 3.2e-7, 3.2e-7, 5.4),
}


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "separate"])
@pytest.mark.parametrize("name", _OPS)
def test_error_is_as_documented(name: str, fused: bool) -> None:
    interval, *bounds = (_FUSED_BOUNDS if fused else _SEPARATE_BOUNDS)[name]
    errors = _errors(name, fused, interval)
    assert all(error <= bound for error, bound in zip(errors, bounds, strict=True)), errors


_INF, _NAN, _LARGEST = math.inf, math.nan, float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp", 0.0, 1.0),
        ("exp", -0.0, 1.0),
        ("exp", 1e-30, 1.0),
        ("exp", _INF, _INF),
        ("exp", _LARGEST, _INF),
        ("exp", 88.73, _INF),
        ("exp", -88.1, 0.0),
        ("exp", -_LARGEST, 0.0),
        ("exp", -_INF, 0.0),
        ("exp", _NAN, _NAN),
        ("erf", 0.0, 0.0),
        ("erf", -0.0, -0.0),
        ("erf", 4.0, 1.0),
        ("erf", -4.0, -1.0),
        ("erf", _INF, 1.0),
        ("erf", -_INF, -1.0),
        ("erf", _NAN, _NAN),
        ("tanh", 0.0, 0.0),
        ("tanh", -0.0, -0.0),
        ("tanh", 9.0, 1.0),
        ("tanh", -9.0, -1.0),
        ("tanh", _INF, 1.0),
        ("tanh", -_INF, -1.0),
        ("tanh", _NAN, _NAN),
    ],
)
def test_special_values(name: str, x: float, expected: float) -> None:
    for fused in (True, False):
        (found,) = Evaluator(fused)(_helper(name), np.array([x], np.float32))
        assert np.signbit(found) == np.signbit(expected) or math.isnan(expected)
        np.testing.assert_equal(found, np.float32(expected))


def test_softmax_of_a_masked_row_needs_no_special_case() -> None:
    shifted = np.array([0.0, -1e4, float(np.finfo(np.float32).min)], np.float32)
    powers = Evaluator(fused=True)(_helper("exp"), shifted)
    assert powers.tolist() == [1.0, 0.0, 0.0]


@given(st.floats(width=32, allow_nan=False))
def test_erf_and_tanh_are_odd_and_at_most_one(x: float) -> None:
    both = np.array([x, -x], np.float32)
    for name in ("erf", "tanh"):
        plus, minus = Evaluator(fused=True)(_helper(name), both)
        assert plus == -minus
        assert abs(plus) <= 1 + 2.0**-22


@given(st.floats(width=32, min_value=-87.25, max_value=88.5), st.integers(0, 40))
def test_exp_of_a_sum_is_a_product(x: float, steps: int) -> None:
    a = np.float32(x)
    b = np.float32(-steps if x > 0 else steps) / np.float32(2)
    together, first, second = Evaluator(fused=True)(
        _helper("exp"), np.array([a + b, a, b], np.float32)
    )
    rounding = abs(float(a) + float(b) - float(a + b))
    assert math.isclose(together, float(first) * float(second), rel_tol=6e-7 + 2 * rounding)


@given(st.lists(st.floats(width=32), min_size=1, max_size=16))
def test_vectors_and_scalars_agree(numbers: list[float]) -> None:
    x = np.array(numbers, np.float32)
    for name in _OPS:
        scalar = Evaluator(fused=True)(_helper(name), x)
        vector = Evaluator(fused=True)(_helper(name, 16), x)
        np.testing.assert_array_equal(scalar, vector)


@pytest.mark.parametrize(("name", "instructions"), [("exp", 15), ("erf", 18), ("tanh", 13)])
def test_instructions_are_as_documented(name: str, instructions: int) -> None:
    """With a product and the sum after it as one instruction; constants stay in registers."""
    free = (arith.ConstantOp, arith.BitcastOp, ReturnOp)
    ops = [op for op in _helper(name, 8).body.block.ops if not isinstance(op, free)]
    joined = [op for op in ops if isinstance(op, arith.AddfOp) and _product(op.operands[0])]
    assert len(ops) - len(joined) == instructions


def test_a_symbol_of_another_type_is_refused() -> None:
    module = _module("exp", f32)
    module.body.block.add_op(FuncOp.external("exp_f32", [], []))
    with pytest.raises(VerificationError, match="rename it"):
        ApproximateMathPass().apply(Context(), module)


def test_running_twice_adds_no_second_helper() -> None:
    module = _module("exp", f32)
    ApproximateMathPass().apply(Context(), module)
    once = str(module)
    ApproximateMathPass().apply(Context(), module)
    assert str(module) == once
