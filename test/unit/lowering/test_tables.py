"""Every operation of the dialect has its row in each table that gives operations a meaning."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from xdsl.builder import Builder
from xdsl.dialects import cf
from xdsl.dialects.builtin import TensorType, VectorType, f32
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects import canao
from canao.dialects.canao import DEFINED_OPS, ELEMENTWISE_OPS
from canao.dialects.canao.defined import DefinedOp
from canao.dialects.canao.elementwise import BinaryOp, Predicate, UnaryOp
from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import i1, i8, i64
from canao.errors import VerificationError
from canao.interpreters.canao import evaluate_op
from canao.interpreters.loop_arithmetic import FUNCTIONS
from canao.lowering.c import unit as c
from canao.lowering.emit.scalar_ops import ARITHMETIC
from canao.lowering.emit.value_emitter import Key, Point, ValueEmitter
from canao.lowering.opencl import unit as opencl

FLOATS_ONLY = frozenset(
    op
    for op in ELEMENTWISE_OPS
    if issubclass(op, UnaryOp) and op not in (canao.AbsOp, canao.NegOp, canao.NotOp)
) | {canao.FmodOp}
INTEGERS_ONLY = frozenset({canao.AndOp, canao.OrOp, canao.NotOp, canao.WrapOp})

SPECIAL: dict[type[Operation], Callable[[SSAValue, SSAValue], Operation]] = {
    canao.CastOp: lambda a, m: canao.CastOp(a, i64),
    canao.CompareOp: lambda a, m: canao.CompareOp(Predicate.LT, a, a),
    canao.SelectOp: lambda a, m: canao.SelectOp(m, a, a),
    canao.WrapOp: lambda a, m: canao.WrapOp(a, i8),
}


def made(kind: Any, a: SSAValue, mask: SSAValue) -> Operation:
    if kind in SPECIAL:
        return SPECIAL[kind](a, mask)
    return kind(a, a) if issubclass(kind, BinaryOp) else kind(a)


def elements(kind: Any) -> list[Attribute]:
    if kind in FLOATS_ONLY:
        return [f32]
    if kind in INTEGERS_ONLY:
        return [i64, i1] if kind.TAKES_TRUTH else [i64]
    return [f32, i64, i1] if kind.TAKES_TRUTH else [f32, i64]


DIRECT_OPS = tuple(op for op in ELEMENTWISE_OPS if op not in DEFINED_OPS)
"""The operations that are lowered as they are."""


def emitted(kind: Any, element: Attribute, lanes: int) -> set[type[Operation]]:
    """The classes of the operations that an operation is lowered to."""
    tensor = TensorType(element, [lanes])
    op = made(kind, *Block(arg_types=[tensor, TensorType(i1, [lanes])]).args)
    op.verify()
    types = [VectorType(element, [lanes]), VectorType(i1, [lanes])]
    block = Block(arg_types=types if lanes > 1 else [element, i1])
    value, mask = block.args
    args = {1: [value], 2: [value, value], 3: [mask, value, value]}[len(op.operands)]
    ARITHMETIC[kind](block, op, args)
    return {type(inner) for inner in block.ops}


@pytest.mark.parametrize("kind", DIRECT_OPS, ids=lambda kind: kind.__name__)
def test_elementwise_operations_have_a_form_everywhere(kind: Any) -> None:
    for element in elements(kind):
        for lanes in (1, 4):
            for inner in emitted(kind, element, lanes):
                assert inner in FUNCTIONS or inner is cf.AssertOp, inner
                assert inner in c.PRINTERS, inner
                assert inner in opencl.PRINTERS, inner


@pytest.mark.parametrize("kind", DEFINED_OPS, ids=lambda kind: kind.__name__)
def test_definitions_consist_of_operations_that_are_lowered(kind: type[DefinedOp]) -> None:
    block = Block(arg_types=[TensorType(f32, [4])])
    result = kind.define(block.args[0], Builder(InsertPoint.at_end(block)))
    block.verify()
    assert result.type == block.args[0].type
    parts = [type(op) for op in block.ops if not isinstance(op, canao.ConstantOp)]
    assert set(parts) <= set(DIRECT_OPS)
    assert kind(block.args[0]).computations() == len(parts)


def test_elementwise_operations_have_a_meaning_in_numpy() -> None:
    for kind in ELEMENTWISE_OPS:
        (element, *_) = elements(kind)
        op = made(kind, *Block(arg_types=[TensorType(element, [2]), TensorType(i1, [2])]).args)
        value = np.ones(2, dtype_of_element(element))
        args = {1: [value], 2: [value, value], 3: [np.ones(2, np.bool_), value, value]}
        (found,) = evaluate_op(op, args[len(op.operands)])
        assert found.shape == (2,)


def test_what_reductions_combine_with_has_arithmetic() -> None:
    kinds = [op for op in canao.Canao.operations if issubclass(op, ReduceOp)]
    assert kinds
    assert all(kind.KIND.binary in ARITHMETIC for kind in kinds)


def test_an_operation_without_arithmetic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not become its first operand."""
    monkeypatch.delitem(ARITHMETIC, canao.SubOp)
    block = Block(arg_types=[TensorType(f32, []), TensorType(f32, [])])
    op = canao.SubOp(*block.args)
    inside = Block(arg_types=[f32, f32])
    point: Point = ()
    known: dict[Key, SSAValue] = {
        (old, point): new for old, new in zip(block.args, inside.args, strict=True)
    }
    emitter = ValueEmitter(inside, {}, {}, known=known)
    message = re.escape("op 'canao.sub' has no arithmetic to lower it to")
    with pytest.raises(VerificationError, match=message):
        emitter.evaluate(op.result, point, None)
