"""Compiled code means what PyTorch means: operation by operation, dtype by dtype."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from unit.operations.torch_forms import FORMS, INTEGERS, Form, dtype_of, fixed_shape
from unit.operations.torch_values import compare, elements
from unit.strategies import Array
from xdsl.builder import Builder
from xdsl.dialects import func
from xdsl.dialects.builtin import FunctionType, ModuleOp, TensorType
from xdsl.ir import Block, Region
from xdsl.rewriter import InsertPoint

import canao
from canao.dialects.canao.source import element_of_dtype

ROWS, COLUMNS = 3, 21
"""Whole vectors and a tail, of every width."""

GROUPS = {"float32": ("float32",), "float64": ("float64",), "integers": (*INTEGERS, "bool")}
"""The dtypes of each compiled module."""

DIGITS = 4.0
"""Polynomials of single precision are this much less accurate than the C library."""

Place = tuple[str, str]
"""The dtype and the role of an input."""


def _places(form: Form, dtype: str) -> list[Place]:
    """The inputs of a form; those of one place are the same."""
    return [(dtype_of(role, dtype), role) for role in form.operands]


def _shape(role: str) -> tuple[int, ...]:
    broadcast = {"other": (COLUMNS,), "divisor": (ROWS, 1), "where": (ROWS, 1)}
    return broadcast.get(role) or fixed_shape(role, ROWS, COLUMNS)


def _module(cases: Sequence[tuple[Form, str]], places: Sequence[Place]) -> ModuleOp:
    """A function with one result for each form."""
    types = [TensorType(element_of_dtype(dtype), _shape(role)) for dtype, role in places]
    block = Block(arg_types=types)
    builder = Builder(InsertPoint.at_end(block))
    values = dict(zip(places, block.args, strict=True))
    made = [form.make(*(values[p] for p in _places(form, dtype))) for form, dtype in cases]
    results = [builder.insert(op).results[0] for op in made]
    builder.insert(func.ReturnOp(*results))
    kind = FunctionType.from_lists(types, [r.type for r in results])
    return ModuleOp([func.FuncOp("main", kind, Region(block))])


def check(group: str, cache: Path, examples: int) -> None:
    cases = [(form, dtype) for dtype in GROUPS[group] for form in FORMS if dtype in form.dtypes]
    places = sorted({place for case in cases for place in _places(*case)})
    module = _module(cases, places)
    module.verify()
    ones = tuple(torch.ones(_shape(role), dtype=getattr(torch, d)) for d, role in places)
    compiled = canao.compile(str(module), ones, threads=1, tune="off", cache_dir=cache)
    drawn = st.tuples(
        *(
            st_numpy.arrays(dtype, _shape(role), elements=elements(role, dtype, ROWS))
            for dtype, role in places
        )
    )

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(drawn)
    def compare_all(arrays: tuple[Array, ...]) -> None:
        given = dict(zip(places, arrays, strict=True))
        found = compiled(*map(torch.from_numpy, arrays))
        for (form, dtype), result in zip(cases, found, strict=True):
            operands = [given[place] for place in _places(form, dtype)]
            try:
                compare(form, operands, result.numpy(), digits=DIGITS)
            except AssertionError as error:
                raise AssertionError(f"{form.name} of {dtype} is not PyTorch's: {error}") from None

    compare_all()


@pytest.mark.parametrize("group", GROUPS)
def test_operations(group: str, tmp_path: Path) -> None:
    check(group, tmp_path, 10)


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_operations_at_length(group: str, tmp_path: Path) -> None:
    check(group, tmp_path, 2000)
