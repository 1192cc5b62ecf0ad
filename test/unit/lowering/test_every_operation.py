"""Every elementwise operation and reduction, on each element type, against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.lowering.c_support import Array
from unit.lowering.opencl_support import model_of
from unit.lowering.road import UNITS, lower_in_levels, run_compiled
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType, f32, f64
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects import canao
from canao.dialects.canao.defined import SoftsignOp
from canao.dialects.canao.elementwise import Predicate
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import NARROW_INTEGERS, i1, i64
from canao.interpreters.canao import evaluate

SHAPE = (3, 21)
"""Whole vectors and a tail of every width."""

Make = Callable[[SSAValue, SSAValue, SSAValue], Operation]
"""An operation on two operands and, for choices, a third of truth values."""

UNARY_FLOATS = (
    canao.AbsOp,
    canao.AsinhOp,
    canao.AtanOp,
    canao.CeilOp,
    canao.CosOp,
    canao.CoshOp,
    canao.ErfOp,
    canao.Exp2Op,
    canao.Expm1Op,
    canao.ExpOp,
    canao.FloorOp,
    canao.KeepRoundingOp,
    canao.NegOp,
    canao.RoundOp,
    canao.SigmoidOp,
    canao.SinOp,
    canao.SinhOp,
    SoftsignOp,
    canao.TanOp,
    canao.TanhOp,
    canao.TruncOp,
)
POSITIVE_FLOATS = (
    canao.Log10Op,
    canao.Log1pOp,
    canao.Log2Op,
    canao.LogOp,
    canao.ReciprocalOp,
    canao.RsqrtOp,
    canao.SqrtOp,
)
PARTLY_DEFINED = (canao.AcosOp, canao.AcoshOp, canao.AsinOp, canao.AtanhOp)
"""Functions that give NaN for some of the numbers."""
ARITHMETIC = (
    canao.AddOp,
    canao.DivOp,
    canao.MaximumOp,
    canao.MinimumOp,
    canao.MulOp,
    canao.PowOp,
    canao.SubOp,
)
BITWISE = (canao.AndOp, canao.OrOp)


def unary(kind: Any) -> Make:
    return lambda a, b, c: kind(a)


def positive(kind: Any) -> Make:
    return lambda a, b, c: kind(b)


def binary(kind: Any) -> Make:
    # the base of a power is positive, and so is every divisor
    return (lambda a, b, c: kind(b, a)) if kind is canao.PowOp else lambda a, b, c: kind(a, b)


def comparison(predicate: Predicate) -> Make:
    return lambda a, b, c: canao.CompareOp(predicate, a, b)


def reduction(kind: Any, axis: int) -> Make:
    return lambda a, b, c: kind(a, [axis])


SHARED: list[Make] = [
    *(comparison(p) for p in Predicate),
    *(
        (lambda a, b, c, element=element: canao.CastOp(a, element))
        for element in (f32, f64, i64, i1)
    ),
    lambda a, b, c: canao.SelectOp(c, a, b),
    *(reduction(k, axis) for k in (canao.ReduceMaxOp, canao.ReduceMinOp) for axis in (0, 1)),
]
SUMS = [reduction(canao.ReduceSumOp, axis) for axis in (0, 1)]
FLOATS = [
    *map(unary, (*UNARY_FLOATS, *PARTLY_DEFINED)),
    *map(positive, POSITIVE_FLOATS),
    *map(binary, (*ARITHMETIC, canao.Atan2Op, canao.CopysignOp, canao.FmodOp)),
    *SUMS,
]
INTEGERS = [
    *map(unary, (canao.AbsOp, canao.NegOp, canao.NotOp)),
    *map(binary, (*ARITHMETIC, *BITWISE)),
    *((lambda a, b, c, to=to: canao.WrapOp(a, to)) for to in NARROW_INTEGERS),
    *SUMS,
]
TRUTHS = [unary(canao.NotOp), *map(binary, BITWISE)]
CASES: dict[str, tuple[Attribute, list[Make]]] = {
    "f32": (f32, FLOATS + SHARED),
    "f64": (f64, FLOATS + SHARED),
    "i64": (i64, INTEGERS + SHARED),
    "i1": (i1, TRUTHS + SHARED),
}


def build(element: Attribute, makers: list[Make]) -> ModuleOp:
    """A function with one result for each operation."""
    types = [TensorType(element, SHAPE), TensorType(element, SHAPE), TensorType(i1, SHAPE)]
    block = Block(arg_types=types)
    builder = Builder(InsertPoint.at_end(block))
    results = [builder.insert(make(*block.args)).results[0] for make in makers]
    builder.insert(func.ReturnOp(*results))
    kind = FunctionType.from_lists(types, [r.type for r in results])
    return ModuleOp([func.FuncOp("main", kind, Region(block))])


def data(element: Attribute) -> list[Array]:
    rng = np.random.default_rng(3)
    dtype = dtype_of_element(element)
    a, b = rng.uniform(-3, 3, SHAPE), rng.uniform(0.5, 3, SHAPE)
    if dtype.kind == "i":
        a, b = np.trunc(a * 3), np.ceil(b)
        a[1, 1:7] = [2**40 + 200, -129, 300, 2**15, -(2**31) - 1, -(2**63)]
    if dtype.kind == "b":
        a, b = a > 0, b > 1.5
    a[0, :2] = b[0, :2]
    return [a.astype(dtype), b.astype(dtype), rng.random(SHAPE) > 0.5]


def runs() -> list[Any]:
    """Each element type with each vector unit, in C and on an OpenCL device."""
    on_device = [
        pytest.param(case, unit, "opencl", marks=() if quick else pytest.mark.slow)
        for case in CASES
        for unit in ("avx2", "sse")
        for quick in ((case, unit) in {("f32", "avx2"), ("i1", "sse")},)
    ]
    return [*((case, unit, "c") for case in CASES for unit in UNITS), *on_device]


@pytest.mark.parametrize(("case", "unit", "target"), runs())
def test_operations(tmp_path: Path, case: str, unit: str, target: str) -> None:
    element, makers = CASES[case]
    module, inputs = build(element, makers), data(element)
    module.verify()
    expected = evaluate(module, inputs, {})
    road = lower_in_levels(module, fusion=False, threads=1, unit=unit, device=model_of(target))
    tolerance = 1e-12 if case == "f64" else 2e-6
    levels = [level.evaluate(inputs, {}) for level in road.levels]
    for found in (*levels, run_compiled(tmp_path, road.program, inputs, {})):
        for n, (a, b) in enumerate(zip(found, expected, strict=True)):
            assert a.dtype == b.dtype
            np.testing.assert_allclose(
                a.reshape(b.shape), b, rtol=tolerance, atol=tolerance, err_msg=f"result {n}"
            )
