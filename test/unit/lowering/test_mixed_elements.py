"""Two element types in one loop, compiled for each vector unit, against the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.lowering.c_support import Array
from unit.lowering.road import UNITS, Build, lower_in_levels
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType, f32, f64
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.rewriter import InsertPoint

from canao.building.toolchain import find_compiler
from canao.dialects import canao
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import NARROW_INTEGERS, element_of, i1, i64
from canao.interpreters.canao import evaluate
from canao.machine.target import Target

Mix = Callable[[Builder, SSAValue, SSAValue], SSAValue]

SHAPE = (2, 37)
"""Whole vectors and a tail of every width."""
GIVEN: tuple[Attribute, ...] = (f32, f64, i64, i1, *NARROW_INTEGERS)
COMPUTED: tuple[Attribute, ...] = (f32, f64, i64)
NUMBERS = np.array([-3.0, 2.0, 0.0, 1.0, 100.0, -128.0, 7.0, 5.0])
"""Exact in every type that has a sign; sums and products of two are exact too."""
INSERTED = np.array([np.nan, np.inf, -np.inf, -0.0, 0.1])


def choice(builder: Builder, condition: SSAValue, a: SSAValue, b: SSAValue) -> SSAValue:
    return builder.insert(canao.SelectOp(condition, a, b)).result


def as_element(builder: Builder, value: SSAValue, like: SSAValue) -> SSAValue:
    return builder.insert(canao.CastOp(value, element_of(like))).result


def binary(kind: Callable[..., Any]) -> Mix:
    return lambda e, a, b: e.insert(kind(as_element(e, a, b), b)).results[0]


def choose_by_other(builder: Builder, a: SSAValue, b: SSAValue) -> SSAValue:
    return choice(builder, builder.insert(canao.CastOp(b, i1)).result, as_element(builder, a, b), b)


def choose_by_own(builder: Builder, a: SSAValue, b: SSAValue) -> SSAValue:
    return choice(builder, builder.insert(canao.CastOp(a, i1)).result, b, as_element(builder, a, b))


def largest(builder: Builder, a: SSAValue, b: SSAValue) -> SSAValue:
    both = builder.insert(canao.MaximumOp(as_element(builder, a, b), b)).result
    return builder.insert(canao.ReduceMaxOp(both, [1])).result


MIXES: tuple[Mix, ...] = (
    *map(binary, (canao.MaximumOp, canao.MinimumOp, canao.AddOp, canao.MulOp)),
    binary(lambda a, b: canao.CompareOp("lt", a, b)),
    choose_by_other,
    choose_by_own,
    largest,
)
"""What is computed of a number of one type and one of another, which is the type of the result."""


def operands(element: Attribute) -> list[Attribute]:
    """A tensor of every type for each of the mixes, so that no conversion has two uses; `element`.

    What is used twice is stored, and then read where nothing converts it.
    """
    return [*(given for _ in MIXES for given in GIVEN if given != element), element]


def build(element: Attribute) -> ModuleOp:
    """A function with a result for every mix of every type with `element`."""
    types = [TensorType(given, SHAPE) for given in operands(element)]
    block = Block(arg_types=types)
    builder = Builder(InsertPoint.at_end(block))
    *others, rhs = block.args
    each = len(others) // len(MIXES)
    results = [MIXES[n // each](builder, lhs, rhs) for n, lhs in enumerate(others)]
    builder.insert(func.ReturnOp(*results))
    kind = FunctionType.from_lists(types, [value.type for value in results])
    return ModuleOp([func.FuncOp("main", kind, Region(block))])


def data(element: Attribute) -> list[Array]:
    rng = np.random.default_rng(7)
    arrays: list[Array] = []
    for given in operands(element):
        dtype = dtype_of_element(given)
        numbers = rng.choice(NUMBERS, SHAPE)
        if dtype.kind == "f":
            numbers[0] = rng.choice(np.concatenate([NUMBERS, INSERTED]), SHAPE[1])
        if dtype.kind == "f" and element == i64:
            numbers = np.nan_to_num(numbers, posinf=1, neginf=2)  # integers have no such numbers
        arrays.append(np.abs(numbers).astype(dtype) if dtype.kind == "u" else numbers.astype(dtype))
    return arrays


def flags(unit: str) -> tuple[tuple[str, ...], bool]:
    """The compiler's options for a vector unit, and whether its code runs here."""
    compiler, host = find_compiler(), Target.host()
    target = Target(host.triple, UNITS[unit])
    return compiler.flags(target), target.runs_on(host)


@pytest.mark.skipif(Target.host().architecture != "x86_64", reason="these are registers of x86-64")
@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("element", COMPUTED, ids=str)
def test_every_pair_of_types(tmp_path: Path, element: Attribute, unit: str) -> None:
    module, inputs = build(element), data(element)
    module.verify()
    expected = evaluate(module, inputs, {})
    road = lower_in_levels(module, fusion=True, threads=1, unit=unit, loops=False)
    options, runs_here = flags(unit)
    compiled = Build(tmp_path, road.program, options)
    if not runs_here:
        compiled.finish()
        return
    # callers widen narrow integers
    given = [a.astype(s.dtype) for a, s in zip(inputs, road.program.inputs, strict=True)]
    for n, (a, b) in enumerate(zip(compiled.run(given, {}), expected, strict=True)):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a.reshape(b.shape), b, err_msg=f"result {n}")
